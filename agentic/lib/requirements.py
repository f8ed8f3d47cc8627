"""Requirements ("agentic-foo>=1") against what is installed."""

import re


def name_of(text: str) -> str:
    """The distribution that a requirement names, as the index normalises it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;(]", text, maxsplit=1)[0]).lower()


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
