"""A section of settings as a typed, frozen object: a class attribute per key, declared with `setting`.

    class Options(Section):
        word: str = setting("polly", "what it says", scope="select")

The host's own sections and a plugin's are the same kind of class.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NoReturn, TypeVar

from agentic.errors import ConfigError
from agentic.lib.record import record

Scope = Literal["user", "select", "lower", "higher", "more", "fewer", "tighten"]
"""Who may set a key. user: the user alone. select: a project too. The others: a project too, where that is stricter: a lower
number (0 stands for "no limit of mine" where it is the default) or false, a higher one or true, a list with more or with fewer
entries. tighten: the old word for one of these; it does not say which, and lets a project set nothing."""
T = TypeVar("T")


@record(frozen=True, slots=True)
class Key:
    """A setting. `kind` is the type of its values; a default of None stands for "not set".

    Of a list that `narrows`, a project may only choose from what the user has named, if anything. A list of `tables` holds
    sections of that class."""

    default: Any
    help: str
    scope: Scope
    kind: type
    choices: tuple[str, ...] = ()
    minimum: float = 0
    secret: bool = False
    narrows: bool = False
    tables: "type[Section] | None" = None

    def check(self, value: Any, name: str, origin: str) -> Any:
        """`value` in the key's type. Raises ConfigError saying what was expected."""
        if value is None and self.default is None:
            return None
        if self.kind is float and type(value) is int:
            value = float(value)
        if self.kind is tuple and isinstance(value, list):
            value = tuple(value)
        elif self.kind is tuple and isinstance(value, str) and self.tables is None:
            value = list_of(value)
        right = self.kind is object or type(value) is self.kind
        if right and self.tables is not None:
            return tuple(self.tables.read(item, f"{name}, number {number}", origin) for number, item in enumerate(value, 1))
        if right and self.kind is tuple:
            right = all(isinstance(item, str) for item in value)
        elif right and self.kind in (int, float):
            right = self.minimum <= value < float("inf")
        if not right or (self.choices and value not in self.choices):
            raise ConfigError(f"{origin}: {name} must be {self._expected()}, not {value!r}", self._remedy(name))
        return value

    def parse(self, text: str, name: str, origin: str) -> Any:
        """A value from text; of lists see `list_of`. Raises ConfigError."""
        value: Any = text
        if not text and self.default is None:
            value = None
        elif self.tables is not None:
            value = toml_value(text)
        elif self.kind is tuple:
            value = list_of(text)
        elif self.kind is bool:
            value = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text.lower(), text)
        elif self.kind in (dict, object):
            value = toml_value(text)
        elif self.kind in (int, float):
            try:
                value = self.kind(text)
            except ValueError:
                pass
        return self.check(value, name, origin)

    def may_be_set_by_project(self, value: Any, current: Any) -> bool:
        """True if an untrusted project may set it to `value` over `current`."""
        if self.scope in ("more", "fewer"):
            return isinstance(value, tuple | list) and (self.scope == "more" or set(value) <= set(current or ()))
        if self.scope not in ("lower", "higher") or not isinstance(value, int | float) or not isinstance(current, int | float):
            return self.scope == "select"
        if self.scope == "higher":
            return value >= current
        if self.default == 0 and self.kind is not bool:  # 0 stands for "no limit of mine"
            return bool(value) and (current == 0 or value <= current)
        return value <= current

    def _remedy(self, name: str) -> str:
        words = [choice for choice in self.choices if choice]
        if not words:
            return f"`agentic config show` has the value in use; {name} means: {self.help}"
        or_none = f", or leave {name} out ({self.help})" if "" in self.choices else f"; {name} means: {self.help}"
        return f"set it to {', '.join(words[:-1])} or {words[-1]}{or_none}" if len(words) > 1 else f"set it to {words[0]}{or_none}"

    def _expected(self) -> str:
        if self.choices:
            return "one of " + ", ".join(choice or '""' for choice in self.choices)
        if self.kind in (int, float):
            return f"{'a whole number' if self.kind is int else 'a number'} of at least {self.minimum:g}"
        lists = "a list of tables" if self.tables is not None else "a list of texts"
        return {bool: "true or false", tuple: lists, dict: "a table"}.get(self.kind, "a text")


def setting(
    default: T,
    help: str,
    scope: Scope = "user",
    choices: tuple[str, ...] = (),
    minimum: float = 0,
    secret: bool = False,
    kind: type | None = None,
    narrows: bool = False,
    tables: "type[Section] | None" = None,
) -> T:
    """Declares a key of a `Section`. `kind` is its type where the default is None."""
    key: Any = Key(default, help, scope, kind or type(default), choices, minimum, secret, narrows, tables)
    return key  # type: ignore[no-any-return]  # on an instance, the attribute is the value


class Section:
    """The values of a section; `known` holds their declarations by name."""

    known: ClassVar[Mapping[str, Key]] = {}

    def __init_subclass__(cls) -> None:
        cls.known = {**cls.known, **{name: key for name, key in vars(cls).items() if isinstance(key, Key)}}

    def __init__(self, **values: Any) -> None:
        self.__dict__.update({name: key.default for name, key in self.known.items()} | values)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"settings are frozen: {name}")

    @classmethod
    def read(cls, value: Any, name: str, origin: str) -> Any:
        """A section from a table in a list. Raises ConfigError."""
        if isinstance(value, cls):
            return value
        known = f"the keys are {', '.join(cls.known)}"
        if not isinstance(value, dict):
            raise ConfigError(f"{origin}: {name} must be a table, not {value!r}", known)
        if unknown := sorted(set(value) - set(cls.known)):
            raise ConfigError(f"{origin}: {name}: unknown key {unknown[0]!r}", known)
        return cls(**{field: cls.known[field].check(each, f"{name}: {field}", origin) for field, each in value.items()})

    def table(self) -> dict[str, Any]:
        """Returns the values that differ from the defaults."""
        return {name: value for name, key in self.known.items() if (value := getattr(self, name)) != key.default}


def list_of(text: str) -> Any:
    """A list as a file has it, `["a", "b"]`, or as it is quicker typed, `a, b`; itself where it is neither."""
    if text.strip().startswith("[") and text.strip().endswith("]"):
        value = toml_value(text.strip())
        if isinstance(value, list):
            return tuple(value)
        if '"' in text or "'" in text:
            return text
    return tuple(item.strip() for item in text.split(",") if item.strip())


def toml_value(text: str) -> Any:
    """Reads the text as a TOML value; returns the text itself where it is none."""
    import tomllib

    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def plain(value: Any) -> Any:
    """A setting's value as TOML and JSON have it: tables for sections, lists for tuples."""
    if isinstance(value, Section):
        return value.table()
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, tuple | list) else value
