"""The manual: in the terminal, from the package, with links that lead somewhere."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

import agentic as agentic_module
from agentic.cli import COMMANDS, summaries
from agentic.events import Event
from agentic.plugins import Host
from plugins_builtin.manual.pages import found_in, pages, sections, title_of
from plugins_builtin.manual.reference import MADE
from tests.conftest import Agentic
from tests.terminal import terminal

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)\s]+)\)")


def markdown() -> list[Path]:
    return [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "benchmarks" / "README.md",
        *ROOT.glob("packages/*/README.md"),
    ]


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of headings."""
    return {re.sub(r"[^\w\- ]", "", section.heading.lower()).replace(" ", "-") for section in sections("", text)}


def test_every_page_is_listed_and_shown(agentic: Agentic) -> None:
    listed = agentic("docs").out
    for name, text in pages().items():
        assert title_of(text) and f"{name} " in listed
    assert agentic("docs", "checks").out == (ROOT / "docs" / "checks.md").read_text() + "\n"
    assert agentic("docs", "plugins/gate.md").out.startswith("# ")


def test_the_reference_is_made_from_the_code(agentic: Agentic) -> None:
    keys, commands, events = (agentic("docs", f"reference/{name}").out for name in ("keys", "commands", "events"))
    for line in agentic("config", "show").out.splitlines():
        section, _, last = line.split(" = ")[0].rpartition(".")
        assert f"| `{last}` |" in keys.split(f"## {section}\n")[1].split("\n## ")[0]
    for name in summaries():
        assert f"\n## agentic {name}\n" in commands
    for kind in Event.__subclasses__():
        assert f"\n## {kind.type}\n" in events
    names = agentic("docs", "reference/python").out
    for name in agentic_module.__all__:
        assert name.startswith("_") or f"\n## {name}\n" in names
    assert "    def sees(" not in names and "    sees: Llm" in names.split("class ToolSetup:")[1].split("```")[0]
    assert "    async def take(self, task: str" in names or "async def run(self, plan: " in names
    assert "reference/keys: attempts" in agentic("docs", "attempts", "begin", "together").out


def test_words_are_found_in_all_pages(agentic: Agentic) -> None:
    (section, line) = found_in(["attach", "--take"], pages())[0]
    assert section.page == "detached" and "--take" in line
    assert "detached: Leaving a session" in agentic("docs", "attach", "terminals").out
    missing = agentic("docs", "no", "such", "words", "anywhere")
    assert missing.code == 2 and "no page has no such words anywhere" in missing.err
    assert agentic("docs", "chekcs").err.endswith("agentic docs checks\n")


def test_a_line_of_code_that_begins_with_a_hash_is_no_heading() -> None:
    text = "# One\n\n```bash\n# no heading\n```\n\n## Two\nmore\n"
    assert [each.heading for each in sections("page", text)] == ["One", "Two"]


def test_a_page_is_laid_out_in_a_terminal(env: dict[str, str], work: Path) -> None:
    with terminal(["docs", "detached"], env | {"PAGER": "cat"}, work, 80) as shown:
        assert shown.until_ended() == 0
        assert "Leaving a session, and coming back" in shown.text and "## Over" not in shown.text
        assert "\n$ agentic attach" in shown.text or shown.text.startswith("$ ")  # at the left, to be copied


def test_the_pages_come_with_the_package(tmp_path: Path) -> None:
    """Also those that are read from an installed package, which has no checkout beside it."""
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = subprocess.run([sys.executable, "-m", "zipfile", "-l", wheel], capture_output=True, text=True, check=True).stdout
    for name in pages():
        assert f"plugins_builtin/manual/pages/{'README' if name == 'start' else f'docs/{name}'}.md" in inside


def test_the_help_of_each_command_names_its_page() -> None:
    known = pages()
    targets = [offer.record.target for name, offer in Host().offers("agentic_commands").items() if not offer.record.hidden]
    targets += [f"{module}:command" for module, _ in COMMANDS.values()]
    for target in targets:
        module, _, attribute = target.partition(":")
        epilog = getattr(import_module(module), attribute).epilog or ""
        found = re.fullmatch(r"The manual: agentic docs (\S+)", epilog)
        assert found is not None and found[1] in known, target


@pytest.mark.parametrize("path", markdown(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    for link in LINK.findall(re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(), flags=re.DOTALL)):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    def files(place: Any) -> Iterator[str]:
        if isinstance(place, str):
            yield place
        else:
            for each in place.values() if isinstance(place, dict) else place:
                yield from files(each)

    listed = list(files(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    elsewhere = ["index.md", "benchmarks.md", "ray.md", "contributing.md"]
    assert sorted(listed) == sorted([*(f"{name}.md" for name in (*pages(), *MADE) if name != "start"), *elsewhere])
