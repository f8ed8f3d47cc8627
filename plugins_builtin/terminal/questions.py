"""While a question to the user is on the screen, nothing pushes it away or takes its answer."""

from agentic.events import ApprovalAnswered, ApprovalAsked, Event, RunFinished


class Questions:
    """Holds what other agents do while one of them asks; the host asks one question at a time, first in, first out."""

    def __init__(self) -> None:
        self.open = False
        self._held: list[Event] = []

    def in_turn(self, event: Event) -> list[Event]:
        """The events to show now."""
        if isinstance(event, ApprovalAsked):
            self.open = True
            return [event]
        if self.open and not isinstance(event, ApprovalAnswered | RunFinished):
            self._held.append(event)
            return []
        held, self._held, self.open = self._held, [], False
        return [event, *held] if isinstance(event, ApprovalAnswered) else [*held, event]
