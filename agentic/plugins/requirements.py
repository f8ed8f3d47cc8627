"""Requirements ("agentic-foo>=1") against what is installed."""

from collections.abc import Sequence

from agentic.errors import ConfigError


def unmet(text: str) -> str | None:
    """The version that is installed instead ("" for none), None where the requirement is met or its marker does not apply.

    Raises ValueError for what is no requirement.
    """
    from importlib.metadata import PackageNotFoundError, version

    from packaging.requirements import Requirement

    requirement = Requirement(text)
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        return None
    try:
        have = version(requirement.name)
    except PackageNotFoundError:
        return ""
    return None if requirement.specifier.contains(have, prereleases=True) else have


def check_required(requirements: Sequence[str]) -> None:
    """Raises ConfigError for the first of `requirements` that is not met."""
    for text in requirements:
        try:
            have = unmet(text)
        except ValueError as error:
            raise ConfigError(f"plugins.require: {text!r} is no requirement", 'write it like "agentic-foo>=1"') from error
        if have is not None:
            state = f"{have} is installed" if have else "it is not installed"
            raise ConfigError(f"plugins.require: this configuration needs {text}, and {state}", f"pip install '{text}'")
