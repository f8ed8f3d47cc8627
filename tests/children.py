"""A model that splits a task, and sub-agents that write a file each, one call a turn as gpt-oss does."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, tool_call
from tests.conftest import Agentic, Done

TASK = "Build a full stack web application with React frontend, FastAPI backend, PostgreSQL database, and unit tests"
NATIVE = ("-c", "tools.protocol=native", "--output", "jsonl", "--approve", "all")


def part(name: str, **fields: Any) -> dict[str, Any]:
    known = {
        "title": name,
        "objective": f"write {name}.txt",
        "output": "",
        "done_check": "",
        "reads": [],
        "depends_on": [],
        "priority": 0,
    }
    return {"id": name, "writes": [f"{name}.txt"], **known, **fields}


PARTS = [
    part("frontend", objective="React"),
    part("backend", objective="FastAPI"),
    part("database", objective="PostgreSQL"),
    part("tests"),
]


class Model:
    """Gives the plan, and lets each child write its file, one call a turn as gpt-oss does. `behave` changes what a child does."""

    def __init__(
        self, server: FakeVLLM, plan: Sequence[dict[str, Any]], behave: dict[str, Callable[[Request], ScriptedAnswer]] | None = None
    ) -> None:
        self.parts = list(plan)
        self.plan = json.dumps(self.parts)
        self.plans = 0
        self.behave = behave or {}
        self.together = threading.Semaphore(0)
        self.children: Counter[str] = Counter()
        server.otherwise = self.reply

    def reply(self, request: Request) -> ScriptedAnswer:
        messages = request.json["messages"]
        if messages[0]["content"].startswith("Decompose"):
            self.plans += 1
            return answer(self.plan)
        asked = next(message["content"] for message in messages if message["role"] == "user")
        name = asked.partition("\n")[0].rpartition("\n")[2].split(":")[0]
        name = next((each["id"] for each in self.parts if f"{each['title']}:" in asked), name)
        self.children[name] += 1
        if name in self.behave:
            return self.behave[name](request)
        if messages[-1]["role"] == "tool":
            return answer(f"{name} is written")
        return answer(tool_calls=tool_call("write_file", {"path": f"{name}.txt", "content": name}), pause=0.02)


def split(agentic: Agentic, server: FakeVLLM, *options: str, **more: Any) -> Done:
    return agentic("run", TASK, "--endpoint", server.url, *NATIVE, *options, seconds=90, **more)


def delegating(
    server: FakeVLLM, tasks: Sequence[Any], behave: dict[str, Callable[[Request], ScriptedAnswer]] | None = None
) -> Model:
    """An agent whose first call delegates, and which then says what came of it; its children write their files."""
    model = Model(server, [part(task["title"]) for task in tasks if isinstance(task, dict) and "title" in task], behave)

    def reply(request: Request) -> ScriptedAnswer:
        messages = request.json["messages"]
        if "You do one part of a larger task" in messages[1]["content"]:
            return model.reply(request)
        if results := [message["content"] for message in messages if message["role"] == "tool"]:
            return answer(f"I got: {results[-1]}")
        return answer(tool_calls=tool_call("delegate", {"tasks": list(tasks)}))

    server.otherwise = reply
    return model


def objects(count: int) -> list[dict[str, str]]:
    return [{"title": f"t{number}", "objective": f"write t{number}.txt"} for number in range(count)]
