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
from typing import TYPE_CHECKING, Any, NamedTuple

__all__ = ["record"]

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:

    def record(cls=None, /, *, frozen=False, eq=True, kw_only=False, slots=False):
        """Makes a class with annotated fields a record."""

        def make(cls: type) -> type:
            plan, given = _planned(cls, kw_only)
            taken = [name for name, each in plan.items() if each.init]
            cls._plan, cls._names = plan, frozenset(taken)
            cls._places = cls.__match_args__ = tuple(name for name in taken if not plan[name].kw_only)
            cls._made = tuple((name, each.default_factory) for name, each in plan.items() if each.default_factory is not MISSING)
            cls._defaults = {name: each.default for name, each in plan.items() if each.default is not MISSING}
            have = cls._defaults.keys() | dict(cls._made)
            cls._required = tuple(name for name in taken if name not in have)
            cls._compared = tuple(name for name, each in plan.items() if each.compare)
            cls._shown = tuple(name for name, each in plan.items() if each.repr)
            cls.__dataclass_fields__ = _Fields(given, kw_only)
            cls.__init__ = _initialise
            if "__repr__" not in vars(cls):
                cls.__repr__ = _represent
            if eq and "__eq__" not in vars(cls):
                cls.__eq__, cls.__hash__ = _equals, _hash if frozen else None
            if frozen:
                cls.__setattr__, cls.__delattr__ = _refuse, _refuse
            return cls

        return make if cls is None else make(cls)


class _Plan(NamedTuple):
    """The definition of a record's field."""

    default: Any
    default_factory: Any = MISSING
    init: bool = True
    repr: bool = True
    compare: bool = True
    kw_only: bool = False


def _planned(cls: Any, kw_only: bool) -> tuple[dict[str, _Plan], dict[str, Any]]:
    """(the fields, those of its bases first, what its own were declared with)"""
    plan: dict[str, _Plan] = {}
    for base in reversed(cls.__mro__[1:]):
        plan |= vars(base).get("_plan", {})
    given = {}
    for name, kind in vars(cls).get("__annotations__", {}).items():
        if "ClassVar" in (kind if isinstance(kind, str) else repr(kind)):
            continue
        value = vars(cls).get(name, MISSING)
        given[name] = value
        if isinstance(value, dataclasses.Field):
            by_name = kw_only if value.kw_only is MISSING else value.kw_only
            plan[name] = _Plan(value.default, value.default_factory, value.init, value.repr, bool(value.compare), by_name)
            if value.default is MISSING:
                delattr(cls, name)
            else:
                setattr(cls, name, value.default)
        else:
            plan[name] = _Plan(value, kw_only=kw_only)
    return plan, given


class _Fields:
    """`__dataclass_fields__`, by which a record is a dataclass to others: made when it is asked for, which is seldom."""

    def __init__(self, given: dict[str, Any], kw_only: bool) -> None:
        self._given, self._kw_only = given, kw_only

    def __get__(self, instance: object, owner: type) -> Any:
        cls: Any = next(each for each in owner.__mro__ if vars(each).get("__dataclass_fields__") is self)
        for name, value in self._given.items():
            if value is not MISSING:
                setattr(cls, name, value)
        cls.__doc__ = cls.__doc__ or ""  # else `dataclasses` derives one from the signature
        dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=self._kw_only, match_args=False)(cls)
        return cls.__dataclass_fields__


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
    return tuple(getattr(self, name) for name in self._compared)


def _equals(self: Any, other: object) -> Any:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _represent(self: Any) -> str:
    shown = (f"{name}={getattr(self, name)!r}" for name in self._shown)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse(self: Any, name: str, value: object = None) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot change {name!r} of a {type(self).__name__}")
