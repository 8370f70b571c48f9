"""Which alerts of a POST are good, and what they say: Alertmanager's rules."""

import json

import pytest

from forewatch.clock import micros
from forewatch.intake.posted_alerts import (
    MOST_ALERTS,
    MOST_PROBLEMS,
    Malformed,
    alerts_of,
    check,
    instant,
)

pytestmark = pytest.mark.unit

NOW = micros(1_767_225_600)  # 2026-01-01T00:00:00Z


def body(*alerts):
    return json.dumps(alerts).encode()


def read(alert, resolve_after=300.0):
    (found,) = alerts_of(body(alert), NOW, resolve_after)
    return found


def problems(*alerts):
    return check(body(*alerts), NOW).problems


def test_a_body_in_which_all_is_good_is_kept_byte_for_byte():
    raw = b' [ {"labels" : {"alertname":"A"}, "unknown": [1]} ] '
    (part,) = check(raw, NOW).parts
    assert part.body is raw


def test_good_alerts_are_kept_where_others_are_bad():
    checked = check(body({"labels": {"a": ""}}, {"labels": {"alertname": "Good"}}, {"labels": 3}), NOW)
    assert [alert["labels"] for alert in json.loads(checked.parts[0].body)] == [{"alertname": "Good"}]
    assert checked.problems == ["alert 0: at least one label pair required", "alert 2: labels is not an object"]


def test_nothing_is_kept_where_all_are_bad():
    assert check(body({"labels": {}}), NOW).parts == ()


@pytest.mark.parametrize(
    "raw", [b"[", b"{}", b"null", b"3", b'"alerts"', b"\xff\xfe", b"[NaN]", b'[{"labels":{"a":"\xff"}}]']
)
def test_what_is_no_list_of_alerts_is_malformed(raw):
    with pytest.raises(Malformed, match="parsing alerts body failed"):
        check(raw, NOW)


@pytest.mark.parametrize(
    ("alert", "said"),
    [
        (3, "not an object"),
        ({}, "labels in body is required"),
        ({"labels": None}, "labels in body is required"),
        ({"labels": {"a": None, "": "b"}}, "at least one label pair required"),
        ({"labels": {"a": "b"}, "startsAt": 3}, "startsAt is not text"),
        ({"labels": {"a": "b"}, "endsAt": "tomorrow"}, "endsAt: tomorrow is not a time"),
        ({"labels": {"a": "b"}, "endsAt": "2026-02-30T00:00:00Z"}, "is not a time"),
        (
            {"labels": {"a": "b"}, "startsAt": "2026-01-02T00:00:00Z", "endsAt": "2026-01-01T00:00:00Z"},
            "start time must be before end time",
        ),
        ({"labels": {"a": "b"}, "startsAt": "2030-01-01T00:00:00Z"}, "start time must be before end time"),
    ],
)
def test_a_bad_alert_is_told_what_is_wrong(alert, said):
    (problem,) = problems(alert)
    assert problem.startswith("alert 0: ")
    assert said in problem


def test_a_request_may_have_so_many_alerts_and_problems_and_no_more():
    assert len(problems(*([{}] * 5000))) == MOST_PROBLEMS + 1
    assert problems(*([{}] * 5000))[-1] == "and 4000 more alerts are wrong"
    with pytest.raises(Malformed, match="send several"):
        check(b"[" + b",".join([b"{}"] * (MOST_ALERTS + 1)) + b"]", NOW)


def test_no_other_field_costs_the_alert():
    odd = {"labels": {"alertname": "A", "a": None, "b": 3, "c": "x" * 70_000}, "annotations": ["x"], "generatorURL": {}}
    assert problems(odd) == []
    alert = read(odd)
    assert alert.labels.keys() == {"alertname", "b", "c"}
    assert alert.labels["b"] == "3"
    assert len(alert.labels["c"]) == 65_536
    assert read({"labels": {"a": "b"}, "annotations": {"c": None, "d": 1}}).annotations == {"d": "1"}


def test_an_alert_whose_severity_is_no_text_rides_in_the_critical_lane():
    (part,) = check(body({"labels": {"a": "b", "severity": None}}), NOW).parts
    assert part.critical


def test_label_names_may_be_any_utf8():
    assert problems({"labels": {"größe": "1", "with space": "2", "a.b/c": "3"}}) == []


def test_labels_with_an_empty_value_are_dropped():
    assert read({"labels": {"alertname": "A", "team": ""}}).labels == {"alertname": "A"}


def test_without_any_time_it_begins_now_and_ends_after_our_patience():
    alert = read({"labels": {"a": "b"}}, resolve_after=60.0)
    assert (alert.starts_at, alert.ends_at, alert.timeout) == (NOW, NOW + micros(60), True)


def test_without_a_start_it_begins_when_it_ends():
    alert = read({"labels": {"a": "b"}, "endsAt": "2025-12-31T23:00:00Z"})
    assert alert.starts_at == alert.ends_at == NOW - micros(3600)
    assert not alert.timeout


def test_go_writes_an_instant_that_is_not_set_as_the_year_one():
    alert = read({"labels": {"a": "b"}, "startsAt": "0001-01-01T00:00:00.000Z", "endsAt": "0001-01-01T00:00:00Z"})
    assert (alert.starts_at, alert.timeout) == (NOW, True)


def test_an_alert_of_a_clock_that_is_ahead_has_begun_when_it_came():
    assert read({"labels": {"a": "b"}, "startsAt": "2026-01-01T00:04:00Z"}).starts_at == NOW


@pytest.mark.parametrize(
    ("text", "micro"),
    [
        ("2026-01-01T00:00:00Z", 0),
        ("2026-01-01T01:00:00+01:00", 0),
        ("2026-01-01t00:00:00.5z", 500_000),
        ("2026-01-01T00:00:00.123456789Z", 123_456),
        ("2026-01-01T00:00:00", 0),
        ("2026-01-01", 0),
    ],
)
def test_times_are_rfc_3339(text, micro):
    assert instant(text) == NOW + micro


@pytest.mark.parametrize(
    "text", ["2026", "2026-01-01T", "20260101T000000Z", "2026-W01-1", "1e9", "٢٠٢٦-01-01", "2026-13-01"]
)
def test_other_times_are_refused(text):
    with pytest.raises(ValueError, match="is not a time"):
        instant(text)
