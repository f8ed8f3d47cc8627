"""A plugin's own section: a `Section` of ours or a pydantic model, imported only when one of its values is needed."""

from collections.abc import Mapping
from typing import Any

from agentic.config.section import Key, Section, toml_value
from agentic.errors import ConfigError, PluginError
from agentic.lib.imports import imported


class PluginSection:
    """`model` is "module:Class", "" for a plugin that declares nothing: its values are a plain dict then."""

    def __init__(self, name: str, model: str | type = "") -> None:
        self.name = name
        self.path = model if isinstance(model, str) else f"{model.__module__}:{model.__qualname__}"
        self._model: type[Any] | None = None if isinstance(model, str) else model
        self._remedy = f"mend it, or switch the plugin off: -c plugins.disabled={name.rpartition('.')[2]}"

    def keys(self) -> Mapping[str, Key]:
        """The declared keys by name; of a pydantic field, `json_schema_extra={"scope": "select"}` is the scope."""
        model = self._loaded()
        if model is None or issubclass(model, Section):
            return model.known if model else {}
        return {name: _key_of(field) for name, field in model.model_fields.items()}

    def value(self, field: str, value: Any, is_text: bool, origin: str) -> Any:
        """A value of a layer in its type. Raises ConfigError."""
        model = self._loaded()
        if model is not None and issubclass(model, Section):
            key = model.known.get(field)
            if key is None:
                raise ConfigError(f"{origin}: [{self.name}] {field}: no such key", f"the keys are {', '.join(model.known)}")
            return (key.parse if is_text else key.check)(value, f"{self.name}.{field}", origin)
        return toml_value(value) if is_text else value

    def make(self, values: Mapping[str, Any]) -> Any:
        """The plugin's options. Raises ConfigError."""
        model = self._loaded()
        if model is None:
            return _nested(values)
        if issubclass(model, Section):
            return model(**values)
        from pydantic import ValidationError

        try:
            return model.model_validate(_nested(values))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ConfigError(f"[{self.name}] {where}: {first['msg']}", "`agentic config show` says where it was set") from error

    def _loaded(self) -> type[Any] | None:
        if self._model is None and self.path:
            try:
                self._model = imported(self.path)
            except (Exception, SystemExit) as error:
                raise PluginError(f"[{self.name}]: its options {self.path!r} cannot be imported: {error}", self._remedy) from error
            if not (isinstance(self._model, type) and (issubclass(self._model, Section) or hasattr(self._model, "model_validate"))):
                raise PluginError(f"[{self.name}]: {self.path!r} is neither an agentic.Section nor a pydantic model", self._remedy)
        return self._model


def _key_of(field: Any) -> Key:
    """A pydantic field as a key; what it may be is pydantic's to check."""
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    return Key(default, field.description or "", extra.get("scope", "user"), object)


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted names as tables in tables."""
    tables: dict[str, Any] = {}
    for name, value in values.items():
        *folders, last = name.split(".")
        table = tables
        for folder in folders:
            table = table.setdefault(folder, {})
        table[last] = value
    return tables
