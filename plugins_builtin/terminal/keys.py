"""The chat's keys: each action by its name, with the keys that it has unless the user gives it others (`[ui.keys]`)."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prompt_toolkit.completion import CompleteEvent, get_common_complete_suffix
from prompt_toolkit.filters import Always, Condition, Filter, FilterOrBool, to_filter
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys as KeyNames

from agentic import ConfigError
from agentic.lib.record import record
from agentic.lib.terminal.keys import pasted

if TYPE_CHECKING:
    from prompt_toolkit.buffer import Buffer

    from plugins_builtin.terminal.region import Region

ACTIONS: Mapping[str, tuple[str, str]] = {
    "send": ("enter", "sends; while the agent works, with its next step"),
    "send_later": ("escape enter", "while the agent works: after the turn; else a new line"),
    "complete": ("tab", "completes a command, its argument, or a file's name"),
    "mode": ("s-tab", "goes through the approval modes"),
    "stop": ("escape", "stops the turn"),
    "edit_last": ("escape escape", "takes the last turn back, and its message into the line"),
    "leave_or_stop": ("c-c", "stops the turn; empties the line; twice at the empty line: leaves"),
    "leave": ("c-d", "leaves, in an empty line"),
    "palette": ("c-p", "lists every command"),
    "editor": ("c-g", "opens the message in $EDITOR"),
    "unfold": ("c-o", "shows the whole of what was folded last"),
    "paste_picture": ("c-v", "pastes the clipboard's picture"),
    "take_back": ("up", "takes the last waiting message back, else an earlier one"),
    "suspend": ("c-z", "goes to the background"),
    "detach": ("c-\\", "leaves the session running, whatever goes on: agentic attach comes back"),
}


@record(frozen=True, slots=True)
class Actions:
    """The actions that are not the line's own. `works()`: a turn is going on."""

    works: Callable[[], bool]
    send: Callable[[bool], None]  # True: after the turn
    stop: Callable[[], None]
    interrupt: Callable[[], None]
    leave: Callable[[], None]
    edit_last: Callable[[], None]
    mode: Callable[[], None]
    palette: Callable[[], None]
    unfold: Callable[[], None]
    paste: Callable[[str], None]
    paste_picture: Callable[[], None]
    editor: Callable[[], None]
    take_back: Callable[[], bool]
    keys_list: Callable[[], None]
    detach: Callable[[], None]


class ChatKeys:
    """The bindings. `wanted` are the user's own, by action. Raises ConfigError for what is no action, or no key."""

    def __init__(self, actions: Actions, wanted: Mapping[str, str] = {}) -> None:
        self._actions = actions
        if unknown := [name for name in wanted if name not in ACTIONS]:
            raise ConfigError(f"ui.keys: there is no action {unknown[0]!r}", f"the actions: {', '.join(ACTIONS)}")
        self.by_action = {name: wanted.get(name, key) for name, (key, _) in ACTIONS.items()}
        doubled = [key for key in self.by_action.values() if list(self.by_action.values()).count(key) > 1]
        if doubled:
            both = " and ".join(name for name, key in self.by_action.items() if key == doubled[0])
            raise ConfigError(f"ui.keys: {doubled[0]!r} stands for {both}", "give one of them another key")

    def bindings(self, region: "Region") -> KeyBindings:
        """Raises ConfigError for what is no key."""
        keys = KeyBindings()
        menu = Condition(lambda: region.menu is not None and not region.menu.result.done())
        reading = Condition(lambda: region.reading is not None)
        works = Condition(self._actions.works)
        line = ~menu & ~reading
        empty = Condition(lambda: not region.buffer.text)
        self._add_menu(keys, region, menu)
        self._add_reading(keys, region, reading & ~menu)
        self._add_line(keys, region, line, empty, works)
        return keys

    def _bind(
        self, keys: KeyBindings, action: str, where: FilterOrBool, does: Callable[[KeyPressEvent], None], eager: bool = False
    ) -> None:
        try:
            keys.add(*self.by_action[action].split(), filter=where, eager=eager)(does)
        except ValueError as error:
            raise ConfigError(f"ui.keys.{action}: {error}", "names of keys are c-p, escape enter, f2, s-tab, …") from error

    def _add_menu(self, keys: KeyBindings, region: "Region", menu: Condition) -> None:
        def on(*names: Any) -> Callable[[Callable[[KeyPressEvent], None]], Any]:
            return keys.add(*names, filter=menu, eager=True)

        @on("up")
        @on("s-tab")
        def _(event: KeyPressEvent) -> None:
            assert region.menu is not None
            region.menu.move(-1)

        @on("down")
        @on("tab")
        def _(event: KeyPressEvent) -> None:
            assert region.menu is not None
            region.menu.move(1)

        @on("enter")
        def _(event: KeyPressEvent) -> None:
            assert region.menu is not None
            region.menu.take()

        @on("escape")
        @on("c-d")
        def _(event: KeyPressEvent) -> None:
            assert region.menu is not None
            region.menu.end("")

        @on("c-c")
        def _(event: KeyPressEvent) -> None:
            assert region.menu is not None
            region.menu.end("")
            self._actions.stop()

        @on("backspace")
        def _(event: KeyPressEvent) -> None:
            assert region.menu is not None
            region.menu.erase()

        @on(KeyNames.Any)
        def _(event: KeyPressEvent) -> None:
            assert region.menu is not None
            if event.data.isprintable():
                region.menu.press(event.data)

        @on(KeyNames.BracketedPaste)
        def _(event: KeyPressEvent) -> None:
            """A paste answers nothing."""

    def _add_reading(self, keys: KeyBindings, region: "Region", reading: Filter) -> None:
        def end(text: str | None) -> None:
            if region.reading is not None and not region.reading.result.done():
                region.reading.result.set_result(text)

        @keys.add("enter", filter=reading)
        def _(event: KeyPressEvent) -> None:
            end(region.buffer.text.strip())

        @keys.add("escape", filter=reading, eager=True)
        @keys.add("c-d", filter=reading)
        def _(event: KeyPressEvent) -> None:
            end(None)

        @keys.add("c-c", filter=reading)
        def _(event: KeyPressEvent) -> None:
            end(None)
            self._actions.stop()

    def _add_line(self, keys: KeyBindings, region: "Region", line: Filter, empty: Condition, works: Condition) -> None:
        actions, idle = self._actions, ~works

        def bind(action: str, where: Any, does: Callable[[], Any]) -> None:
            self._bind(keys, action, line & to_filter(where), lambda event: does())

        # An Enter that comes right behind an answer sends nothing.
        unasked = Condition(lambda: region.menu is None or region.menu.draft != region.buffer.text)
        self._bind(keys, "send", line, lambda event: self._send(event.current_buffer) if unasked() else None)
        bind("send_later", works, lambda: actions.send(True))
        self._bind(keys, "send_later", line & idle, lambda event: event.current_buffer.insert_text("\n"))
        self._bind(keys, "complete", line, lambda event: complete(event.current_buffer))
        bind("mode", True, actions.mode)
        bind("stop", works, actions.stop)
        bind("edit_last", empty & idle, actions.edit_last)
        bind("leave_or_stop", True, actions.interrupt)
        bind("leave", empty, actions.leave)
        bind("palette", True, actions.palette)
        bind("editor", True, actions.editor)
        bind("unfold", True, actions.unfold)
        bind("paste_picture", True, actions.paste_picture)
        self._bind(keys, "suspend", line, lambda event: event.app.suspend_to_background())
        self._bind(keys, "detach", Always(), lambda event: actions.detach(), eager=True)
        keys.add("c-x", "c-e", filter=line)(lambda event: actions.editor())
        keys.add(KeyNames.BracketedPaste, filter=line)(lambda event: actions.paste(pasted(event.data)))
        keys.add("?", filter=line & empty)(lambda event: actions.keys_list())

        def take_back(event: KeyPressEvent) -> None:
            if not actions.take_back():
                event.current_buffer.auto_up(count=event.arg)

        self._bind(keys, "take_back", line, take_back)

    def _send(self, buffer: "Buffer") -> None:
        state = buffer.complete_state
        if state is not None and state.current_completion is not None:
            is_command = buffer.text.startswith("/") and " " not in buffer.text.strip()
            buffer.complete_state = None  # what was chosen stays, and nothing but a command is sent yet
            if not is_command:
                return
        if buffer.document.text_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
            return
        self._actions.send(False)


def complete(buffer: "Buffer") -> None:
    """Goes through what is shown; else puts in what all completions have in common. At once: what is shown may be older."""
    if buffer.complete_state:
        buffer.complete_next()
        return
    found = list(buffer.completer.get_completions(buffer.document, CompleteEvent(completion_requested=True)))
    if len(found) == 1:
        buffer.apply_completion(found[0])
        return
    buffer.insert_text(get_common_complete_suffix(buffer.document, found))
    buffer.start_completion()


def key_rows(keys: ChatKeys) -> Sequence[str]:
    """The keys with what they do, a row each."""
    return [f"{keys.by_action[name]:<16}{about}" for name, (_, about) in ACTIONS.items()]
