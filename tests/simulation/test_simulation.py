"""Random histories of the whole product under a simulated clock: whatever happens in them, the promises hold."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from history_plan import plan
from minimal_story import minimal, told
from simulation import live

pytestmark = pytest.mark.unit

SECONDS = 20.0
"""How long histories are lived here; `make simulate SEEDS=10000` lives more."""
FEWEST, MOST = 20, 400
REPLAY_EVERY = 4

NEVER_TRIVIAL = (
    "kills", "delays", "take-overs", "doubles", "sendings lost", "pages", "sent", "incidents", "alerts", "runs", "acts",
    "notices of groups", "replayed decisions", "decisions another rule changes", "hushed: dependency", "silences",
    "bodies taken in",
)  # fmt: skip
"""What happens in any twenty histories; where one of these is 0 the simulation shows nothing."""


def test_promises_hold_in_random_histories() -> None:
    counts: Counter[str] = Counter()
    until = time.monotonic() + SECONDS
    lived = 0
    for seed in range(1, MOST + 1):
        replay = seed % REPLAY_EVERY == 0
        history = live(plan(seed), replay=replay)
        assert not history.broken, told(minimal(history, replay=replay))
        counts += history.counts
        lived += 1
        if lived >= FEWEST and time.monotonic() > until:
            break
    print(f"{lived} histories", *(f"{count:8d} {what}" for what, count in counts.most_common()), sep="\n")
    assert not [what for what in NEVER_TRIVIAL if not counts[what]]


def test_a_history_is_the_same_each_time() -> None:
    first, second = (live(plan(4), telling=True) for _ in range(2))
    assert first.story == second.story
    assert len(first.story) > 20
