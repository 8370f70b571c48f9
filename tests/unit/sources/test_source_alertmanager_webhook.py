"""Webhooks of another Alertmanager."""

import pytest
from source_samples import MINUTE, NOW, alert, encoded, source, webhook

from forewatch.alerting.fingerprint import fingerprint
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.intake.sources.alertmanager_webhook import parse

pytestmark = pytest.mark.unit

SOURCE = source("alertmanager_webhook", service=["instance"])


def parsed(*alerts, **fields):
    return parse(encoded(webhook(*alerts, **fields)), {}, SOURCE, NOW)


def test_a_firing_alert_is_raised_as_it_was_sent():
    [event] = parsed(alert()).events
    assert isinstance(event, AlertRaised)
    assert event.labels == {"alertname": "DiskFull", "instance": "db1", "severity": "critical"}
    assert event.annotations == {"summary": "the disk of db1 is full"}
    assert (event.service, event.sender) == ("db1", "my-alertmanager-webhook")
    assert event.generator_url.startswith("http://prometheus.example/")
    assert NOW - 10 * MINUTE < event.at < NOW - 9 * MINUTE


def test_its_fingerprint_is_the_senders():
    [event] = parsed(alert()).events
    assert fingerprint(event.identity) == alert()["fingerprint"]


def test_it_does_not_time_out_for_its_sender_says_when_it_is_over():
    [event] = parsed(alert()).events
    assert (event.until, event.timeout) == (None, False)
    [event] = parsed(alert("resolved")).events
    assert isinstance(event, AlertCleared)
    assert event.at == NOW - MINUTE
    assert fingerprint(event.identity) == alert()["fingerprint"]


def test_the_same_request_twice_makes_the_same_events():
    assert parsed(alert(), alert("resolved")) == parsed(alert(), alert("resolved"))


def test_fields_nobody_knows_are_accepted():
    assert parsed(alert(origin="x"), notification_reason="new alerts added", other=[1]).refused == []


def test_of_a_batch_the_good_alerts_are_taken_and_the_bad_ones_named():
    bad = [alert(labels={}), alert(labels={"a": None}), alert("pending"), "no object"]
    found = parsed(alert(), *bad, alert("resolved"))
    assert len(found.events) == 2
    assert [sentence.partition(":")[0] for sentence in found.refused] == [f"alerts[{i}]" for i in range(1, 5)]


def test_no_alert_is_lost_over_one_field():
    odd = [
        {"labels": {"alertname": "A", "pod": None}}, {"labels": {"alertname": "A", "path": "x" * 2_100}},
        {"labels": {"alertname": "A", "port": 80, "up": True, "zones": ["a"]}}, {"startsAt": "soon"}, {"endsAt": 3},
        {"labels": {"alertname": "A", **{f"l{i}": "x" for i in range(10_000)}}}, {"generatorURL": 7},
    ]  # fmt: skip
    found = parsed(*(alert(**fields) for fields in odd))
    assert found.refused == []
    first, long, typed, soon = found.events[:4]
    assert first.labels == {"alertname": "A", "severity": "critical"}
    assert long.labels["path"] == long.identity["path"] == "x" * 2_100
    assert (typed.labels["port"], typed.labels["up"], typed.labels["zones"]) == ("80", "true", '["a"]')
    assert soon.at == NOW


def test_annotations_of_the_wrong_type_do_not_cost_the_alert():
    [event] = parsed(alert(annotations=["x"])).events
    assert event.annotations == {}


@pytest.mark.parametrize("body", [b"{}", b'{"alerts": {}}', b"[]", b"x", encoded({"alerts": ["x"] * 10_001})])
def test_what_is_no_webhook_is_refused(body):
    with pytest.raises(ValueError, match=r"alerts|JSON"):
        parse(body, {}, SOURCE, NOW)
