"""A test of the promises: each rule that was once the product's own is found, by the promise that it breaks alone."""

from __future__ import annotations

import pytest
from history_plan import plan_of
from planted_rules import PLANTED_RULES
from simulation import History, live

pytestmark = pytest.mark.unit

MOST_SEEDS = 1000


def find(rule: str) -> History | None:
    """The first history of a company in which the rule breaks its promise."""
    recipe = PLANTED_RULES[rule]
    for seed in range(1, MOST_SEEDS + 1):
        with recipe.plant():
            history = live(plan_of(seed, recipe.among), promises=frozenset({recipe.promise}))
        if history.broken:
            return history
    return None


@pytest.mark.parametrize("rule", PLANTED_RULES)
def test_a_rule_of_the_past_is_found(rule: str, record_property: pytest.RecordProperty) -> None:
    found = find(rule)
    promise = PLANTED_RULES[rule].promise
    assert found is not None, f"{MOST_SEEDS} histories in which {rule}, and the promise {promise!r} holds"
    assert not live(found.plan).broken, "without the rule all promises hold in the very same history"
    record_property("seeds", found.plan.seed)
    print(f"{rule}: seed {found.plan.seed}: {found.broken[0]}")
