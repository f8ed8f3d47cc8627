"""The plugins' sections of the system message: asked once per session, cut to their size, and frozen."""

from agentic.core.runtime import Runtime
from agentic.errors import AgenticError
from agentic.hooks.prompt import PromptSection
from agentic.lib.guard import FAULTS
from agentic.lib.isolation import call_limited, describe
from agentic.sessions import Session

BYTES_A_TOKEN = 3


def frozen_sections(runtime: Runtime, session: Session) -> str:
    """All sections as they were when the session began, in the order of their names."""
    room = runtime.llm.budget.instructions
    texts = []
    for name, offer in sorted(runtime.host.offers("agentic_prompt_sections").items()):
        known = f"frozen:section:{name}"
        if not session.has_metadata(known):
            session.set_metadata(known, _text(runtime, offer.plugin, offer.record, room))
        text = session.metadata(known)
        room -= len(text.encode()) // BYTES_A_TOKEN
        texts.append(text)
    return "\n\n".join(filter(None, texts))


def covered_files(runtime: Runtime) -> frozenset[str]:
    """Names of files that stand in the system message already."""
    return frozenset(name for offer in runtime.host.offers("agentic_prompt_sections").values() for name in offer.record.covers)


def _text(runtime: Runtime, plugin: str, section: PromptSection, room: int) -> str:
    """A section's text in its size for this tier, or in the `room` tokens that are left; what is cut is told by name."""
    owner, limit = runtime.host.owner(plugin), min(section.tokens.get(runtime.llm.budget.tier, 0), room) * BYTES_A_TOKEN
    if limit <= 0:
        return ""
    try:
        text = call_limited(lambda: section.text(runtime.setup(plugin)))
        if not isinstance(text, str):
            raise TypeError(f"gave {text!r:.80}, which is no text")
    except (AgenticError, *FAULTS) as error:
        what = f"the prompt section {section.name!r} is left out: {describe(error)}"
        runtime.events.warn(f"{owner}: {what}; switch it off: -c plugins.disabled={plugin}")
        return ""
    data = text.strip().encode()
    if len(data) <= limit:
        return text.strip()
    runtime.events.warn(
        f"{owner}: the prompt section {section.name!r} is cut to {limit} of {len(data)} bytes: this window has no room for more"
    )
    return data[:limit].decode("utf-8", "ignore").rpartition("\n")[0] + "\n(cut)"
