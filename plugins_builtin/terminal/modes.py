"""The modes that one key goes through: those of approval, and plan."""

from collections.abc import Collection

from agentic import AgenticError, Conversation

MODES = ("ask", "edits", "plan", "all")  # "all" where a sandbox holds
PLAN = "/plan"


class Modes:
    """`plans`: each message is a task that a plan is made of first, which the user approves."""

    def __init__(self) -> None:
        self.plans = False

    def name(self, conversation: Conversation) -> str:
        return "plan" if self.plans else conversation.mode

    async def next(self, conversation: Conversation, commands: Collection[str]) -> None:
        """Goes to the next one that there is here."""
        now = self.name(conversation)
        place = MODES.index(now) if now in MODES else -1
        for mode in (*MODES[place + 1 :], *MODES[: place + 1]):
            if mode == "plan" and PLAN not in commands:
                continue
            try:
                await conversation.approve("ask" if mode == "plan" else mode)
            except AgenticError:  # no sandbox holds commands here
                continue
            self.plans = mode == "plan"
            return

    def command(self, text: str) -> str:
        """The command that a message is in this mode."""
        return f"{PLAN} {text}" if self.plans and not text.startswith(("/", "!", "#")) else text
