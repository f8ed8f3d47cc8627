"""Attempts run against the tests that they wrote, each against all of them."""

import asyncio
import re
from collections.abc import Sequence

from agentic import AgenticError
from agentic.lib.contents import Contents, put_back
from agentic.lib.patterns import late_pattern
from plugins_builtin.attempts.contender import Contender

_TEST = late_pattern(r"(^|/)(tests?|specs?|__tests__)/|(^|/)test_[^/]*$|[._-](test|spec)s?\.\w+$|Tests?\.\w+$", re.ASCII)


async def passes_of(contenders: Sequence[Contender], authors: Sequence[Contender]) -> dict[int, int]:
    """By an attempt's number how many of the sets of tests it passes that attempts wrote, its own among them."""
    suites = [suite for suite in map(_tests, authors) if suite]
    found = await asyncio.gather(*(_passes(each, suites) for each in contenders))
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
            verdict = await contender.attempt.agent.judged()
            count += not verdict.failures and (verdict.status == "done" or verdict.tests[1] > 0)  # else nothing ran it
        except AgenticError:  # it cannot be run there
            continue
        finally:
            put_back(space, mine)
    return count
