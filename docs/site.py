"""Hooks of mkdocs: the README and its like, which lie elsewhere, and the pages that are made from code, are pages of the site."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from agentic.cli.group import group
from plugins_builtin.manual.reference import MADE

ROOT = Path(__file__).parent.parent
ELSEWHERE = {
    "README.md": "index.md",
    "benchmarks/README.md": "benchmarks.md",
    "packages/agentic-ray/README.md": "ray.md",
    "CONTRIBUTING.md": "contributing.md",
}
_LINK = re.compile(r"(!?\[([^\]]*)\]\()([^)#\s:]+)((?:#[^)]*)?\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path, name in ELSEWHERE.items():
        files.append(File.generated(config, name, content=_moved((ROOT / path).read_text(encoding="utf-8"), path)))
    for name, (_, make) in MADE.items():
        files.append(File.generated(config, f"{name}.md", content=make(group)))
    return files


def on_page_markdown(markdown: str, page: object, config: MkDocsConfig, files: Files) -> str:
    """Links of the pages that lie in docs to those that do not."""
    source = str(getattr(page, "file").src_uri)  # noqa: B009 - a type that mkdocs does not tell
    if source in (*ELSEWHERE.values(), *(f"{name}.md" for name in MADE)):
        return markdown
    return _moved(markdown, f"docs/{source}")


def _moved(text: str, path: str) -> str:
    """The page at `path` in the repository with its links as they are on the site, those to other files taken out."""
    folder = (ROOT / path).parent
    here = Path(ELSEWHERE.get(path, Path(path).relative_to("docs") if path.startswith("docs/") else path)).parent

    def link(found: re.Match[str]) -> str:
        target = (folder / found[3]).resolve()
        name = target.relative_to(ROOT).as_posix() if target.is_relative_to(ROOT) else ""
        if name in ELSEWHERE or name.startswith("docs/"):
            to = ELSEWHERE.get(name, name.removeprefix("docs/"))
            return f"{found[1]}{'../' * len(here.parts)}{to}{found[4]}"
        return found[2]

    return _LINK.sub(link, text)
