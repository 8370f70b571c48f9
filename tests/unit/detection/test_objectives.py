"""When an error budget is spent too fast: the two windows, their thresholds, and the words of the alert."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewatch.clock import MICROSECONDS, micros
from forewatch.config.detection import Objective
from forewatch.config.models import Service
from forewatch.detection.objectives import (
    FAST,
    PIECES,
    SLOW,
    SPEEDS,
    Tally,
    Windows,
    burn_event,
    burn_labels,
    burn_rate,
    check_of,
    highest_burn,
    in_time,
    judge,
    share_spent,
    tally,
)
from forewatch.incidents.events import AlertCleared, AlertRaised

pytestmark = pytest.mark.unit

NOW = 1_767_225_600 * MICROSECONDS
DAY = 86400.0
LONG_AGO = NOW - micros(30 * DAY)
SHOP = Service.model_validate({"name": "shop", "checks": [{"http": "http://shop/"}], "labels": {"team": "web"}})
PROMISED = Objective.model_validate({"availability": "99.9%"})


def answers(total: int, burn: float, target: float = 0.999) -> Tally:
    """As many answers as `total`, of which so many are bad that they burn at this rate."""
    return Tally(total - total * burn * (1 - target), total)


def seen(long: float, short: float, *, since: int | None = LONG_AGO, covered: int = PIECES) -> Windows:
    return Windows(answers(100_000, long), answers(100_000, short), since, covered)


def test_at_a_burn_rate_of_one_the_budget_lasts_exactly_the_window():
    assert burn_rate(Tally(999, 1000), 0.999) == pytest.approx(1.0)
    assert share_spent(1.0, 30 * DAY, 30 * DAY) == 1.0


@pytest.mark.parametrize(
    ("days", "fast", "slow"), [(30, 14.4, 6.0), (7, 3.36, 1.4), (90, 43.2, 18.0), (5, 2.4, 1.0), (1, 1.0, 1.0)]
)
def test_thresholds_follow_the_window_and_never_fall_below_what_any_budget_bears(days, fast, slow):
    assert FAST.threshold(days * DAY) == pytest.approx(fast)
    assert SLOW.threshold(days * DAY) == pytest.approx(slow)


@pytest.mark.parametrize("days", [7, 30, 90])
def test_the_same_share_of_the_budget_goes_at_the_threshold_whatever_the_window(days):
    window = days * DAY
    assert share_spent(FAST.threshold(window), FAST.long, window) == pytest.approx(0.02)
    assert share_spent(SLOW.threshold(window), SLOW.long, window) == pytest.approx(0.05)


@pytest.mark.parametrize("speed", SPEEDS, ids=lambda speed: speed.name)
@pytest.mark.parametrize(
    ("long", "short", "fires"), [(1.01, 1.01, True), (1.01, 0.99, False), (0.99, 1.01, False), (1.0, 1.0, False)]
)
def test_it_fires_only_where_both_windows_exceed(speed, long, short, fires):
    threshold = speed.threshold(PROMISED.window)
    found = judge(PROMISED, speed, seen(long * threshold, short * threshold), False, NOW)
    assert (found.firing, found.transition) == ((True, "raised") if fires else (False, None))


def test_a_single_bad_answer_of_a_check_that_seldom_runs_is_no_burn():
    once, twice = (Windows(Tally(60 - bad, 60), Tally(4, 5), LONG_AGO) for bad in (1, 2))
    assert judge(PROMISED, FAST, once, False, NOW).note == "one bad answer is not yet a burn"
    assert judge(PROMISED, FAST, twice, False, NOW).transition == "raised"


def test_it_ends_when_the_short_window_is_back_though_the_long_one_is_not():
    assert judge(PROMISED, FAST, seen(50, 20), True, NOW).transition is None
    calm = judge(PROMISED, FAST, seen(50, 14), True, NOW)
    assert (calm.firing, calm.transition) == (False, "cleared")


def test_it_does_not_fire_before_a_full_long_window_of_history():
    just_short = judge(PROMISED, FAST, seen(50, 50, since=NOW - micros(3599)), False, NOW)
    assert (just_short.firing, just_short.note) == (False, "needs 1h of history, has 59m 59s")
    assert judge(PROMISED, FAST, seen(50, 50, since=NOW - micros(3600)), False, NOW).firing
    assert judge(PROMISED, SLOW, seen(50, 50, since=NOW - micros(3600)), False, NOW).note.startswith("needs 6h")
    assert judge(PROMISED, FAST, seen(50, 50, since=None), False, NOW).note == "needs 1h of history, has none"


def test_a_clock_set_back_before_all_history_fires_nothing():
    assert not judge(PROMISED, FAST, seen(50, 50, since=NOW + micros(DAY)), False, NOW).firing


def test_a_window_of_which_most_was_not_watched_is_no_history():
    found = judge(PROMISED, FAST, seen(50, 50, covered=5), False, NOW)
    assert (found.firing, found.note) == (False, "needs answers in half of the last 1h, has them in 5 of 12 parts")
    assert judge(PROMISED, FAST, seen(50, 50, covered=6), False, NOW).firing


def test_no_answers_are_neither_good_nor_bad():
    nothing = Windows(Tally(), Tally(), LONG_AGO, 0)
    assert judge(PROMISED, FAST, nothing, False, NOW) == judge(PROMISED, FAST, nothing, False, NOW + 1)
    assert not judge(PROMISED, FAST, nothing, False, NOW).firing
    still = judge(PROMISED, FAST, nothing, True, NOW)
    assert (still.firing, still.transition) == (True, None)
    assert still.note == "no answer in the last 5m; still firing on what was seen last"


def test_a_failure_is_not_in_time_however_fast_it_came():
    assert in_time(True, 0.299, 0.3)
    assert not in_time(True, 0.3, 0.3)
    assert not in_time(False, 0.001, 0.3)


def test_it_is_measured_by_the_first_http_check_else_the_first_unless_it_names_one():
    checks = [{"tcp": "shop:1"}, {"name": "page", "http": "http://shop/"}, {"name": "api", "http": "http://shop/api"}]
    service = Service.model_validate({"name": "shop", "checks": checks})
    assert check_of(service, PROMISED) is service.checks[1]
    assert check_of(service, PROMISED.model_copy(update={"check": "api"})) is service.checks[2]
    assert check_of(service, PROMISED.model_copy(update={"check": "gone"})) is None
    assert check_of(service.model_copy(update={"checks": service.checks[:1]}), PROMISED) is service.checks[0]
    assert check_of(service.model_copy(update={"checks": []}), PROMISED) is None


def event(objective: Objective, windows: Windows, *, firing: bool = False, left: float | None = 0.62):
    burn = judge(objective, FAST, windows, firing, NOW)
    return burn_event(SHOP, objective, FAST, burn, windows, left, NOW)


def test_the_alert_says_how_fast_what_went_and_what_is_left():
    raised = event(PROMISED, seen(36, 36))
    assert isinstance(raised, AlertRaised)
    assert raised.labels == {
        "alertname": "ErrorBudgetBurn",
        "service": "shop",
        "team": "web",
        "objective": "availability",
        "speed": "fast",
        "classification": "availability",
        "severity": "critical",
    }
    assert raised.annotations["summary"] == (
        "shop: availability burns its error budget 36x as fast as it may: in the last 1h 3.6% of the answers were bad "
        "(0.1% may be), 5% of the 30d budget went, 62% is left"
    )
    assert raised.values["burn_long"] == pytest.approx(36)
    assert raised.values["threshold"] == 14.4
    assert raised.values["bad_short"] == pytest.approx(3600)


def test_the_alert_about_latency_says_so():
    fast_enough = Objective.model_validate({"name": "quick", "latency": {"under": "300ms", "share": "99%"}})
    bad = Windows(Tally(600, 1000), Tally(500, 1000), LONG_AGO)
    raised = event(fast_enough, bad, left=-0.2)
    assert isinstance(raised, AlertRaised)
    assert raised.labels["classification"] == "latency"
    assert raised.annotations["summary"] == (
        "shop: quick (latency) burns its error budget 40x as fast as it may: in the last 1h 40% of the answers failed "
        "or took 300ms or more (1% may), 5.6% of the 30d budget went, nothing is left"
    )


def test_its_end_says_what_the_short_window_is_back_at():
    cleared = event(PROMISED, seen(50, 3), firing=True)
    assert isinstance(cleared, AlertCleared)
    assert cleared.labels == burn_labels(SHOP, PROMISED, FAST)
    assert cleared.values["reason"] == "the last 5m burn 3x, not above 14.4x"
    assert event(PROMISED, seen(1, 1)) is None


def test_a_target_of_ninety_percent_can_never_burn_at_fourteen():
    outage = Windows(Tally(0, 100), Tally(0, 100), LONG_AGO)
    modest = Objective.model_validate({"availability": "90%"})
    assert highest_burn(modest.target) == pytest.approx(10)
    assert not judge(modest, FAST, outage, False, NOW).firing
    assert judge(modest, SLOW, outage, False, NOW).firing


counts = st.integers(0, 10_000).flatmap(lambda total: st.builds(Tally, st.integers(0, total), st.just(total)))
targets = st.floats(0.5, 0.99999)


@given(st.lists(counts), st.randoms())
def test_answers_add_up_in_whatever_pieces_they_are_counted(pieces, random):
    whole = tally(pieces)
    assert whole.total == sum(piece.total for piece in pieces)
    assert whole.good + whole.bad == whole.total
    random.shuffle(pieces)
    cut = random.randint(0, len(pieces))
    assert tally(pieces[:cut]) + tally(pieces[cut:]) == whole


@given(counts, st.integers(1, 1000), targets)
def test_burn_does_not_depend_on_how_often_is_asked(some, times, target):
    more = Tally(some.good * times, some.total * times)
    once = burn_rate(some, target)
    assert burn_rate(more, target) == (once if once is None else pytest.approx(once))


@given(counts, targets)
def test_burn_lies_between_none_and_that_of_a_full_outage(some, target):
    rate = burn_rate(some, target)
    assert rate is None if some.total == 0 else 0 <= rate <= highest_burn(target) * (1 + 1e-9)


@given(counts, counts, st.integers(0, 3599 * MICROSECONDS), targets, st.integers(1, 90), st.sampled_from(SPEEDS))
def test_it_never_fires_without_a_full_long_window(long, short, age, target, days, speed):
    objective = Objective(availability=target, window=days * DAY)
    found = judge(objective, speed, Windows(long, short, NOW - age), False, NOW)
    assert not found.firing


@given(counts, counts, targets, st.integers(1, 90), st.sampled_from(SPEEDS), st.booleans())
def test_what_it_says_is_what_the_definition_says(long, short, target, days, speed, firing):
    objective = Objective(availability=target, window=days * DAY)
    found = judge(objective, speed, Windows(long, short, LONG_AGO - micros(60 * DAY)), firing, NOW)
    limit = max(1.0, speed.factor * days / 30)
    over = [one.total > 0 and one.bad / one.total / (1 - target) > limit * (1 + 1e-9) for one in (long, short)]
    if firing:
        assert found.firing == (over[1] or short.total == 0)
    else:
        assert found.firing == (all(over) and round(long.bad) > 1)
    assert (found.transition is not None) == (found.firing != firing)


def test_its_labels_are_those_of_the_service_and_its_owner():
    owned = SHOP.model_copy(update={"owner": "web-team"})
    labels = burn_labels(owned, PROMISED, FAST)
    assert (labels["team"], labels["owner"]) == ("web", "web-team")
