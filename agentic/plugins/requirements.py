"""What a configuration says must be installed."""

from collections.abc import Sequence

from agentic.errors import ConfigError


def check_required(requirements: Sequence[str]) -> None:
    """Raises ConfigError for the first of `requirements` ("agentic-foo>=1") that is not met."""
    if not requirements:
        return
    from importlib.metadata import PackageNotFoundError, version

    from packaging.requirements import InvalidRequirement, Requirement

    for text in requirements:
        try:
            requirement = Requirement(text)
            have = version(requirement.name)
        except InvalidRequirement as error:
            raise ConfigError(f"plugins.require: {text!r} is no requirement", 'write it like "agentic-foo>=1"') from error
        except PackageNotFoundError:
            have = ""
        if not have or not requirement.specifier.contains(have, prereleases=True):
            state = f"{have} is installed" if have else "it is not installed"
            raise ConfigError(f"plugins.require: this configuration needs {text}, and {state}", f"pip install '{text}'")
