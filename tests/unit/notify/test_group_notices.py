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


async def test_a_webhook_reads_a_line_an_alert_the_worst_and_newest_first_and_where_to_look(a_notification, alerts):
    text = await said(a_notification, WebhookSender, alerts, labels={"alertname": "CheckFailing", "team": "web"})
    assert text == (
        "CRITICAL 3 alerts fire: CheckFailing (team web)\n"
        "CRITICAL web-2 is down (INC-2, since 00:00:02 UTC)\n"
        "CRITICAL web-1 is down (INC-1, since 00:00:01 UTC)\n"
        "WARNING web-3 is down (INC-3, since 00:00:03 UTC)\n"
        "\n"
        "https://fw.example/incidents"
    )


async def test_why_it_is_sent_again_is_said_where_the_headline_does_not(a_notification, alerts):
    for reason, words in (
        ("new alerts added", "New alerts added."),
        ("repeat interval elapsed", "Still firing, so it is sent again."),
    ):
        assert (await said(a_notification, WebhookSender, alerts, reason=reason)).splitlines()[1] == words


async def test_the_console_says_it_in_a_line_each(a_notification, alerts):
    text = await said(a_notification, ConsoleSender, alerts[:1], [resolved(alerts[1])], "some alerts resolved")
    assert list(filter(None, text.splitlines())) == [
        "CRITICAL 1 alert fires, 1 is resolved: CheckFailing",
        "CRITICAL web-1 is down (INC-1, since 00:00:01 UTC)",
        "RESOLVED web-2 is back after 1m (INC-2)",
    ]


async def test_one_alone_has_its_own_headline_and_a_link_to_its_incident(a_notification, alerts):
    text = await said(a_notification, WebhookSender, alerts[:1])
    link = "https://fw.example/incidents/INC-1"
    assert text.split() == f"CRITICAL web-1 is down (INC-1, since 00:00:01 UTC) {link}".split()
    described = replace(alerts[0], annotations={"summary": "web-1 is down", "description": "Its fan is broken"})
    assert (await said(a_notification, WebhookSender, [described])).splitlines()[1] == "Its fan is broken."
    text = await said(a_notification, WebhookSender, [], [resolved(alerts[0])], "all alerts resolved")
    assert text.split() == f"RESOLVED web-1 is back after 1m (INC-1) {link}".split()


async def test_an_end_that_nobody_saw_to_be_well_is_told_as_that(a_notification, alerts):
    gone = [replace(resolved(alert), ended="no longer watched (last: down)") for alert in alerts[:2]]
    text = await said(a_notification, ConsoleSender, [], gone[:1], "all alerts resolved")
    assert text == "ENDED web-1 is down: no longer watched (last: down)"
    assert (await said(a_notification, ConsoleSender, [], gone)).splitlines() == [
        "ENDED 2 alerts are over: CheckFailing",
        "ENDED web-1 is down: no longer watched (last: down) (INC-1)",
        "ENDED web-2 is down: no longer watched (last: down) (INC-2)",
    ]


async def test_of_many_the_first_ten_are_named_and_the_others_counted(a_notification, alerts):
    many = [replace(alerts[0], id=f"AL-{number}", labels={"alertname": f"A{number % 5}"}) for number in range(13)]
    text = await said(a_notification, WebhookSender, many)
    assert text.splitlines()[0] == "CRITICAL 13 alerts fire: A0, A1, A2 and 2 more (INC-1)"
    assert len([line for line in text.splitlines() if line.startswith("CRITICAL web-1 ")]) == 10
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
