"""Where gpt-oss's tools should stand: in the developer message, as servers put them, or in the system message, as in its training.

    python benchmarks/gpt_oss_tools.py --endpoint http://localhost:8001/v1 [--tasks tasks.txt] [--samples 3]

For who has the model: the prompts are rendered by the official library (the extra `gpt-oss`) and sent as token ids to
`/v1/completions`, so no server's template is in between. A sample is good where the answer is one call of a tool that there is,
with arguments that its schema allows. The exact sign test says whether the difference is more than chance. `--show` prints both
prompts.
"""

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import openai_harmony as harmony
from jsonschema import ValidationError, validate

from agentic import ToolSpec
from plugins_builtin.evaluation.statistics import sign_test
from plugins_builtin.tools.apply_patch import ApplyPatch
from plugins_builtin.tools.files import ListFiles, ReadFile, WriteFile
from plugins_builtin.tools.search import Search
from plugins_builtin.tools.shell import Run

TOOLS: list[ToolSpec] = [ApplyPatch.spec, ListFiles.spec, ReadFile.spec, Run.spec, Search.spec, WriteFile.spec]
TASKS = (
    "Show me what is in README.md.",
    "Which files are in the folder src?",
    "Find every use of parse_date.",
    "Run the tests.",
    "Create hello.py, which prints hello.",
    "In a.py the line `x = 1` has to become `x = 2`. Change it.",
    "Delete the file old.txt.",
    "Rename util.py to helpers.py without changing what is in it.",
)
ENCODING = harmony.load_harmony_encoding(harmony.HarmonyEncodingName.HARMONY_GPT_OSS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", default="http://localhost:8001/v1")
    parser.add_argument("--model", default="")
    parser.add_argument("--tasks", type=Path, help="a task a line")
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--show", action="store_true")
    given = parser.parse_args()
    tasks = given.tasks.read_text().splitlines() if given.tasks else list(TASKS)
    if given.show:
        for place in ("developer", "system"):
            print(f"--- tools in the {place} message\n{ENCODING.decode(prompt(tasks[0], place))}\n")
        return
    report(asyncio.run(compare(given.endpoint.rstrip("/"), given.model, [task for task in tasks for _ in range(given.samples)])))


def prompt(task: str, place: str) -> list[int]:
    """The token ids of a conversation that begins with `task`."""
    described = [harmony.ToolDescription.new(tool.name, tool.description, parameters=dict(tool.parameters)) for tool in TOOLS]
    system = harmony.SystemContent.new().with_conversation_start_date("2026-01-01")
    developer = harmony.DeveloperContent.new().with_instructions("You are a coding agent. Use the tools.")
    if place == "system":
        system = system.with_tools(harmony.ToolNamespaceConfig(name="functions", description=None, tools=described))
    else:
        developer = developer.with_function_tools(described)
    roles = ((harmony.Role.SYSTEM, system), (harmony.Role.DEVELOPER, developer), (harmony.Role.USER, task))
    messages = [harmony.Message.from_role_and_content(role, content) for role, content in roles]
    ids: list[int] = ENCODING.render_conversation_for_completion(
        harmony.Conversation.from_messages(messages), harmony.Role.ASSISTANT
    )
    return ids


def report(pairs: list[tuple[bool, bool]]) -> None:
    developer, system = (sum(one and not two for one, two in pairs), sum(two and not one for one, two in pairs))
    print(f"{len(pairs)} tasks: only in the developer message {developer}, only in the system message {system}")
    print(f"p = {sign_test(developer, system):.3f} (exact sign test)")


async def compare(endpoint: str, model: str, tasks: list[str]) -> list[tuple[bool, bool]]:
    """(good with tools in the developer message, good with tools in the system message), a pair for each task."""
    async with httpx2.AsyncClient(timeout=300) as client:
        model = model or (await client.get(f"{endpoint}/models")).json()["data"][0]["id"]

        async def good(task: str, place: str, seed: int) -> bool:
            body = {"model": model, "prompt": prompt(task, place), "max_tokens": 2000, "temperature": 1.0, "seed": seed}
            stop = ENCODING.stop_tokens_for_assistant_actions()
            more: dict[str, Any] = {"stop_token_ids": stop, "return_token_ids": True, "skip_special_tokens": False}
            answer = (await client.post(f"{endpoint}/completions", json=body | more)).raise_for_status().json()
            return is_call(answer["choices"][0]["token_ids"])

        pairs = [(good(task, "developer", n), good(task, "system", n)) for n, task in enumerate(tasks)]
        return [(one, two) for one, two in zip(*[await asyncio.gather(*side) for side in zip(*pairs, strict=True)], strict=True)]


def is_call(ids: list[int]) -> bool:
    """Whether the answer ends with one well-formed call of a tool that there is."""
    try:
        messages = ENCODING.parse_messages_from_completion_tokens(ids, harmony.Role.ASSISTANT)
        name = (messages[-1].recipient or "").removeprefix("functions.")
        schema = next(tool.parameters for tool in TOOLS if tool.name == name)
        validate(json.loads(messages[-1].content[0].text), dict(schema))
    except (harmony.HarmonyError, StopIteration, ValueError, IndexError, ValidationError):
        return False
    return True


if __name__ == "__main__":
    main()
