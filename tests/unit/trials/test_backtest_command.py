"""`forewatch backtest`: what would have been told, counted by hand."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from forewatch.alerting.alert import Alert
from forewatch.clock import micros
from forewatch.store import alerts, forecasts

pytestmark = pytest.mark.unit

NOW = 1_767_225_600 * 1_000_000
MINUTE, HOUR, DAY = micros(60), micros(3600), micros(86400)
FOUR_DAYS = 4 * 24 * 60


def minutes(count: int = FOUR_DAYS, level: float = 50.0) -> np.ndarray:
    """A queue of about so many, a value a minute up to now; the same every time."""
    return level + 10 * np.sin(np.arange(count) / 7.0)


def queue(tried, values: np.ndarray, **others) -> int:
    """Store values a minute apart that end now; returns when they begin."""
    first = NOW - len(values) * MINUTE
    tried.measured("queue.length", first, 60, values, **others)
    return first


def trouble(values: np.ndarray, day: float, lasts: int = 30, height: float = 500.0) -> None:
    """Half an hour of a long queue, so many days before the end."""
    begin = len(values) - round(day * 24 * 60)
    values[begin : begin + lasts] = height


def told(tried, *words: str) -> dict:
    return json.loads(tried.say("backtest", *words, "--json"))


def test_alerts_precision_recall_delay_and_noise_are_what_a_hand_counts(tried):
    values = minutes()
    for day in (3, 2, 1):
        trouble(values, day)
    queue(tried, values)
    # One begins 2 minutes before its trouble is told of, one has no trouble at all, one is of another service.
    tried.incident(1, NOW - 3 * DAY - 2 * MINUTE, NOW - 3 * DAY + HOUR)
    tried.incident(2, NOW - 2 * DAY + 10 * MINUTE, NOW - 2 * DAY + HOUR)
    tried.incident(3, NOW - 12 * HOUR, NOW - 11 * HOUR)
    tried.incident(4, NOW - 6 * HOUR, NOW - 5 * HOUR, service="mail")
    found = told(tried, "QueueLong", "--since", "3d12h")
    assert [alert["incident"] for alert in found["alerts"]] == ["INC-1", "INC-2", None]
    # The mean of the last five minutes passes 100 with the first value of 500.
    assert [alert["start"] for alert in found["alerts"]] == [
        "2025-12-29T00:00:00.000Z",
        "2025-12-30T00:00:00.000Z",
        "2025-12-31T00:00:00.000Z",
    ]
    assert found["alerts"][0]["end"] == "2025-12-29T00:34:00.000Z"
    assert found["alerts"][0]["series"] == "queue orders, service shop"
    assert found["missed"] == ["INC-3"]
    now = found["trials"][0]
    assert now["setting"] == "as it is"
    assert (now["alerts"], now["right"], now["incidents"], now["found"]) == (3, 2, 3, 2)
    assert now["precision"] == pytest.approx(2 / 3)
    assert now["recall"] == pytest.approx(2 / 3)
    # INC-1 was told of 2 minutes after it began, INC-2 10 minutes before.
    assert now["delay"] == pytest.approx((120 - 600) / 2)
    assert now["noise_per_week"] == pytest.approx(1 / 0.5)


def test_an_incident_a_little_away_belongs_to_an_alert_as_far_as_the_tolerance_goes(tried):
    values = minutes()
    trouble(values, 1)
    queue(tried, values)
    tried.incident(1, NOW - DAY + HOUR, NOW - DAY + 2 * HOUR)
    assert told(tried, "QueueLong")["alerts"][0]["incident"] is None
    assert told(tried, "QueueLong", "--tolerance", "30m")["alerts"][0]["incident"] == "INC-1"


def test_the_setting_is_suggested_that_finds_all_with_the_least_noise(tried):
    values = minutes()
    trouble(values, 3, height=160.0)
    trouble(values, 2, height=500.0)
    trouble(values, 1, height=130.0)
    queue(tried, values)
    tried.incident(1, NOW - 3 * DAY, NOW - 3 * DAY + HOUR)
    tried.incident(2, NOW - 2 * DAY, NOW - 2 * DAY + HOUR)
    found = told(tried, "QueueLong")
    by_setting = {trial["setting"]: trial for trial in found["trials"]}
    assert by_setting["as it is"]["precision"] == pytest.approx(2 / 3)
    assert by_setting["above 150"]["precision"] == 1.0
    assert by_setting["above 200"]["recall"] == 0.5
    assert found["suggested"] == "above 150"
    said = tried.say("backtest", "QueueLong")
    [line] = [line for line in said.splitlines() if line.endswith("suggested")]
    assert line.split() == ["above", "150", "2", "100%", "100%", *line.split()[5:-1], "suggested"]


def test_no_data_is_not_zero_alerts(tried):
    said = tried.say("backtest", "QueueNever", ends=1)
    assert "QueueNever on 0 of 0 series of queue.depth" in said
    assert "no series of it with these labels was ever stored" in said
    assert "Nothing could be judged: that is not the same as zero alerts." in said
    queue(tried, minutes())
    tried.measured("queue.depth", NOW - 60 * DAY, 60, minutes(100))
    said = tried.say("backtest", "QueueNever", ends=1)
    assert "queue.depth: 1 of 1 series have too little or no data in this time" in said
    quiet = tried.say("backtest", "QueueLong")
    assert "0 alerts; noise: 0.00 alerts a week." in quiet
    assert "No incident of these services is known in this time: precision and recall cannot be told." in quiet


def test_a_history_that_is_shorter_than_asked_for_is_said_and_noise_is_of_what_is_there(tried):
    values = minutes(24 * 60)
    trouble(values, 0.5)
    queue(tried, values)
    tried.incident(9, NOW - 20 * DAY, NOW - 19 * DAY)
    found = told(tried, "QueueLong", "--since", "30d")
    assert "stored from 2025-12-31T00:00Z on; no data before that, which is not zero alerts" in found["notes"][0]
    assert found["trials"][0]["noise_per_week"] == pytest.approx(7.0)
    # What lies before the history was not missed: nobody could have seen it.
    assert found["missed"] == []


def test_minutes_of_history_are_no_noise_a_week(tried):
    values = minutes(38)
    values[20:26] = 500.0
    queue(tried, values)
    said = tried.say("backtest", "QueueLong")
    assert (
        "1 alert. 38m of history is too little to say how many alerts in no incident there would be a week: "
        "that takes 1d." in said
    )
    assert re.search(r"^as it is +1 +-", said, re.MULTILINE), said
    found = told(tried, "QueueLong")
    assert found["seconds_judged"] == pytest.approx(38 * 60)
    assert (found["trials"][0]["noise"], found["trials"][0]["noise_per_week"]) == (1, None)


def test_where_points_are_gone_roll_ups_are_judged_and_that_is_said(tried):
    values = minutes(24 * 60)
    trouble(values, 0.75)
    trouble(values, 0.25)
    queue(tried, values)
    tried.rolled(keep_points_from=NOW - 12 * HOUR)
    found = told(tried, "QueueLong")
    assert [alert["start"] for alert in found["alerts"]] == ["2025-12-31T06:05:00.000Z", "2025-12-31T18:00:00.000Z"]
    [note] = [note for note in found["notes"] if "roll-ups" in note]
    assert "judged on roll-ups of 5m before 2025-12-31T12:00Z" in note


def test_what_roll_ups_cannot_tell_is_no_data(tried, tmp_path):
    values = minutes(24 * 60)
    trouble(values, 0.75)
    queue(tried, values)
    tried.rolled(keep_points_from=NOW - 12 * HOUR)
    new = tmp_path / "new.yaml"
    rule = "{alert: QueueNew, metric: queue.length, statistic: p95, above: 100, service: shop}"
    new.write_text(f"services: [{{name: shop}}]\nrules: [{rule}]\n")
    found = told(tried, "QueueNew", "--config", str(new))
    assert found["alerts"] == []
    assert found["notes"] == [
        "queue.length: judged from 2025-12-31T12:00Z on; older is no data: p95 cannot be judged from roll-ups of 5m"
    ]


def test_a_metric_is_judged_by_the_detector_at_several_budgets(tried):
    rng = np.random.default_rng(4)
    values = 50 + rng.normal(0, 1, FOUR_DAYS)
    trouble(values, 0.5, height=90.0)
    queue(tried, values)
    tried.incident(1, NOW - DAY // 2, NOW - DAY // 2 + HOUR)
    found = told(tried, "queue.length", "--since", "4d")
    assert found["trials"][0]["setting"] == "1 false alarm a month"
    assert {trial["setting"] for trial in found["trials"]} >= {"0.1 false alarms a month", "30 false alarms a month"}
    assert found["trials"][0]["found"] == 1
    assert 0 <= found["trials"][0]["delay"] <= 300
    assert any("the detector was learning until" in note for note in found["notes"])
    many = told(tried, "queue.length", "--since", "4d", "--false-alarms", "30")
    assert many["trials"][0]["setting"] == "30 false alarms a month"
    assert many["trials"][0]["alerts"] >= found["trials"][0]["alerts"]


def test_a_rule_on_anomalies_is_replayed_too(tried):
    rng = np.random.default_rng(5)
    values = 50 + rng.normal(0, 1, FOUR_DAYS)
    trouble(values, 0.5, height=90.0)
    queue(tried, values)
    tried.incident(1, NOW - DAY // 2, NOW - DAY // 2 + HOUR)
    found = told(tried, "QueueOdd", "--since", "4d")
    assert found["trials"][0]["found"] == 1
    # A rule hears of what is unusual once the step is over in which it began, no earlier than the detector tells.
    first = told(tried, "queue.length", "--since", "4d")["alerts"][0]["start"]
    assert found["alerts"][0]["start"] == first


def test_a_rule_on_a_forecast_is_held_against_forecasts_made_again(tried):
    values = minutes(2 * 24 * 60)
    trouble(values, 0.5)
    queue(tried, values)
    found = told(tried, "QueueUnforeseen", "--since", "1d")
    [first] = [alert for alert in found["alerts"] if alert["start"].startswith("2025-12-31T12:")]
    assert first["start"] <= "2025-12-31T12:15:00.000Z"
    [note] = [note for note in found["notes"] if "forecast" in note]
    assert "compared with 0 stored forecasts and" in note
    assert int(note.split(" and ")[1].split()[0]) >= 23


def test_a_rule_on_exhaustion_is_replayed_too(tried):
    values = minutes(12 * 60)
    values[-120:] = np.linspace(50, 950, 120)
    queue(tried, values)
    found = told(tried, "QueueFullSoon", "--since", "12h")
    assert len(found["alerts"]) == 1
    assert "2025-12-31T22:00" < found["alerts"][0]["start"] < "2025-12-31T23:30"


def test_what_nothing_is_called_is_said_with_what_is_near(tried):
    queue(tried, minutes(100))
    assert tried.complain("backtest", "QueueLang") == (
        "QueueLang is no alert of the configuration and no metric that was ever measured: "
        "did you mean QueueLong or QueueOdd or queue.length?"
    )
    assert "--since 1x" in tried.complain("backtest", "QueueLong", "--since", "1x")
    assert "--tolerance" in tried.complain("backtest", "QueueLong", "--tolerance", "soon")


def test_series_are_left_out_when_time_is_over_and_that_is_said(tried):
    queue(tried, minutes(100))
    said = tried.say("backtest", "QueueLong", "--at-most", "0s", ends=1)
    assert "queue.length: 1 of 1 series were not judged for want of time" in said


def test_only_series_with_the_labels_asked_for_are_judged(tried):
    values = minutes(24 * 60)
    trouble(values, 0.5)
    queue(tried, values)
    queue(tried, minutes(24 * 60), service="mail")
    assert told(tried, "QueueLong")["series"] == 2
    assert told(tried, "QueueLong", "service=mail")["alerts"] == []


def test_stored_forecasts_are_held_against_before_any_is_made_again(tried):
    values = minutes(6 * 60)
    values[-20:] = 80.0
    first = queue(tried, values)
    made_at = NOW - 6 * HOUR
    hours = [float(value) for value in np.full(6 * 60, 50.0)]
    high = [70.0] * len(hours)
    stored = forecasts.Forecast(1, made_at, "hour", first, 60.0, "by hand", hours, [30.0] * len(hours), high)
    with tried.store.measure() as conn:
        forecasts.add(conn, stored)
    found = told(tried, "QueueUnforeseen", "--since", "6h")
    # The mean of ten minutes passes 70 with the seventh value of 80 or so, and ten minutes later it is told.
    [alert] = found["alerts"]
    assert "2025-12-31T23:54" <= alert["start"] <= "2025-12-31T23:59"
    assert "queue.length: compared with 1 stored forecast and 0 made again at full hours" in found["notes"][0]


def test_incidents_only_the_rule_itself_told_of_are_named(tried):
    values = minutes(24 * 60)
    trouble(values, 0.5)
    queue(tried, values)
    tried.incident(1, NOW - 12 * HOUR, NOW - 11 * HOUR)
    labels = {"alertname": "QueueLong", "service": "shop", "severity": "warning"}
    at = NOW - 12 * HOUR
    with tried.store.decide() as conn:
        alerts.put(conn, Alert("AL-1", "f1", labels, {}, "shop", "warning", "resolved", at, at + 1, at + 1, "INC-1"))
    assert told(tried, "QueueLong")["told_of_by_this_alone"] == ["INC-1"]
    assert "Only this rule itself told of INC-1: that it finds them again says little." in tried.say(
        "backtest", "QueueLong"
    )
    with tried.store.decide() as conn:
        other = {**labels, "alertname": "CheckFailing"}
        alerts.put(conn, Alert("AL-2", "f2", other, {}, "shop", "warning", "resolved", at, at + 1, at + 1, "INC-1"))
    assert told(tried, "QueueLong")["told_of_by_this_alone"] == []
