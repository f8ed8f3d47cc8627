"""The message in the making, from its first key to the queue."""

from collections.abc import Callable

from agentic import AgenticError
from agentic.lib.terminal.keys import Keys, Paste
from plugins_builtin.terminal.clipboard import pasted_picture
from plugins_builtin.terminal.draft import Folds
from plugins_builtin.terminal.queue import Queue
from plugins_builtin.terminal.region import Region


class MessageLine:
    """The input of one chat. `works()`: a turn is going on; `is_command(text)`: it is not for the agent; `tell` shows a remark."""

    def __init__(self, works: Callable[[], bool], is_command: Callable[[str], bool], tell: Callable[[str], None]) -> None:
        self._works = works
        self._is_command = is_command
        self._tell = tell
        self.queue = Queue()
        self.folds = Folds()
        self.region: Region

    @property
    def draft(self) -> str:
        """The text that is not sent yet, its pastes whole."""
        return self.folds.unfolded(self.region.draft)

    def type(self, typed: bytes) -> None:
        """Keys that came before the region was there."""
        for key in Keys().feed(typed):
            if key in "\r\n" and not isinstance(key, Paste):
                self.send(False)
            elif isinstance(key, Paste) or key.isprintable():
                self.region.draft += key

    def take_over(self, before: "MessageLine") -> None:
        """Takes what was typed there and not handled."""
        for text in before.queue.take_all():
            self.queue.put(text)
        self.region.draft = before.draft

    def send(self, after: bool) -> None:
        """Enter: the draft is a message; while a turn goes on it waits for its next step, or for its end."""
        text = self.draft.strip()
        if text:
            self.region.buffer.reset(append_to_history=True)
            self.queue.put(text, for_agent=self._works() and not after and not self._is_command(text))
            self.region.refresh()

    def take_back(self) -> bool:
        """Arrow-Up: the last message that waits comes back into the empty line."""
        text = self.queue.take_back() if not self.region.draft and self._works() else ""
        if text:
            self.region.draft = text
        return bool(text)

    def take_all_back(self) -> None:
        """The turn was stopped: all that waits is to be edited again."""
        if waiting := self.queue.take_all():
            self.region.draft = "\n".join(filter(None, [*waiting, self.region.draft]))

    def empty(self) -> bool:
        """Ctrl-C: takes the draft away, which Arrow-Up brings back. False where there was none."""
        draft = self.draft
        if draft:
            self.region.buffer.history.append_string(draft)
            self.region.buffer.reset()
        return bool(draft)

    def paste(self, text: str) -> None:
        self.folds.paste(self.region.buffer, text)

    def paste_picture(self) -> None:
        try:
            self.folds.add_picture(self.region.buffer, pasted_picture())
        except AgenticError as error:
            self._tell(error.with_remedy)

    def open_editor(self) -> None:
        self.region.buffer.text = self.folds.unfolded(self.region.buffer.text)
        self.region.buffer.open_in_editor()
