"""Is this one agent's work? Rules that cost nothing, and the model's votes where they leave a doubt."""

from collections.abc import Iterable

from agentic import ComplexityEstimator, Provider, Setup, hookimpl


def _rules(setup: Setup) -> ComplexityEstimator:
    from plugins_builtin.complexity.rules import RulesEstimator

    return RulesEstimator()


def _llm(setup: Setup) -> ComplexityEstimator:
    from plugins_builtin.complexity.votes import LlmEstimator

    return LlmEstimator()


@hookimpl
def agentic_complexity_estimators() -> Iterable[Provider[ComplexityEstimator]]:
    yield Provider("llm", "free rules, and three votes of the model where they leave a doubt", _llm, default=True)
    yield Provider("rules", "components, files, verbs and words; no model call", _rules, stands_in=True)
