"""Webhooks in Alertmanager's form (version 4), as a real HTTP server gets them: every field, and nothing else."""

import json
import re
from dataclasses import replace

import pytest
from test_webhook_receiver import AT, Receiver

from forewatch.alerting.alert import Alert
from forewatch.alerting.fingerprint import fingerprint
from forewatch.alerting.notification import Notification
from forewatch.clock import micros
from forewatch.config.models import Notifier, Webhook
from forewatch.config.sources import Source
from forewatch.incidents import wording
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.intake.sources.alertmanager_webhook import parse
from forewatch.notifying.content import Links, complete
from forewatch.notifying.rendering import render
from notifiers import sender_for

LINKS = Links("https://fw.example", "https://p.example")
ZERO = "0001-01-01T00:00:00Z"
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
REASONS = {
    "first notification", "new alerts added", "all alerts resolved", "some alerts resolved", "repeat interval elapsed",
}  # fmt: skip
FIELDS = {
    "receiver": str, "status": str, "alerts": list, "groupLabels": dict, "commonLabels": dict,
    "commonAnnotations": dict, "externalURL": str, "version": str, "groupKey": str, "truncatedAlerts": int,
    "notification_reason": str,
}  # fmt: skip
FIELDS_OF_AN_ALERT = {
    "status": str, "labels": dict, "annotations": dict, "startsAt": str, "endsAt": str, "generatorURL": str,
    "fingerprint": str,
}  # fmt: skip


def has_the_shape(body):
    """Every field is there with its type and within its values, none is there that Alertmanager does not send."""
    assert {name: type(value) for name, value in body.items()} == FIELDS
    assert body["version"] == "4"
    assert body["groupKey"]
    assert body["truncatedAlerts"] >= 0
    assert body["notification_reason"] in REASONS
    assert body["alerts"]
    for texts in (body["groupLabels"], body["commonLabels"], body["commonAnnotations"]):
        assert all(type(value) is str for value in texts.values())
    for alert in body["alerts"]:
        assert {name: type(value) for name, value in alert.items()} == FIELDS_OF_AN_ALERT
        assert alert["status"] in ("firing", "resolved")
        assert all(type(value) is str for texts in (alert["labels"], alert["annotations"]) for value in texts.values())
        assert RFC_3339.fullmatch(alert["startsAt"])
        assert RFC_3339.fullmatch(alert["endsAt"])
        assert (alert["endsAt"] == ZERO) == (alert["status"] == "firing")
        assert re.fullmatch(r"[0-9a-f]{16}", alert["fingerprint"])
        assert body["commonLabels"].items() <= alert["labels"].items()
        assert body["commonAnnotations"].items() <= alert["annotations"].items()
    assert body["status"] == ("firing" if any(one["status"] == "firing" for one in body["alerts"]) else "resolved")
    assert len({one["fingerprint"] for one in body["alerts"]}) == len(body["alerts"])


@pytest.fixture
async def receiver(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with Receiver() as receiver:
        yield receiver


def an_alert(number=1, service="shop", **fields):
    labels = {"alertname": "CheckFailing", "service": service, "check": f"c{number}", "severity": "critical"}
    return replace(
        Alert(
            id=f"AL-{number}",
            fingerprint=fingerprint(labels),
            labels=labels,
            annotations={"summary": f"{service}: check c{number} fails", "team": "web"},
            service=service,
            severity="critical",
            status="firing",
            starts_at=AT + micros(number),
            ends_at=None,
            updated_at=AT,
            incident_id="INC-7",
            generator_url=f"http://prometheus.example/graph?g0.expr=c{number}",
        ),
        **fields,
    )


def over(alert, after=60):
    return replace(alert, status="resolved", ends_at=alert.starts_at + micros(after))


async def posted(receiver, content, *, kind="page", incident_id=None, alert=None, alerts=(), **options):
    """What the receiver gets."""
    notification = Notification(
        id="NT-42",
        incident_id=incident_id,
        alert_id=alert.id if alert is not None else None,
        run_id=None,
        kind=kind,
        severity=content.get("severity", "critical"),
        notifier="ops-hook",
        state="claimed",
        not_before=AT,
        content=content,
        created_at=AT + micros(500),
    )
    webhook = Webhook(url=receiver.url, **{"format": "alertmanager", **options})
    sender = sender_for(Notifier(name="ops-hook", webhook=webhook))
    complete_content = complete(notification, LINKS, alert=alert, alerts=alerts)
    await sender.send(notification, complete_content, await render(complete_content, sender.templates))
    body = json.loads(receiver.requests[-1][2])
    if webhook.format == "alertmanager":
        has_the_shape(body)
    return body


def of_group(firing=(), resolved=(), reason="first notification"):
    labels = {"alertname": "CheckFailing"}
    return wording.of_group('{}/{}:{alertname="CheckFailing"}', labels, reason, firing, resolved)


async def test_a_notice_of_a_group_is_what_alertmanager_sends(receiver):
    first, second = an_alert(1), over(an_alert(2))
    body = await posted(receiver, of_group([first], [second], "some alerts resolved"))
    common = {"alertname": "CheckFailing", "service": "shop", "severity": "critical"}
    assert body == {
        "receiver": "ops-hook",
        "status": "firing",
        "alerts": [
            {
                "status": "firing",
                "labels": {**common, "check": "c1"},
                "annotations": {"summary": "shop: check c1 fails", "team": "web"},
                "startsAt": "2026-01-01T00:00:01.000Z",
                "endsAt": ZERO,
                "generatorURL": "http://prometheus.example/graph?g0.expr=c1",
                "fingerprint": first.fingerprint,
            },
            {
                "status": "resolved",
                "labels": {**common, "check": "c2"},
                "annotations": {"summary": "shop: check c2 fails", "team": "web"},
                "startsAt": "2026-01-01T00:00:02.000Z",
                "endsAt": "2026-01-01T00:01:02.000Z",
                "generatorURL": "http://prometheus.example/graph?g0.expr=c2",
                "fingerprint": second.fingerprint,
            },
        ],
        "groupLabels": {"alertname": "CheckFailing"},
        "commonLabels": common,
        "commonAnnotations": {"team": "web"},
        "externalURL": "https://fw.example",
        "version": "4",
        "groupKey": '{}/{}:{alertname="CheckFailing"}',
        "truncatedAlerts": 0,
        "notification_reason": "some alerts resolved",
    }


async def test_a_group_that_is_over_is_resolved(receiver):
    body = await posted(receiver, of_group([], [over(an_alert(1))], "all alerts resolved"), kind="resolved")
    assert (body["status"], body["notification_reason"]) == ("resolved", "all alerts resolved")


@pytest.mark.parametrize(("most", "shown", "truncated"), [(0, 5, 0), (2, 2, 3), (5, 5, 0), (9, 5, 0)])
async def test_max_alerts_leaves_alerts_out_and_says_how_many(receiver, most, shown, truncated):
    group = of_group([an_alert(number) for number in range(1, 6)])
    body = await posted(receiver, group, max_alerts=most)
    assert (len(body["alerts"]), body["truncatedAlerts"]) == (shown, truncated)


async def test_what_a_large_group_leaves_out_is_counted_too(receiver):
    body = await posted(receiver, of_group([an_alert(number) for number in range(1, 151)]), max_alerts=10)
    assert (len(body["alerts"]), body["truncatedAlerts"]) == (10, 140)


async def test_a_page_of_an_incident_is_a_group_of_one_alert(receiver):
    alert = an_alert(1)
    said = wording.trouble(alert, "INC-7", {}, "No remedy is set for it.", None)
    body = await posted(receiver, said, incident_id="INC-7", alert=alert)
    [sent] = body["alerts"]
    assert (sent["labels"], sent["fingerprint"]) == (alert.labels, alert.fingerprint)
    assert sent["annotations"]["summary"] == "shop: check c1 fails"
    assert sent["annotations"]["message"].startswith("CRITICAL shop: check c1 fails (INC-7, since ")
    assert "No remedy is set for it." in sent["annotations"]["message"]
    assert body["groupKey"] == '{}:{incident="INC-7"}'
    assert body["groupLabels"] == {"incident": "INC-7"}
    assert body["commonLabels"] == alert.labels
    assert body["notification_reason"] == "first notification"


async def test_a_page_says_that_it_fires_though_it_arrives_when_that_is_over(receiver):
    alert = over(an_alert(1))
    body = await posted(receiver, wording.trouble(alert, "INC-7", {}, "", None), incident_id="INC-7", alert=alert)
    assert body["status"] == "firing"


async def test_the_end_of_an_incident_resolves_each_of_its_alerts_under_the_same_key(receiver):
    alerts = [over(an_alert(1)), an_alert(2)]  # one was resolved by hand while it fired
    said = {"title": "Resolved: shop", "text": "It is over.", "severity": "critical", "service": "shop"}
    body = await posted(receiver, said, kind="resolved", incident_id="INC-7", alerts=alerts)
    assert body["groupKey"] == '{}:{incident="INC-7"}'
    assert [one["fingerprint"] for one in body["alerts"]] == [alert.fingerprint for alert in alerts]
    assert [one["endsAt"] for one in body["alerts"]] == ["2026-01-01T00:01:01.000Z", "2026-01-01T00:08:20.000Z"]
    assert (body["status"], body["notification_reason"]) == ("resolved", "all alerts resolved")


@pytest.mark.parametrize("kind", ["page", "report", "failure", "resolved", "test"])
async def test_what_is_about_no_alert_becomes_one(receiver, kind):
    said = {"title": "clear-cache failed", "text": "RUN-3 was started by ana.", "severity": "warning"}
    body = await posted(receiver, said, kind=kind)
    [sent] = body["alerts"]
    assert sent["labels"] == {"alertname": f"Forewatch{kind.capitalize()}", "severity": "warning"}
    assert sent["annotations"]["summary"] == "clear-cache failed"
    assert "clear-cache failed" in sent["annotations"]["message"]
    assert body["status"] == ("resolved" if kind == "resolved" else "firing")
    assert body["groupKey"] == '{}:{notification="NT-42"}'


async def test_an_alert_that_is_not_stored_has_what_is_known_of_it(receiver):
    said = {"title": "t", "severity": "critical", "alert": {"labels": {"alertname": "Down"}, "annotations": {}}}
    for kind in ("page", "report", "resolved"):
        body = await posted(receiver, said, kind=kind, incident_id="INC-7")
        assert body["alerts"][0]["fingerprint"] == fingerprint({"alertname": "Down"})


async def test_another_forewatch_takes_it_in_as_the_same_alerts(receiver):
    source = Source(name="downstairs", alertmanager_webhook={})
    alerts = [an_alert(1), over(an_alert(2))]
    body = await posted(receiver, of_group(alerts[:1], alerts[1:], "some alerts resolved"))
    raised, cleared = parse(json.dumps(body).encode(), {}, source, AT + micros(500)).events
    assert isinstance(raised, AlertRaised)
    assert isinstance(cleared, AlertCleared)
    assert [fingerprint(event.identity) for event in (raised, cleared)] == [alert.fingerprint for alert in alerts]
    assert (raised.at, cleared.at) == (alerts[0].starts_at, alerts[1].ends_at)


async def test_our_own_form_carries_the_group_too(receiver):
    group = of_group([an_alert(number) for number in range(1, 6)])
    body = await posted(receiver, group, format="forewatch", max_alerts=2)
    assert body["version"] == "1"
    assert {name: value for name, value in body["group"].items() if name != "alerts"} == {
        "key": '{}/{}:{alertname="CheckFailing"}',
        "labels": {"alertname": "CheckFailing"},
        "common_labels": {"alertname": "CheckFailing", "service": "shop", "severity": "critical"},
        "common_annotations": {"team": "web"},
        "truncated_alerts": 3,
    }
    assert [one["id"] for one in body["group"]["alerts"]] == ["AL-1", "AL-2"]
    assert body["group"]["alerts"][0]["classification"] == "availability"
    assert body["alert"]["classification"] == "availability"
