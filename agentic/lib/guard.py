"""The guard between the host and every object that a plugin made: it checks what the object is, returns and raises.

The Protocol is the contract: its members have to be there, to take the arguments that it names, and to return what it declares. An
`AgenticError` is the language of the hooks and passes; anything else is the plugin's fault, and becomes a `PluginFault`.
"""

import inspect
import json
import logging
import types
import typing
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import is_dataclass
from functools import cache, partial
from typing import Any, Union, get_args, get_origin

from agentic.errors import AgenticError, ModelOutputError, PluginError, ToolError, TransportError, is_of_output
from agentic.lib.isolation import describe
from agentic.types import Delta, ToolSpec

_LANGUAGE = (TransportError, ModelOutputError, ToolError)  # of what a server, a model or a tool did, whoever tells
_log = logging.getLogger("agentic.plugins")
logging.getLogger("agentic").addHandler(logging.NullHandler())  # silent until `start_logging`, also before a run
_WRITES = ("handle", "close")  # of a renderer: an output that is full or gone is nobody's fault
FAULTS = (Exception, SystemExit, KeyboardInterrupt)  # whatever a plugin may raise without ending anything but its own call


class PluginFault(PluginError):
    """A plugin did what its hook does not allow; the message names it, its distribution and what it did."""

    def __init__(self, owner: str, plugin: str, what: str, error: BaseException | None = None) -> None:
        super().__init__(f"{owner}: {what}", f"switch the plugin off: -c plugins.disabled={plugin}; --debug shows the traceback")
        self.plugin = plugin
        self.__cause__ = error
        _log.error("%s", self, exc_info=error)


class Guard:
    """Stands for `target`, as far as the host is concerned.

    `stand_in` makes what takes its place after the first fault, None where nothing can; `report` is told of the fault then.
    """

    def __init__(
        self,
        target: Any,
        contract: Mapping[str, Any],
        owner: str,
        plugin: str,
        stand_in: Callable[[], Any] | None = None,
        report: Callable[[PluginFault], None] = lambda fault: None,
    ) -> None:
        self.__dict__.update(_target=target, _owner=owner, _plugin=plugin, _stand_in=stand_in, _report=report)
        offered = {name: member for name, member in contract.items() if hasattr(target, name)}
        for name, member in offered.items():
            if callable(member):
                self.__dict__[name] = self._guarded(name, getattr(target, name), member)
        self.__class__ = _with_properties(frozenset(name for name, member in offered.items() if not callable(member)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_target"], name)

    def _read(self, name: str) -> Any:
        try:
            return getattr(self._target, name)
        except FAULTS as error:
            raise self._fault_or_raise(name, error) from error

    def _guarded(self, name: str, method: Callable[..., Any], member: Callable[..., Any]) -> Callable[..., Any]:
        returns = member.__annotations__.get("return")
        streams = get_origin(returns) is AsyncIterator
        if streams and not inspect.iscoroutinefunction(member):
            item = get_args(returns)[0]
            return lambda *given, **named: Stream(self._called(name, method, given, named), self, name, item)
        if inspect.iscoroutinefunction(member):
            return self._async(name, method, returns)
        return self._sync(name, method, returns)

    def _sync(self, name: str, method: Callable[..., Any], returns: Any) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            try:
                result = method(*given)
                if (result is not None or returns is not None) and not conforms(result, returns):
                    if inspect.iscoroutine(result):
                        result.close()
                    raise TypeError(_unexpected(result, returns))
            except FAULTS as error:
                other = self._give_way(self._fault_or_raise(name, error))
                return getattr(other, name)(*given)
            return result

        return call

    def _async(self, name: str, method: Callable[..., Any], returns: Any) -> Callable[..., Any]:
        resumes = any(get_origin(each) is AsyncIterator for each in get_args(returns))

        async def call(*given: Any, **named: Any) -> Any:
            try:
                pending = method(*given, **named)
                if not inspect.isawaitable(pending):
                    raise TypeError("it has to be async")
                result = await pending
                if resumes:
                    return None if result is None else Stream(result, self, name)
                if returns is not None and not conforms(result, returns):
                    raise TypeError(_unexpected(result, returns))
            except FAULTS as error:
                other = self._give_way(self._fault_or_raise(name, error))
                return await getattr(other, name)(*given, **named)
            return result

        return call

    def _called(self, name: str, method: Callable[..., Any], given: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        try:
            return method(*given, **named)
        except FAULTS as error:
            raise self._fault_or_raise(name, error) from error

    def _fault_or_raise(self, name: str, error: BaseException) -> PluginFault:
        """The fault that an error is. An AgenticError is none, but where something stands in for a plugin that gives up."""
        if name in _WRITES and is_of_output(error):
            raise error
        gives_up = self._stand_in is not None and not isinstance(error, (*_LANGUAGE, PluginFault))
        if isinstance(error, AgenticError) and not gives_up:
            raise error
        return self.fault(name, error)

    def _give_way(self, fault: PluginFault) -> Any:
        """Puts the stand-in in the target's place from now on, and returns it. Raises the fault where there is none."""
        if self._stand_in is None:
            raise fault
        report, other = self._report, self._stand_in()
        self.__dict__.update(vars(other))
        self.__class__ = type(other)
        report(fault)
        return other

    def guard_another(self, made: Any, protocol: type) -> "Guard":
        """The guard of another object that the same plugin made."""
        return Guard(made, contract_of(protocol), self._owner, self._plugin)

    def fault(self, name: str, error: BaseException) -> PluginFault:
        return PluginFault(self._owner, self._plugin, f"{name}() {_did(error)}", error)


@cache
def _with_properties(names: frozenset[str]) -> type[Guard]:
    """The guards of what has these properties, which may change: each is the target's, as it is when it is read."""
    return type("Guard", (Guard,), {name: property(partial(Guard._read, name=name)) for name in names})


class Stream:
    """A stream of `item`s from a plugin: any async iterator, with what it yields and raises checked."""

    def __init__(self, stream: Any, guard: Guard, name: str, item: Any = Delta) -> None:
        if not hasattr(stream, "__anext__"):
            if inspect.iscoroutine(stream):
                stream.close()
            raise guard.fault(name, TypeError("it has to be an async generator: `async def` with `yield`"))
        self._stream = stream
        self._guard = guard
        self._name = name
        self._problem = _no_delta if item is Delta else partial(_no_item, item)

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> Any:
        try:
            item = await self._stream.__anext__()
            if problem := self._problem(item):
                raise TypeError(f"yielded {item!r:.80}, {problem}")
            return item
        except (AgenticError, StopAsyncIteration):
            raise
        except FAULTS as error:
            raise self._guard.fault(self._name, error) from error

    async def aclose(self) -> None:
        if hasattr(self._stream, "aclose"):
            await self._stream.aclose()


def _no_delta(item: Any) -> str:
    fits = type(item) is Delta and type(item.text) is str and type(item.reasoning) is str
    return "" if fits else "which is no Delta of texts"


def _no_item(kind: Any, item: Any) -> str:
    return "" if conforms(item, kind) else f"where {(get_origin(kind) or kind).__name__} is expected"


def contract_of(*protocols: type) -> dict[str, Any]:
    """The members that the Protocols declare: functions, and properties as themselves."""
    return {
        name: member
        for protocol in protocols
        for name, member in vars(protocol).items()
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property))
    }


def problem_with(made: Any, protocol: type) -> str:
    """Returns the reason why an object is not what its hook wants, "" for none."""
    for name, member in contract_of(protocol).items():
        if not hasattr(made, name):
            return f"it has no {name}{'()' if inspect.isfunction(member) else ''}, which {protocol.__name__} needs"
        value = getattr(made, name)
        if isinstance(member, property):
            returns = member.fget.__annotations__.get("return") if member.fget else None
            if not conforms(value, returns, deep=False):
                return f"its {name} is {_unexpected(value, returns).removeprefix('returned ')}"
        elif not callable(value):
            return f"its {name} is no method"
        elif wrong := _cannot_take(value, member):
            return f"its {name}() {wrong}"
    return ""


def problem_with_spec(spec: ToolSpec, name: str) -> str:
    """Returns the part of a tool's spec that a server or a model would not understand, "" for none."""
    if spec.name != name:
        return f"its spec is called {spec.name!r}, the provider {name!r}: both have to have one name"
    for field, hint in ToolSpec.__annotations__.items():
        if not conforms(getattr(spec, field), hint):
            return f"its spec's {field} is {getattr(spec, field)!r:.80}, which it cannot be"
    try:
        json.dumps(spec.parameters)
    except (TypeError, ValueError) as error:
        return f"its parameters are no JSON: {error}"
    if spec.parameters.get("type") != "object":
        return 'its parameters are no JSON schema of type "object"'
    return ""


def _cannot_take(method: Callable[..., Any], member: Callable[..., Any]) -> str:
    wanted = list(inspect.signature(member).parameters.values())[1:]
    try:
        inspect.signature(method).bind(*wanted)
    except TypeError as error:
        return f"cannot be called with ({', '.join(parameter.name for parameter in wanted)}): {error}"
    except ValueError:  # built in C: only a call will tell
        return ""
    return ""


def conforms(value: Any, hint: Any, deep: bool = True) -> bool:
    """True if a value is of an annotated type: unions, tuples and lists are looked into, and so are the fields of a dataclass."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is None:
        return value is None
    if hint is Any or isinstance(hint, str | typing.TypeVar) or getattr(hint, "_is_protocol", False):
        return True
    if origin in (Union, types.UnionType):
        return any(conforms(value, each, deep) for each in inner)
    if origin is typing.Literal:
        return value in inner
    if origin in (list, tuple):
        return isinstance(value, origin) and all(conforms(item, inner[0], deep=False) for item in value)
    if hint is float:
        return isinstance(value, int | float)
    kind = origin or hint
    if not isinstance(kind, type):
        return True
    return isinstance(value, kind) and not (deep and is_dataclass(kind) and not _fields_conform(value))


def _fields_conform(value: Any) -> bool:
    return all(conforms(getattr(value, name), hint) for name, hint in type(value).__annotations__.items())


def _did(error: BaseException) -> str:
    if isinstance(error, TypeError) and str(error).startswith(("returned ", "yielded ", "it has to ")):
        return str(error).replace("it has to", "has to")
    return f"failed: {describe(error)}"


def _unexpected(value: Any, hint: Any) -> str:
    name = getattr(hint, "__name__", None) if get_origin(hint) is None else None
    return f"returned {value!r:.80}, which is no {name or str(hint).replace('agentic.types.', '')}"
