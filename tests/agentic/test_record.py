"""A record is a dataclass to whoever uses it."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any

import pytest

from agentic.lib.record import record

MAKERS: list[Callable[..., Any]] = [record, dataclass]


@record(frozen=True, slots=True)
class Point:
    """A place."""

    x: int
    y: int = 2
    tags: tuple[str, ...] = field(default=(), compare=False, repr=False)


@record
class Bag(object):  # noqa: UP004 - a docstring of its own is missing on purpose
    things: list[int] = field(default_factory=list)
    total: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.total = sum(self.things)


def made(maker: Callable[..., Any], **options: Any) -> Any:
    @maker(**options)
    class Made:
        """A record of one of the two kinds."""

        name: str
        size: int = 1

    return Made


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize(("values", "named"), [((), {}), (("a", 2, 3), {}), (("a",), {"name": "b"}), (("a",), {"wrong": 1})])
def test_wrong_values_are_refused_as_a_dataclass_refuses_them(
    maker: Callable[..., Any], values: tuple[Any, ...], named: dict[str, Any]
) -> None:
    with pytest.raises(TypeError):
        made(maker)(*values, **named)


@pytest.mark.parametrize("maker", MAKERS)
def test_keyword_only_frozen_and_equality_hold(maker: Callable[..., Any]) -> None:
    kind = made(maker, frozen=True, kw_only=True)
    with pytest.raises(TypeError):
        kind("a")
    one = kind(name="a")
    assert one == kind(size=1, name="a") != kind(name="b") and hash(one) == hash(kind(name="a"))
    assert repr(one).endswith("Made(name='a', size=1)")
    with pytest.raises(FrozenInstanceError):
        one.name = "b"
    with pytest.raises(TypeError):
        hash(made(maker)("a"))
    assert made(maker, eq=False)("a") != made(maker, eq=False)("a")


def test_what_takes_dataclasses_takes_records() -> None:
    point = Point(1, tags=("t",))
    assert is_dataclass(point) and [each.name for each in fields(point)] == ["x", "y", "tags"]
    assert replace(point, y=5) == Point(1, 5) and asdict(point) == {"x": 1, "y": 2, "tags": ("t",)}
    assert point == Point(1, tags=()) and repr(point) == "Point(x=1, y=2)"
    assert pickle.loads(pickle.dumps(point)) == copy.deepcopy(point) == point
    match point:
        case Point(x, y):
            assert (x, y) == (1, 2)


@record
class Caller:
    """A function as a default is no method."""

    call: Callable[[int], int] = lambda number: number + 1


def test_a_function_is_a_value() -> None:
    assert Caller().call(1) == 2 and Caller(abs).call(-3) == 3


def test_what_is_made_anew_is_nobody_elses() -> None:
    one, other = Bag(), Bag([1, 2])
    one.things.append(7)
    assert Bag().things == [] and other.total == 3
