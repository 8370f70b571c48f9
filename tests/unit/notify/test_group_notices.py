"""A notice of a group of alerts, as people read it on the console and in a webhook's text."""

from dataclasses import replace

import pytest

from forewatch.clock import micros
from forewatch.incidents import wording
from forewatch.notifying.content import Links, complete
from forewatch.notifying.rendering import render
from notifiers.console.sender import ConsoleSender
from notifiers.webhook.sender import WebhookSender

pytestmark = pytest.mark.unit

LINKS = Links("https://fw.example", "https://prefect.example")


@pytest.fixture
def alerts(an_alert):
    """Three that fire: the second is the newest, the third only a warning."""

    def named(number, **fields):
        given = {"alertname": "CheckFailing", "service": f"web-{number}", "severity": "critical"}
        return replace(
            an_alert,
            id=f"AL-{number}",
            fingerprint=f"{number:016x}",
            labels={**given, **fields.pop("labels", {})},
            annotations={"summary": f"web-{number} is down"},
            service=f"web-{number}",
            starts_at=an_alert.starts_at + micros(number),
            incident_id=f"INC-{number}",
            **fields,
        )

    return [named(1), named(2), named(3, severity="warning", classification="latency")]


def resolved(alert):
    return replace(alert, status="resolved", ends_at=alert.starts_at + micros(60))


async def said(a_notification, sender, firing=(), over=(), reason="first notification", labels=None):
    given = wording.of_group("{}:{}", labels or {}, reason, firing, over)
    kind = "page" if firing else "resolved"
    content = complete(a_notification(incident_id=None, kind=kind, severity=given["severity"], content=given), LINKS)
    return (await render(content, sender.templates)).text


async def test_a_webhook_reads_headline_reason_and_a_line_an_alert_the_worst_and_newest_first(a_notification, alerts):
    text = await said(a_notification, WebhookSender, alerts, labels={"alertname": "CheckFailing", "team": "web"})
    assert text == (
        "CRITICAL 3 alerts fire: CheckFailing (team web)\n"
        "First notification.\n"
        "critical AL-2 (CheckFailing) of INC-2: web-2 is down, since 2026-01-01T00:00:02.000Z\n"
        "critical AL-1 (CheckFailing) of INC-1: web-1 is down, since 2026-01-01T00:00:01.000Z\n"
        "warning AL-3 (CheckFailing) of INC-3: web-3 is down, since 2026-01-01T00:00:03.000Z"
    )


async def test_the_console_says_it_in_a_line_each(a_notification, alerts):
    text = await said(a_notification, ConsoleSender, alerts[:1], [resolved(alerts[1])], "some alerts resolved")
    assert list(filter(None, text.splitlines())) == [
        "CRITICAL 1 alert fires, 1 is resolved: CheckFailing",
        "Some alerts resolved.",
        "critical AL-1 (CheckFailing) of INC-1: web-1 is down, since 2026-01-01T00:00:01.000Z",
        "critical AL-2 (CheckFailing) of INC-2: web-2 is down, resolved 2026-01-01T00:01:02.000Z",
    ]


async def test_one_alone_has_its_own_headline_and_a_link_to_its_incident(a_notification, alerts):
    text = await said(a_notification, WebhookSender, alerts[:1])
    assert text.splitlines()[0] == "CRITICAL web-1 is down (INC-1)"
    assert text.splitlines()[-1] == "https://fw.example/incidents/INC-1"
    text = await said(a_notification, WebhookSender, [], [resolved(alerts[0])], "all alerts resolved")
    assert text.splitlines()[:2] == ["RESOLVED web-1 is down (INC-1)", "All alerts resolved."]


async def test_of_many_the_first_ten_are_named_and_the_others_counted(a_notification, alerts):
    many = [replace(alerts[0], id=f"AL-{number}", labels={"alertname": f"A{number % 5}"}) for number in range(13)]
    text = await said(a_notification, WebhookSender, many)
    assert text.splitlines()[0] == "CRITICAL 13 alerts fire: A0, A1, A2 and 2 more (INC-1)"
    assert len([line for line in text.splitlines() if line.startswith("critical AL-")]) == 10
    assert [line for line in text.splitlines() if line][-2] == "and 3 more"


def test_its_content_has_every_key_and_the_classifications(a_notification, alerts):
    group = wording.of_group('{}:{team="web"}', {"team": "web"}, "new alerts added", alerts, [])
    content = complete(a_notification(incident_id=None, content=group), LINKS)
    plain = complete(a_notification(content={"title": "t"}), LINKS)
    assert set(plain) <= set(content)
    assert content["group_key"] == '{}:{team="web"}'
    assert [one["classification"] for one in content["alerts"]] == ["availability", "availability", "latency"]
    assert content["alert"]["classification"] is None
    assert (plain["group_key"], plain["alerts"], plain["truncated_alerts"]) == (None, [], 0)


def test_a_page_says_what_kind_of_trouble_it_is(a_notification, an_alert):
    slow = replace(an_alert, classification="latency")
    given = wording.trouble(slow, "INC-7", {}, "", None)
    assert complete(a_notification(content=given), LINKS)["alert"]["classification"] == "latency"
    assert complete(a_notification(content=given), LINKS, alert=slow)["alerts"][0]["classification"] == "latency"
