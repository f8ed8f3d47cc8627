"""Messages that wait, in order: for the agent's next step, or for the next turn."""

import asyncio
from collections.abc import Sequence

from agentic.lib.record import record

MAX_SHOWN = 400  # characters of one


@record(frozen=True, slots=True)
class Said:
    """A message, or an action of a key's in its turn."""

    text: str = ""
    action: str = ""


class Queue:
    """The queue of one chat."""

    def __init__(self) -> None:
        self._for_agent: list[str] = []
        self._after: list[Said] = []
        self._came = asyncio.Event()

    def put(self, text: str, for_agent: bool = False) -> None:
        """`for_agent`: at its next step; what is left of these at the turn's end is a turn of its own."""
        if for_agent:
            self._for_agent.append(text)
        else:
            self._after.append(Said(text))
        self._came.set()

    def put_action(self, action: str) -> None:
        self._after.append(Said(action=action))
        self._came.set()

    async def next(self) -> Said:
        """The next message, or action; waits for one."""
        while not (self._for_agent or self._after):
            self._came.clear()
            await self._came.wait()
        if text := self.take_for_agent():
            return Said(text)
        return self._after.pop(0)

    def take_for_agent(self) -> str:
        """Takes what is for the agent now, as one message."""
        taken, self._for_agent = "\n".join(self._for_agent), []
        return taken

    def take_back(self) -> str:
        """Takes the message that was sent last and waits; "" for none."""
        for number in range(len(self._after) - 1, -1, -1):
            if self._after[number].text:
                return self._after.pop(number).text
        return self._for_agent.pop() if self._for_agent else ""

    def take_all(self) -> list[str]:
        """Takes all messages that wait; actions stay."""
        taken = [*self._for_agent, *(said.text for said in self._after if said.text)]
        self._for_agent, self._after = [], [said for said in self._after if said.action]
        return taken

    def rows(self, works: bool) -> Sequence[str]:
        """The messages as the region lists them; `works`: a turn is going on."""
        after = "after this turn" if works else "queued"
        waiting = [("queued", text) for text in self._for_agent] + [(after, said.text) for said in self._after if said.text]
        return [f"{when}: {text}"[:MAX_SHOWN] for when, text in waiting]
