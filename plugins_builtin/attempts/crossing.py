"""Attempts run against each other's tests."""

import asyncio
import re
from collections.abc import Sequence

from agentic import AgenticError
from agentic.lib.contents import Contents, put_back
from agentic.lib.patterns import late_pattern
from plugins_builtin.attempts.contender import Contender

_TEST = late_pattern(r"(^|/)(tests?|specs?|__tests__)/|(^|/)test_[^/]*$|[._-](test|spec)s?\.\w+$|Tests?\.\w+$", re.ASCII)


async def passes_of(contenders: Sequence[Contender], authors: Sequence[Contender]) -> dict[int, int]:
    """By an attempt's number how many of the others' sets of tests it passes."""
    suites = {each.number: _tests(each) for each in authors}
    others = ([suite for number, suite in suites.items() if suite and number != each.number] for each in contenders)
    found = await asyncio.gather(*map(_passes, contenders, others))
    return {each.number: count for each, count in zip(contenders, found, strict=True)}


def _tests(contender: Contender) -> Contents:
    """The test files that the attempt wrote."""
    return {path: data for path, data in contender.best.files.items() if data is not None and _TEST.search(path)}


async def _passes(contender: Contender, suites: Sequence[Contents]) -> int:
    """How many of these pass in the attempt's tree, which is afterwards as it was."""
    mine, space = contender.best.files, contender.attempt.agent.workspace
    count = 0
    for suite in suites:
        try:
            put_back(space, {**mine, **suite})
            count += not (await contender.attempt.agent.judged()).failures
        except AgenticError:  # it cannot be run there
            continue
        finally:
            put_back(space, mine)
    return count
