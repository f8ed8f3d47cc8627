"""Records: dataclasses in all but the code that `dataclasses` writes for each at import, which is a quarter of a start.

@record(frozen=True)
class Answer:
    message: Message
    finish_reason: str = "stop"

To type checkers `record` is `dataclasses.dataclass`; `replace`, `asdict`, `fields` and `match` take a record as one. Of its options
`frozen`, `eq` and `kw_only` hold; `slots` is for type checkers: a class made anew for it costs more than it saves. Making a record
takes 1 to 2 µs instead of 0.5; what is made for each token stays a dataclass.
"""

import dataclasses
from dataclasses import MISSING
from typing import TYPE_CHECKING, Any

__all__ = ["record"]

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:

    def record(cls=None, /, *, frozen=False, eq=True, kw_only=False, slots=False):
        """Makes a class with annotated fields a record."""

        def make(cls: type) -> type:
            cls.__doc__ = cls.__doc__ or ""  # else `dataclasses` derives one from the signature
            dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls)
            every = dataclasses.fields(cls)
            taken = [each for each in every if each.init]
            cls._names = frozenset(each.name for each in taken)
            cls._places = tuple(each.name for each in taken if not each.kw_only)
            cls._made = tuple((each.name, each.default_factory) for each in every if each.default_factory is not MISSING)
            cls._defaults = {each.name: each.default for each in every if each.default is not MISSING}
            have = cls._defaults.keys() | {name for name, _ in cls._made}
            cls._required = tuple(each.name for each in taken if each.name not in have)
            cls.__init__ = _initialise
            if "__repr__" not in vars(cls):
                cls.__repr__ = _represent
            if eq and "__eq__" not in vars(cls):
                cls.__eq__, cls.__hash__ = _equals, _hash if frozen else None
            if frozen:
                cls.__setattr__, cls.__delattr__ = _refuse, _refuse
            return cls

        return make if cls is None else make(cls)


def _initialise(self: Any, *values: Any, **named: Any) -> None:
    state, kind = self.__dict__, type(self)
    if values:
        if len(values) > len(kind._places):
            raise TypeError(f"{kind.__name__}() takes {len(kind._places)} values by place, not {len(values)}")
        state.update(zip(kind._places, values, strict=False))
        if twice := state.keys() & named.keys():
            raise TypeError(f"{kind.__name__}() got {sorted(twice)[0]!r} twice")
    if not kind._names >= named.keys():
        raise TypeError(f"{kind.__name__}() has no field {sorted(named.keys() - kind._names)[0]!r}")
    state.update(named)
    for name in kind._required:
        if name not in state:
            raise TypeError(f"{kind.__name__}() misses {name!r}")
    for name, value in kind._defaults.items():
        state.setdefault(name, value)
    for name, make in kind._made:
        if name not in state:
            state[name] = make()
    if hasattr(kind, "__post_init__"):
        self.__post_init__()


def _values(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, name) for name, each in self.__dataclass_fields__.items() if each.compare)


def _equals(self: Any, other: object) -> Any:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _represent(self: Any) -> str:
    shown = (f"{name}={getattr(self, name)!r}" for name, each in self.__dataclass_fields__.items() if each.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse(self: Any, name: str, value: object = None) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot change {name!r} of a {type(self).__name__}")
