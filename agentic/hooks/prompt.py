"""The texts for models: templates by name, and sections of the system message."""

from collections.abc import Callable, Iterable, Mapping

from agentic.hooks import Setup, hookspec
from agentic.hooks.agents import AgentKind
from agentic.lib.record import record

TIERS = ("nano", "small", "full")


@record(frozen=True, slots=True)
class PromptSection:
    """A piece of the system message. `text(setup)` is asked once per session, and its answer frozen: the prefix cache rests on it.

    `tokens` is the most that it may take in each tier ("nano", "small", "full"), 0 or nothing to stay out of it. A longer text is
    cut, and a warning names the section; nor do all sections together take more than an eighth of the prompt. Files whose names it
    `covers` are not shown again where a small folder's files are.
    """

    name: str
    summary: str
    text: Callable[[Setup], str]
    tokens: Mapping[str, int]
    covers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        sizes = self.tokens if isinstance(self.tokens, Mapping) else {"": self.tokens}
        if any(tier not in TIERS or not isinstance(size, int) or size < 0 for tier, size in sizes.items()):
            raise ValueError(f"the tokens of {self.name!r} are {self.tokens!r}, and have to be sizes for {', '.join(TIERS)}")


@record(frozen=True, slots=True)
class PromptTemplate:
    """A text that models read, by the name of its purpose. `$word` stands for what the host puts in.

    A plugin offers its own, or another text for one that is there: `replaces` is the plugin whose text it takes the place of. The
    user's own word, in `[prompts.texts]` or a file in the user's folder, comes before both.
    """

    name: str
    text: str
    replaces: str = ""


@hookspec
def agentic_prompts() -> Iterable[PromptTemplate | PromptSection | AgentKind]:
    """Offers texts that models read: templates, sections of the system message (in the order of their names), agent definitions."""
    raise NotImplementedError
