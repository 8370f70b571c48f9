"""Alerts held against incidents, and which setting is the one to choose."""

from __future__ import annotations

import numpy as np
import pytest

from forewatch.clock import micros
from forewatch.config.models import Rule
from forewatch.trials.backtest import rule_replay
from forewatch.trials.backtest.rule_replay import raised_by, variants
from forewatch.trials.backtest.verdict import Alert, Known, Verdict, best, hold_against

pytestmark = pytest.mark.unit

MINUTE = micros(60)
WEEK = 7 * 86400.0


def alert(start: int, end: int | None, service: str = "shop") -> Alert:
    return Alert("a series", service, start * MINUTE, None if end is None else end * MINUTE, 1.0)


def known(name: str, start: int, end: int | None, *services: str) -> Known:
    of = frozenset(services or ("shop",))
    return Known(name, name, of, start * MINUTE, None if end is None else end * MINUTE, False)


def verdict(right: int, wrong: int, missed: int, delay: float = 0.0) -> Verdict:
    return Verdict(("I",) * right + (None,) * wrong, ("M",) * missed, (delay,) * right, WEEK)


@pytest.mark.parametrize(
    ("begin", "end", "matches"),
    [
        (100, 110, "I"),  # inside
        (10, 300, "I"),  # around it
        (60, 86, None),  # ends 14 minutes before
        (60, 90, "I"),  # ends 10 minutes before
        (130, 135, "I"),  # begins 10 minutes after
        (131, 135, None),  # begins 11 minutes after
        (20, None, "I"),  # goes on
    ],
)
def test_an_alert_lies_in_an_incident_it_overlaps_or_nearly_does(begin, end, matches):
    found = hold_against([alert(begin, end)], [known("I", 100, 120)], tolerance=600.0, looked_at=WEEK)
    assert found.matches == (matches,)
    assert found.missed == (() if matches else ("I",))


def test_only_incidents_of_the_alerts_service_count():
    of_both = known("I", 100, 120, "mail", "shop")
    found = hold_against([alert(100, 110), alert(100, 110, "web")], [of_both], tolerance=0.0, looked_at=WEEK)
    assert found.matches == ("I", None)


def test_the_first_of_several_alerts_gives_the_delay_and_an_incident_that_goes_on_is_overlapped():
    alerts = [alert(107, 109), alert(103, 105), alert(400, None)]
    found = hold_against(alerts, [known("I", 100, None)], tolerance=0.0, looked_at=2 * WEEK)
    assert found.delays == (180.0,)
    assert found.precision == 1.0
    assert found.noise == 0.0


def test_without_incidents_or_alerts_nothing_is_claimed():
    nothing = hold_against([], [], tolerance=0.0, looked_at=0.0)
    assert (nothing.precision, nothing.recall, nothing.delay, nothing.noise) == (None, None, None, None)
    noisy = hold_against([alert(1, 2), alert(3, 4)], [], tolerance=0.0, looked_at=WEEK)
    assert (noisy.precision, noisy.recall, noisy.noise) == (None, None, 2.0)
    quiet = hold_against([], [known("I", 1, 2)], tolerance=0.0, looked_at=WEEK)
    assert (quiet.precision, quiet.recall) == (None, 0.0)


def test_noise_a_week_is_not_told_from_less_than_a_day():
    alerts = [alert(1, 2), alert(3, 4)]
    assert hold_against(alerts, [], tolerance=0.0, looked_at=86_400.0).noise == pytest.approx(14.0)
    assert hold_against(alerts, [], tolerance=0.0, looked_at=86_399.0).noise is None


def test_the_best_finds_the_most_then_is_the_most_precise_then_the_calmest():
    assert best([verdict(1, 0, 1), verdict(2, 9, 0), verdict(2, 3, 0)]) == 2
    assert best([verdict(2, 0, 0, delay=60.0), verdict(2, 0, 0, delay=5.0)]) == 1
    assert best([verdict(0, 3, 2), verdict(0, 0, 2)]) is None
    assert best([]) is None


def samples(*values: float) -> list[tuple[int, float]]:
    return [(1_000 * MINUTE + k * MINUTE, value) for k, value in enumerate(values)]


def test_a_rule_is_replayed_as_the_watch_judges_it():
    rule = Rule(alert="A", metric="m", window="3m", above=10.0, clear=5.0, for_="2m")
    values = [1, 1, 30, 30, 1, 1, 1, 1, 9, 9.9, 12, 12, 12, 12, 1, 1, 1, 1, 10, 10, 10, 1]
    at = [moment for moment, _ in samples(*values)]
    found = [(at.index(start), at.index(end), value) for start, end, value in raised_by(rule, samples(*values), (), 0)]
    # Means of three: 10.7 at 2, so 2 minutes later it is told; 10.7 at 5 is not below 5 yet, 1 at 6 is.
    assert found == [(4, 6, pytest.approx(61 / 3)), (12, 15, pytest.approx(12.0))]


@pytest.mark.parametrize("statistic", ["mean", "max", "min", "p95", "last"])
@pytest.mark.parametrize("bound", [{"above": 2.0, "clear": 1.5}, {"below": -2.0}])
def test_windows_that_are_passed_over_change_nothing(monkeypatch, statistic, bound):
    noise = np.random.default_rng(7).normal(0, 1, 3000)
    series = samples(*np.convolve(noise, np.ones(20) / 4, "same"))
    rule = Rule(alert="A", metric="m", window="5m", statistic=statistic, **bound)
    quick = raised_by(rule, series, (), 0)
    monkeypatch.setattr(rule_replay, "_WITHIN_EXTREMES", frozenset())
    assert quick == raised_by(rule, series, (), 0)
    assert len(quick) >= 5


def test_a_series_that_falls_silent_for_a_day_ends_its_alert():
    rule = Rule(alert="A", metric="m", window="1m", above=10.0)
    begun = samples(50.0)
    [(start, end, _)] = raised_by(rule, [*begun, (begun[0][0] + micros(3 * 86400), 1.0)], (), 0)
    assert start == begun[0][0]
    assert end == start + micros(86400)


def test_what_is_tried_instead_lies_on_both_sides_and_keeps_the_distance_of_clear():
    tried = dict(variants(Rule(alert="A", metric="system.memory.utilization", above=0.9, clear=0.88)))
    assert next(iter(tried)) == "as it is"
    assert {"above 80%", "above 95%"} <= set(tried)
    assert tried["above 80%"].clear == pytest.approx(0.78)
    assert all(rule.above < 1 for rule in tried.values())
    assert "exhausted within 2h" in dict(variants(Rule(alert="A", metric="m", limit=1.0, exhausted_within="1h")))
