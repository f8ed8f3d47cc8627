"""AGENTS.md: what a project's own instructions say, from its top down to the folder that is worked in."""

from collections.abc import Iterable

from agentic import AgenticError, PromptSection, Setup, Workspace, hookimpl

FILE = "AGENTS.md"


def _text(setup: Setup) -> str:
    root = setup.root.resolve()
    top = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
    project, below = Workspace(top), root.relative_to(top).parts
    found = []
    for depth in range(len(below) + 1):
        name = "/".join((*below[:depth], FILE))
        try:
            found.append((name, project.read(name).data.decode("utf-8", "replace").strip()))
        except (AgenticError, OSError):
            continue
    return "\n\n".join(f"Instructions of this project ({name}):\n{content}" for name, content in found if content)


@hookimpl
def agentic_prompt_sections() -> Iterable[PromptSection]:
    sizes = {"nano": 1_000, "small": 3_000, "full": 16_000}
    yield PromptSection("instructions", "the AGENTS.md files of the project", _text, sizes, covers=(FILE,))
