"""A test of the test: slips planted into the product's code are found by the simulation, each within so many seeds."""

from __future__ import annotations

import pytest
from minimal_story import minimal, told
from planted_bugs import PLANTED
from simulation import History, live

pytestmark = pytest.mark.unit

MOST_SEEDS = 1000


def find(bug: str) -> History | None:
    """The first failing history; replaying each only where nothing else can show it."""
    replay = "again" in bug
    for seed in range(1, MOST_SEEDS + 1):
        with PLANTED[bug].plant():
            history = live(PLANTED[bug].histories(seed), replay=replay)
        if history.broken:
            return history
    return None


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug: str, record_property: pytest.RecordProperty) -> None:
    found = find(bug)
    assert found is not None, f"{MOST_SEEDS} histories in which {bug}, and all promises hold"
    record_property("seeds", found.plan.seed)
    print(f"{bug}: seed {found.plan.seed}: {found.broken[0]}")


def test_a_failing_history_is_told_as_a_short_story() -> None:
    bug = "the timer of a verification is dropped"
    found = find(bug)
    assert found is not None
    with PLANTED[bug].plant():
        shortest = minimal(found, patience=20.0)
    assert shortest.broken
    assert len(shortest.plan.steps) <= 3, "little of what happened is to blame"
    story = told(shortest)
    assert "acts on" in story
    assert "what happens:" in story
