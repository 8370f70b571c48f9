from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewatch.clock import MICROSECONDS, micros
from forewatch.config.models import Rule
from forewatch.detection.band import Forecast
from forewatch.detection.rules import RuleState, evaluate, rule_alert, rule_event
from forewatch.incidents.events import AlertCleared, AlertRaised

pytestmark = pytest.mark.unit

T0 = 1_767_225_600 * MICROSECONDS
DISK = {"mountpoint": "/var", "device": "/dev/sda1", "service": "host"}


def rule(**fields: object) -> Rule:
    shape = {"alert": "DiskFilling", "metric": "system.filesystem.utilization", "statistic": "last", "window": "1m"}
    if not fields.keys() & {"below", "outside"}:
        shape["above"] = "90%"
    return Rule.model_validate(shape | fields)


class Story:
    """A timeline: `push` a value at a second, see what the rule makes of it."""

    def __init__(self, of: Rule, forecast: Forecast | None = None) -> None:
        self.rule, self.forecast = of, forecast
        self.samples: list[tuple[int, float]] = []
        self.state = RuleState()

    def push(self, second: float, value: float) -> str | None:
        self.samples.append((T0 + micros(second), value))
        return self.look(second)

    def look(self, second: float) -> str | None:
        self.now = T0 + micros(second)
        self.judgement = evaluate(self.rule, self.samples, (), self.forecast, self.state, self.now)
        self.state = self.judgement.state
        return self.judgement.transition


def test_it_fires_above_and_clears_at_the_threshold():
    story = Story(rule())
    assert story.push(0, 0.90) is None
    assert story.push(10, 0.91) == "raised"
    assert story.push(20, 0.95) is None
    assert story.push(30, 0.90) == "cleared"
    assert story.push(40, 0.10) is None


def test_it_fires_below():
    story = Story(rule(below="10%"))
    assert story.push(0, 0.09) == "raised"
    assert story.push(10, 0.10) == "cleared"


def test_once_firing_it_stays_until_the_value_is_back_beyond_clear():
    story = Story(rule(clear="80%"))
    assert story.push(0, 0.85) is None
    assert story.push(10, 0.91) == "raised"
    assert story.push(20, 0.85) is None
    assert story.state.firing
    assert story.push(30, 0.80) == "cleared"


def test_for_holds_it_back_until_the_trouble_has_lasted():
    story = Story(rule(**{"for": "30s"}))
    assert [story.push(second, 0.95) for second in (0, 10, 20, 29)] == [None] * 4
    assert story.push(30, 0.95) == "raised"
    assert story.state.pending_since == T0


def test_a_dip_while_pending_begins_for_anew():
    story = Story(rule(**{"for": "30s"}))
    story.push(0, 0.95)
    story.push(20, 0.5)
    assert [story.push(second, 0.95) for second in (30, 40, 50)] == [None] * 3
    assert story.push(60, 0.95) == "raised"


def test_the_state_is_all_another_process_needs():
    story = Story(rule(**{"for": "30s"}))
    story.push(0, 0.95)
    story.push(20, 0.95)
    other = Story(story.rule)
    other.state = RuleState(**vars(story.state))
    assert other.push(31, 0.95) == "raised"


def test_no_data_while_firing_keeps_firing_and_says_so():
    story = Story(rule())
    story.push(0, 0.95)
    assert story.look(500) is None
    assert story.state.firing
    assert story.judgement.evidence.note == "no data for 8m 20s; still firing on what was seen last"
    assert story.push(510, 0.2) == "cleared"


def test_no_data_never_fires_a_pending_rule():
    story = Story(rule(**{"for": "2m"}))
    story.push(0, 0.95)
    assert story.look(300) is None
    assert not story.state.firing
    # What lay between is not known: two minutes from here.
    assert story.push(310, 0.95) is None
    assert story.push(370, 0.95) is None
    assert story.push(430, 0.95) == "raised"


def test_no_data_ever_is_quiet():
    story = Story(rule(below="10%"))
    assert story.look(0) is None
    assert story.state == RuleState()
    assert story.judgement.evidence.value is None


def test_a_clock_set_forward_does_not_fulfil_for():
    story = Story(rule(**{"for": "5m"}))
    story.push(0, 0.95)
    assert story.push(3600, 0.95) is None
    assert story.state.pending_since == story.now


def test_a_clock_set_back_begins_for_anew():
    story = Story(rule(**{"for": "1m"}))
    story.push(0, 0.95)
    assert story.push(-3600, 0.95) is None
    assert story.state.pending_since == story.now
    assert story.push(-3570, 0.95) is None
    assert story.push(-3540, 0.95) == "raised"


BAND = Forecast(T0, 300.0, (0.5, 0.5, 0.6), (0.4, 0.4, 0.5), (0.6, 0.6, 0.7), "autoregression")


def test_outside_its_forecast_fires_on_either_side():
    for value in (0.39, 0.61):
        story = Story(rule(outside="forecast"), BAND)
        assert story.push(10, 0.5) is None
        assert story.push(20, value) == "raised"
        assert story.push(30, 0.55) == "cleared"


def test_what_never_changes_is_not_outside_its_forecast_by_the_rounding_of_a_mean():
    flat = Forecast(T0, 300.0, (0.1,) * 3, (0.1,) * 3, (0.1,) * 3, "constant")
    for value in (math.nextafter(0.1, 0), 0.1, math.nextafter(0.1, 1)):
        story = Story(rule(outside="forecast"), flat)
        assert story.push(10, value) is None
    assert story.push(20, 0.1001) == "raised"


def test_without_a_forecast_for_now_nothing_is_judged():
    for second, forecast in ((10, None), (901, BAND), (-10, BAND)):
        story = Story(rule(outside="forecast"), forecast)
        assert story.push(second, 9.0) is None
        assert story.judgement.evidence.note == "no forecast covers this moment"


def test_the_band_is_that_of_the_steps_the_window_touches():
    story = Story(rule(outside="forecast", window="10m", statistic="mean"), BAND)
    story.samples = [(T0 + micros(second), 0.64) for second in range(310, 700, 10)]
    assert story.look(700) is None
    assert story.judgement.evidence.high == pytest.approx(0.65)


def test_only_what_has_the_metrics_own_size_can_be_outside_its_forecast():
    with pytest.raises(ValueError, match="rate cannot be compared with it"):
        rule(outside="forecast", statistic="rate")


def test_a_ratio_of_two_metrics():
    errors = rule(metric="errors", per="requests", statistic="ratio", above="1%")
    judged = evaluate(errors, [(T0, 3.0)], [(T0, 100.0)], None, RuleState(), T0)
    assert judged.transition == "raised"
    assert evaluate(errors, [(T0, 3.0)], [], None, RuleState(), T0).transition is None


def test_the_alert_says_in_plain_words_what_is_wrong():
    filling = rule(statistic="max", window="5m", labels={"team": "infra"}, annotations={"runbook": "docs/disk.md"})
    judged = evaluate(filling, [(T0, 0.931)], (), None, RuleState(), T0)
    labels, annotations = rule_alert(filling, DISK, "host", 0.931, judged.evidence)
    assert labels == DISK | {"alertname": "DiskFilling", "service": "host", "severity": "warning", "team": "infra"}
    assert annotations == {
        "summary": "/var is 93.1% full (above 90%)",
        "runbook": "docs/disk.md",
    }


@pytest.mark.parametrize(
    ("metric", "above", "value", "said"),
    [
        ("http.server.request.duration", "500ms", 0.731, "is 731ms (above 500ms)"),
        ("process.memory.usage", "2GB", 3.21e9, "uses 3.2GB of memory (above 2.0GB)"),
        ("system.filesystem.utilization", "90%", 0.900004, "is 90.0004%, above 90%"),
        ("queue.length", "1000", 12345.0, "is 12,345, above 1,000"),
    ],
)
def test_values_come_with_their_units_and_digits_enough_to_differ(metric, above, value, said):
    one = rule(metric=metric, above=above)
    judged = evaluate(one, [(T0, value)], (), None, RuleState(), T0)
    assert said in rule_alert(one, {}, "", value, judged.evidence)[1]["summary"]


def test_the_service_is_the_rules_then_the_series_then_host():
    judged = evaluate(rule(), [(T0, 0.95)], (), None, RuleState(), T0)
    assert rule_alert(rule(service="web"), {}, "shop", 0.95, judged.evidence)[0]["service"] == "web"
    assert rule_alert(rule(), {}, "shop", 0.95, judged.evidence)[0]["service"] == "shop"
    assert rule_alert(rule(), {}, "", 0.95, judged.evidence)[0]["service"] == "host"


def test_events_carry_since_when_and_what_was_measured():
    story = Story(rule(**{"for": "30s"}))
    story.push(0, 0.95)
    story.push(30, 0.96)
    raised = rule_event(story.rule, DISK, "host", story.judgement, story.now)
    assert isinstance(raised, AlertRaised)
    assert raised.at == T0
    assert raised.values["value"] == 0.96
    assert raised.values["high"] == 0.9
    story.push(40, 0.1)
    cleared = rule_event(story.rule, DISK, "host", story.judgement, story.now)
    assert isinstance(cleared, AlertCleared)
    assert cleared.labels == raised.labels
    assert "is back at 10%" in cleared.values["reason"]
    story.push(50, 0.1)
    assert rule_event(story.rule, DISK, "host", story.judgement, story.now) is None


@given(
    st.lists(st.tuples(st.integers(-4000, 4000), st.floats(0, 1) | st.none()), max_size=30),
    st.sampled_from(["0s", "30s", "5m"]),
)
@settings(max_examples=60)
def test_raised_and_cleared_always_take_turns_whatever_the_clock_does(moves, hold):
    story = Story(rule(**{"for": hold}))
    seen = []
    for second, value in moves:
        seen.append(story.look(second) if value is None else story.push(second, value))
    transitions = [one for one in seen if one]
    assert transitions == (["raised", "cleared"] * len(transitions))[: len(transitions)]
