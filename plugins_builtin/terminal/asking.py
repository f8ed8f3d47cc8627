"""Questions in the region: all of what is wanted above it, the answers as a menu. No clock answers for the user."""

from collections.abc import Callable, Iterator, Sequence

from agentic import AgenticError, Answered, Question
from agentic.lib.questions import Reply
from agentic.lib.sanitize import sanitize
from agentic.lib.terminal.asking import edit_texts, visible
from plugins_builtin.terminal import blocks
from plugins_builtin.terminal.menus import Menu, Option
from plugins_builtin.terminal.palette import pick
from plugins_builtin.terminal.region import Region

MAX_SHOWN = 3  # times as many rows as the screen has are shown at once
LABEL = 100  # characters of what is asked, in the menu's head
WHERE: Sequence[tuple[Reply, str, str]] = (
    ("session", "s", "in this session"),
    ("project", "p", "in this project"),
    ("user", "u", "everywhere"),
)


class RegionAsker:
    """Asks in the region. `show(rows)` has rows stay above it; `check_rule` raises AgenticError for what is no rule."""

    def __init__(self, region: Region, show: Callable[[Sequence[str]], None], check_rule: Callable[[str], None]) -> None:
        self._region = region
        self._show = show
        self._check_rule = check_rule

    async def __call__(self, question: Question) -> Answered:
        if question.choices is not None:
            return await self._choice(question)
        rows = list(self._rows(question))
        limit = max(10, MAX_SHOWN * self._region.size[1])
        shown = rows if len(rows) <= limit else [*rows[:limit], f"… {len(rows) - limit} more lines: v shows them"]
        self._show(shown)
        left: Sequence[str] = rows[limit:]
        await self._region.quiet()
        while True:
            answer, left = await self._answer(question, left)
            if answer is not None:
                return answer

    def _rows(self, question: Question) -> Iterator[str]:
        """All of what is wanted, byte for byte, with what cannot be seen spelled out, and what to look at."""
        palette = self._region.palette
        changed = f" {blocks.changed_lines(question.body, palette)}" if question.is_diff else ""
        yield self._head_row(question) + changed
        if question.is_diff:
            is_one = "\n--- " not in question.body  # whose name the head has
            yield from blocks.difference_rows(question.body, palette, visible)[is_one:]
        elif question.body:
            yield from (visible(line) for line in question.body.removesuffix("\n").split("\n"))
        for warning in question.warnings:
            yield palette.paint("warning", f"! {visible(warning)}")
        if question.plugin:
            yield f"plugin {visible(question.plugin)} wants you to decide: {visible(question.reason) or 'it gives no reason'}"

    def _head_row(self, question: Question) -> str:
        return self._region.palette.paint("bold", f"? {_head(question)}")

    def _options(self, question: Question, left: Sequence[str]) -> list[Option]:
        options = [Option("y", "Yes" if question.own else "Allow once")]
        if question.proposals:
            options.append(Option("a", "Always …", "; ".join(question.proposals)))
        if question.editable:
            options.append(Option("e", "Edit it first", "in $EDITOR"))
        options += [Option("n", "No")] if question.own else [Option("", "No"), Option("n", "No, and tell it why …")]
        if left:
            options.append(Option("v", f"Show all of it ({len(left)} more lines)"))
        return options + [Option(str(n), f"First: {visible(other)[:LABEL]}") for n, other in enumerate(question.waiting()[:9], 1)]

    async def _answer(self, question: Question, left: Sequence[str]) -> tuple[Answered | None, Sequence[str]]:
        """(the answer, None where the question stands as before; the rows that are not shown yet)."""
        options = self._options(question, left)
        place = next(n for n, option in enumerate(options) if option.label == "No")

        head = [self._head_row(question)]
        menu = Menu(lambda: head, lambda: self._options(question, left), place=place)
        key = await self._region.choose(menu)
        match key:
            case "y":
                return Answered("once"), left
            case "a":
                return await self._always(question), left
            case "e":
                async with self._region.lent():
                    edited = await edit_texts(question.editable)
                return (Answered("no", edited=edited) if edited != question.editable else None), left
            case "n" if not question.own:
                return Answered("no", await self._region.line("why?") or ""), left
            case "v":
                self._show(left)
                return None, ()
        return (Answered(first=int(key)) if key.isdigit() else Answered("no")), left

    async def _always(self, question: Question) -> Answered | None:
        """The rules as the user leaves them, and where they hold."""
        rules = []
        for proposal in question.proposals:
            rule = await self._rule(proposal)
            if not rule:
                return None
            rules.append(rule)
        head = [self._region.palette.paint("bold", f"always: {sanitize('; '.join(rules))}")]
        options = [Option(key, where) for _, key, where in WHERE]
        key = await self._region.choose(Menu(lambda: head, lambda: options))
        reply = next((reply for reply, known, _ in WHERE if known == key), None)
        return Answered(reply, rules=tuple(rules)) if reply is not None else None

    async def _rule(self, proposal: str) -> str:
        """A rule that can be read; "" where the user wants none."""
        text: str | None = proposal
        while text := await self._region.line("always:", text or ""):
            try:
                self._check_rule(text)
                return text
            except AgenticError as error:
                self._show([self._region.palette.paint("warning", error.with_remedy)])
        return ""

    async def _choice(self, question: Question) -> Answered:
        """Asks for one of the choices, or any other text."""
        choices = question.choices or ()
        head = [self._head_row(question)]
        await self._region.quiet()
        if not choices:
            self._show(head)
            return _answer_of(await self._region.line("your answer:"))
        if question.own:
            return _answer_of(await pick(self._region, f"? {_head(question)}", [(choice, "") for choice in choices]))
        self._show([*head, *(f"{number}  {visible(choice)}" for number, choice in enumerate(choices, 1))])
        options = [*(Option(str(n), visible(choice)) for n, choice in enumerate(choices[:9], 1)), Option("o", "Other words …")]
        key = await self._region.choose(Menu(lambda: head, lambda: options))
        if key == "o":
            return _answer_of(await self._region.line("your answer:"))
        return _answer_of(choices[int(key) - 1] if key else "")


def _answer_of(text: str | None) -> Answered:
    """The answer in the user's words; "no" for none."""
    return Answered("once", text) if text else Answered("no")


def _head(question: Question) -> str:
    who = "" if question.agent == "main" else f"{question.agent.removeprefix('sub-')}: "
    what = visible(question.what.partition("\n")[0] if question.body else question.what)
    return who + (what if len(what) <= LABEL or not question.body else f"{what[:LABEL]}…")
