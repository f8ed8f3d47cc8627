"""Questions to the user, on the terminal, whatever the renderer: every byte of what is wanted, and one answer."""

import asyncio
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from agentic.errors import AgenticError
from agentic.lib.diff import painted
from agentic.lib.palette import PLAIN, Palette, without_codes
from agentic.lib.questions import Answered, Question, Reply
from agentic.lib.record import record
from agentic.lib.sanitize import sanitize
from agentic.lib.terminal import keyboard

MAX_BLANKS = 16  # in a row; more are told as a number
_SCOPES: Mapping[str, Reply] = {"s": "session", "p": "project", "u": "user"}


@record(frozen=True, slots=True)
class Asker:
    """Asks on stderr. What was typed before a question could be read is given to `typed`: it was meant for something else.

    `check_rule` raises AgenticError for what is no rule.
    """

    palette: Palette
    check_rule: Callable[[str], None] = lambda text: None
    typed: Callable[[bytes], None] = lambda data: None

    async def __call__(self, question: Question) -> Answered:
        try:
            return await self._ask(question)
        except asyncio.CancelledError:
            _print("")  # what comes then has a line of its own
            raise

    async def _ask(self, question: Question) -> Answered:
        lines = [piece for line in question_lines(question, self.palette) for piece in _folded(line, _size().columns)]
        with keyboard.single_keys():
            await keyboard.quiet(self.typed)
            if not await self._show(lines):
                return Answered("no")
            while True:
                answer = await (self._answer(question) if question.choices is None else self._word(question))
                if answer is not None:
                    return answer

    async def _show(self, lines: list[str]) -> bool:
        """All of it, a page at a time; False where the user has seen enough to say no."""
        room = max(4, _size().lines - 4)
        start = 0
        while start < len(lines):
            _print("\n".join(lines[start : start + room]))
            start += room
            if start < len(lines):
                _prompt(f"  ({len(lines) - start} more lines: Enter shows them, v all at once, n refuses) ")
                key = await keyboard.key("\nvn\x1b\x04")
                _print("")
                if key[0] in "n\x1b\x04":
                    return False
                room = len(lines) if key[0] == "v" else room
        return True

    async def _answer(self, question: Question) -> Answered | None:
        """The answer; None where the question stands as before."""
        what = {"y": "yes", "N": "no" if question.own else "no, with a word if you like"}
        what |= {"a": "always"} if question.proposals else {}
        what |= {"e": "edit it first"} if question.editable else {}
        waiting = question.waiting()
        for number, other in enumerate(waiting[:9], 1):
            _print(self.palette.paint("dim", f"  {number}: {visible(other)[:100]}"))
        words = [*(f"{key} {word}" for key, word in what.items()), *(["1 … another one first"] if waiting else [])]
        _prompt(f"  {self.palette.paint('dim', ' · '.join(words))}\n  allow? [{'/'.join([*what, *(['1'] if waiting else [])])}] ")
        numbers = "123456789"[: len(waiting)]
        key = await keyboard.key("".join(what).lower() + numbers + "\n\x1b\x04", lambda: question.waiting() != waiting)
        if not key:
            _print("")
            return None
        _print(key[0] if key[0].isprintable() else "no")
        match key[0]:
            case "y":
                return Answered("once")
            case "a":
                return await self._always(question)
            case "e":
                edited = await edit_texts(question.editable)
                return Answered("no", edited=edited) if edited != question.editable else None
            case "n" if len(key) == 1 and not question.own:
                return Answered("no", await keyboard.line("  why? (for the model; Enter: no word) ") or "")
        return Answered(first=int(key)) if key[0] in numbers else Answered("no")

    async def _word(self, question: Question) -> Answered:
        """Returns the user's answer: one of the choices by its number, or anything else."""
        choices = question.choices or ()
        for number, choice in enumerate(choices, 1):
            _print(f"  {self.palette.paint('bold', str(number))} {visible(choice)}")
        said = await keyboard.line("  your answer" + (" (a number, or words)" if choices else "") + ": ")
        if said and said.isdigit() and 0 < int(said) <= len(choices):
            said = choices[int(said) - 1]
        return Answered("once", said) if said else Answered("no")

    async def _always(self, question: Question) -> Answered | None:
        """The rules as the user leaves them, and where they hold."""
        rules = []
        for proposal in question.proposals:
            rule = await _rule(proposal, self.check_rule)
            if rule is None:
                return None
            rules.append(rule)
        _prompt("  where? [s] in this session, [p] in this project, [u] everywhere; Esc: not at all ")
        key = (await keyboard.key("spu\x1b\x04"))[0]
        _print(key if key in _SCOPES else "")
        return Answered(_SCOPES[key], rules=tuple(rules)) if key in _SCOPES else None


def agreed(question: str, body: str = "", palette: Palette = PLAIN) -> bool:
    """True if the user says yes, asked as every question is: all of it, and no key counts that came before it could be read."""
    answer = asyncio.run(Asker(palette)(Question(question, body=body, own=True)))
    return answer.reply != "no"


def picked(head: str, choices: Sequence[str]) -> int | None:
    """Which of them the user takes, the first for Enter alone; None for none."""
    return asyncio.run(_picked(head, choices))


async def _picked(head: str, choices: Sequence[str]) -> int | None:
    with keyboard.single_keys():
        await keyboard.quiet(lambda data: None)
        _print("\n".join([f"{head}:", *(f"  {number}  {visible(choice)}" for number, choice in enumerate(choices, 1))]))
        while True:
            said = await keyboard.line(f"Which one? (1 to {len(choices)}, 0: none) [1]: ")
            if said is None or said == "0":
                return None
            if not said or (said.isdecimal() and int(said) <= len(choices)):
                return int(said or 1) - 1


async def _rule(proposal: str, check_rule: Callable[[str], None]) -> str | None:
    """A rule that can be read, None where the user wants none."""
    text: str | None = proposal
    while text := await keyboard.line("  always (edit, then Enter): ", text or ""):
        try:
            check_rule(text)
            return text
        except AgenticError as error:
            _print(f"  {error.with_remedy}")
    return None


async def edit_texts(texts: Mapping[str, str]) -> dict[str, str]:
    """The texts as they are after the user's editor, all in one; unchanged where it fails."""
    import shlex

    with TemporaryDirectory(prefix="agentic-") as folder:
        paths = {name: Path(folder, f"{number}-{Path(name).name}") for number, name in enumerate(texts, 1)}
        for name, path in paths.items():
            path.write_text(texts[name], "utf-8", "surrogateescape", newline="")
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        try:
            with keyboard.whole_lines():
                process = await asyncio.create_subprocess_exec(*shlex.split(editor), *map(str, paths.values()), stdout=sys.stderr)
                code = await process.wait()
        except (OSError, ValueError) as error:
            _print(f"  {editor} could not be started: {error} ($EDITOR names another)")
            return dict(texts)
        if code:
            _print(f"  {editor} ended with exit code {code}: nothing is changed")
            return dict(texts)
        return {name: path.read_bytes().decode("utf-8", "surrogateescape") for name, path in paths.items()}


def question_lines(question: Question, palette: Palette = PLAIN) -> Iterator[str]:
    """The question's lines: each of the body behind a bar, with what cannot be seen spelled out."""
    who = "" if question.agent == "main" else f"{question.agent.removeprefix('sub-')}: "
    what = visible(question.what if not question.body else question.what.partition("\n")[0])
    head = f"? {who}{what}" if len(what) <= 100 or not question.body else f"? {who}{what[:100]}…"
    yield palette.paint("bold", head)
    if question.is_diff:
        yield from painted(question.body, palette, visible)
    elif question.body:
        yield from (f"  │ {visible(line)}" for line in question.body.removesuffix("\n").split("\n"))
    for warning in question.warnings:
        yield palette.paint("warning", f"  ! {visible(warning)}")
    if question.plugin:
        yield f"  plugin {visible(question.plugin)} wants you to decide: {visible(question.reason) or 'it gives no reason'}"


def visible(line: str) -> str:
    """Control and invisible characters written out; blanks that would push the rest away counted."""
    text = line.replace("\r", "\\u{d}").replace("\t", "\\t") if re.search(r"\r|\t.*\S.*\t|\t{4}|\S\t", line) else line
    text = re.sub(rf" {{{MAX_BLANKS + 1},}}(?=\S|$)", lambda match: f" ⟨{len(match[0])} blanks⟩ ", text)
    return sanitize(text)


def _folded(line: str, columns: int) -> Iterator[str]:
    """Cut to the screen's width, so that a page is one; a line that has to be cut keeps no colour."""
    from rich.cells import cell_len, set_cell_size

    plain = without_codes(line)
    if cell_len(plain) <= columns:
        yield line
        return
    bar = plain[:4] if plain.startswith(("  │ ", "  | ")) else ""
    while cell_len(plain) > columns:
        piece = set_cell_size(plain, columns).rstrip() if cell_len(plain[:columns]) > columns else plain[:columns]
        piece = plain[: max(len(bar) + 1, min(len(piece), columns))]
        yield piece
        plain = bar + plain[len(piece) :]
    yield plain


def _size() -> os.terminal_size:
    """The terminal's own: COLUMNS of the environment may be that of before it was resized."""
    try:
        columns, lines = os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):
        columns = lines = 0
    return os.terminal_size((columns or 80, lines or 24))  # a serial line says 0


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _prompt(text: str) -> None:
    print(text, end="", file=sys.stderr, flush=True)
