"""Every kind of message as people read it, on the terminal and in a webhook, held in `golden_messages.txt`.

`FOREWATCH_WRITE_GOLDEN=1 pytest tests/unit/notify/test_golden_messages.py` writes the file anew: read the difference.
"""

import os
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from forewatch.alerting.notification import Notification
from forewatch.clock import micros
from forewatch.config.models import Config
from forewatch.incidents.events import AlertCleared, AlertRaised, AlertTimedOut, IncidentSplit, RoutesChanged
from forewatch.notifying.content import Links, complete
from forewatch.notifying.rendering import render
from forewatch.notifying.terminal import laid_out
from forewatch.orchestration.damaged_store import content_of
from notifiers.console.sender import ConsoleSender
from notifiers.webhook.sender import WebhookSender
from tasks import delivery
from tasks.shifts.decider import direct_page

sys.path.insert(0, str(Path(__file__).parents[1] / "incidents"))
from memory_view import NINE_O_CLOCK, World, shop
from test_withheld_alerts import silence

pytestmark = pytest.mark.unit

GOLDEN = Path(__file__).with_name("golden_messages.txt")
LINKS = Links("http://127.0.0.1:4280", "http://127.0.0.1:4200")


def company(**more):
    services = [
        {"name": "website", "depends_on": ["app"]},
        {"name": "app", "depends_on": ["db", "cache"]},
        {"name": "db"},
        {"name": "cache"},
        {"name": "mail"},
    ]
    people = {"notifiers": [{"name": "ops", "console": {}}], "routes": [{"notify": ["ops"]}]}
    return {"services": services, "digest": {"within": "5s"}, **people, **more}


def down(world, service, summary, **values):
    world.fails(service=service, summary=summary, values=values)


def notice(content):
    about = ("NT-1", None, None, None, "page", "critical", "ops", "claimed", NINE_O_CLOCK)
    return Notification(*about, content, NINE_O_CLOCK)


def a_page():
    world = World(company())
    down(world, "website", "website is down: home refused by localhost:8491")
    return world


def a_page_while_a_remedy_works():
    world = World(shop(hold="0s"))
    world.fails(summary="shop is down: refused by 127.0.0.1:8001")
    return world


def fixed_before_anybody_was_woken():
    world = World(shop(hold="30s"))
    world.fails(summary="shop is down: refused by 127.0.0.1:8001")
    world.wait(1)
    world.starting()
    world.acted()
    world.wait(3)
    world.recovers()
    return world


def a_remedy_that_did_not_help():
    world = World(shop(hold="0s"))
    world.fails(summary="shop is down: refused by 127.0.0.1:8001")
    world.wait(1)
    world.starting()
    world.wait(5)
    world.failed()
    return world


def an_update_of_another_service():
    world = a_page()
    world.wait(10)
    down(world, "cache", "cache is down: refused by 127.0.0.1:6391")
    return world


def an_update_of_another_check():
    world = a_page()
    world.wait(10)
    world.fails("static", service="website", summary="website answers with errors: static 503 after 2 ms")
    return world


def resolved():
    world = a_page()
    world.wait(18)
    world.recovers(service="website")
    return world


def ended_since_nobody_watches_any_more():
    world = a_page()
    world.wait(18)
    labels = {"alertname": "CheckFailing", "service": "website", "check": "http", "severity": "critical"}
    world.decide(AlertCleared(labels, world.now, {"reason": "no longer watched (last: down)"}, unwatched=True))
    return world


def closed_by_hand():
    world = a_page()
    world.wait(18)
    world.resolve(reason="known")
    return world


def a_digest_of_several_incidents():
    world = a_page()
    world.wait(1)
    down(world, "mail", "mail is down: refused by 127.0.0.1:25")
    down(world, "db", "db does not answer: no answer from 127.0.0.1:5432 within 1.5 s")
    world.wait(5)
    return world


def a_digest_of_many():
    services = [{"name": f"svc{n}"} for n in range(2000)]
    world = World(company(services=services))
    for n in range(40):
        down(world, f"svc{n}", f"svc{n} is down: refused by 10.0.0.{n}:80")
    world.wait(6)
    return world


def recoveries_of_many():
    world = a_digest_of_many()
    for n in range(40):
        world.recovers(service=f"svc{n}")
    world.wait(16)
    return world


def flapping_begins():
    world = World(company(flapping={"after": 3, "within": "10m", "calm": "15m"}))
    for _ in range(3):
        down(world, "db", "db is down: refused by 127.0.0.1:5432", failure="refused")
        world.wait(10)
        world.recovers(service="db")
        world.wait(10)
    return world


def by_group(**more):
    route = {"notify": ["ops"], "group_by": ["alertname"], "group_wait": "10s", "group_interval": "30s"}
    return World(company(routes=[route], **more))


def a_notice_of_a_group():
    world = by_group()
    down(world, "website", "website is down: home refused by localhost:8491")
    world.wait(1)
    world.fails(service="mail", severity="warning", summary="mail is slow: took 4 s, expected at most 1 s")
    world.wait(10)
    return world


def a_notice_of_a_group_with_one_more():
    world = a_notice_of_a_group()
    down(world, "printer", "printer is down: refused by 127.0.0.1:631")
    world.wait(30)
    return world


def a_notice_of_a_group_partly_over():
    world = a_notice_of_a_group()
    world.recovers(service="website")
    world.wait(30)
    return world


def a_notice_of_a_group_that_is_over():
    world = a_notice_of_a_group()
    world.recovers(service="website")
    world.recovers(service="mail", severity="warning")
    world.wait(30)
    return world


def a_notice_of_a_group_of_one():
    world = by_group()
    down(world, "website", "website is down: home refused by localhost:8491")
    world.wait(10)
    return world


def a_notice_of_a_group_of_one_that_is_sent_again():
    world = a_notice_of_a_group_of_one()
    world.wait(4 * 3600 + 60)
    return world


def a_notice_of_a_group_of_one_that_is_over():
    world = a_notice_of_a_group_of_one()
    world.recovers(service="website")
    world.wait(30)
    return world


def a_silence_that_is_about_to_end():
    world = World(company())
    silence(world, "service=~website|mail", hours=1, author="ops", id="79a274b2-6c1d-4a81-855d-bdf7232bb64d")
    down(world, "website", "website is down: home refused by localhost:8491")
    down(world, "mail", "mail is down: refused by 127.0.0.1:25")
    world.wait(55 * 60)
    return world


def still_failing_after_a_silence():
    world = World(company())
    silence(world, "service=website", hours=1)
    down(world, "website", "website is down: home refused by localhost:8491")
    world.wait(3601)
    return world


def still_failing_after_what_inhibited_it():
    rule = {"source": ["alertname=HostDown"], "target": ["alertname=CheckFailing"]}
    world = World(company(inhibitions=[rule]))
    world.fails("x", service="host", alertname="HostDown", summary="the host is down")
    world.fails(service="mail", severity="warning", summary="mail is down: refused by 127.0.0.1:25")
    world.wait(10)
    world.recovers("x", service="host", alertname="HostDown")
    world.wait(1)
    return world


def over_in_part():
    world = an_update_of_another_service()
    world.wait(10)
    world.recovers(service="cache")
    world.wait(31)
    return world


def no_longer_yours():
    people = [{"name": "ops", "console": {}}, {"name": "web", "console": {}}]
    world = a_page()
    config = company(notifiers=people, routes=[{"notify": ["web"]}])
    world.view.config = Config.model_validate(config)
    world.decide(RoutesChanged(["AL-1"], 2, world.now))
    world.wait(10)
    return world, "ops"


def no_longer_reported():
    world = World(company(sources=[{"name": "prometheus", "alertmanager": {}}]))
    labels = {"alertname": "QueueLong", "service": "mail", "severity": "warning"}
    raised = AlertRaised(labels, {"summary": "mail has 900 letters to send"}, world.now, {}, "prometheus")
    world.decide(replace(raised, until=world.now + micros(300), timeout=True))
    world.wait(300)
    [mark] = [alert.fingerprint for alert in world.view.alerts.values()]
    world.decide(AlertTimedOut(mark, world.now))
    world.wait(10)
    return world


def a_run_that_failed_of_no_incident():
    world = World(company())
    world.request(service="website")
    world.failed(reason="the disk is full")
    return world


def a_remedy_that_acted_and_did_not_help():
    world = World(shop(hold="0s"))
    world.fails(summary="shop is down: refused by 127.0.0.1:8001")
    world.starting()
    world.wait(2)
    world.acted()
    world.wait(20)
    return world


def a_held_page_after_a_remedy_that_did_not_help():
    world = World(shop(hold="60s"))
    world.fails(summary="shop is down: refused by 127.0.0.1:8001")
    world.starting()
    world.wait(2)
    world.acted()
    world.wait(20)
    return world


def a_remedy_that_could_not_run():
    world = World(shop(hold="0s"))
    world.fails(summary="shop is down: refused by 127.0.0.1:8001")
    world.wait(1)
    world.view.stopped = "automation was stopped by ana: moving."
    world.starting()
    return world


def a_remedy_that_tries_again_at_a_time():
    world = World(shop(hold="0s"))
    world.fails(summary="shop is down: refused by 127.0.0.1:8001")
    world.starting()
    world.acted()
    world.wait(5)
    world.recovers()
    world.wait(20)
    world.fails(summary="shop is down: refused by 127.0.0.1:8001")
    return world


def a_remedy_that_waits_for_its_dependency():
    services = [{**shop()["services"][0], "depends_on": ["db"]}, {"name": "db"}]
    routes = [{"match": {"service": "db"}, "notify": []}, {"notify": ["ops"]}]
    world = World(shop(hold="0s", routes=routes) | {"services": services})
    down(world, "db", "db is down: refused by 127.0.0.1:5432")
    world.fails(summary="shop is down: refused by 127.0.0.1:8001")
    return world


def over_before_its_page_was_sent():
    world = a_page()
    world.wait(1)
    down(world, "mail", "mail is down: refused by 127.0.0.1:25")
    world.wait(2)
    world.recovers(service="mail")
    world.wait(5)
    return world


def an_update_after_a_split():
    world = an_update_of_another_service()
    world.wait(10)
    world.decide(IncidentSplit("INC-1", ["AL-2"], "ana", world.now))
    return world


def a_test():
    return delivery.a_test("ops", NINE_O_CLOCK)


def a_direct_page():
    labels = {"alertname": "CheckFailing", "service": "website", "check": "http", "severity": "critical"}
    event = AlertRaised(labels, {"summary": "website is down: home refused by localhost:8491"}, NINE_O_CLOCK)
    return notice(direct_page(event, "Forewatch's store takes no writes (is the disk full?)"))


def a_damaged_store():
    wrong = "/srv/forewatch/decisions.db: database disk image is malformed"
    how = "There is no good backup in /srv/forewatch/backups."
    return notice(content_of("decisions.db", wrong, how))


def an_information():
    world = World(company())
    world.fails(service="db", severity="info", summary="db has 12 idle connections")
    return world


SCENES = (
    a_page,
    a_page_while_a_remedy_works,
    fixed_before_anybody_was_woken,
    a_remedy_that_did_not_help,
    an_update_of_another_service,
    an_update_of_another_check,
    resolved,
    ended_since_nobody_watches_any_more,
    closed_by_hand,
    a_digest_of_several_incidents,
    a_digest_of_many,
    recoveries_of_many,
    flapping_begins,
    an_information,
    a_notice_of_a_group,
    a_notice_of_a_group_with_one_more,
    a_notice_of_a_group_partly_over,
    a_notice_of_a_group_that_is_over,
    a_notice_of_a_group_of_one,
    a_notice_of_a_group_of_one_that_is_sent_again,
    a_notice_of_a_group_of_one_that_is_over,
    a_silence_that_is_about_to_end,
    still_failing_after_a_silence,
    still_failing_after_what_inhibited_it,
    over_in_part,
    no_longer_yours,
    no_longer_reported,
    a_run_that_failed_of_no_incident,
    a_remedy_that_acted_and_did_not_help,
    a_held_page_after_a_remedy_that_did_not_help,
    a_remedy_that_could_not_run,
    a_remedy_that_tries_again_at_a_time,
    a_remedy_that_waits_for_its_dependency,
    over_before_its_page_was_sent,
    an_update_after_a_split,
    a_test,
    a_direct_page,
    a_damaged_store,
)


def notices(scene):
    """All that is sent in a scene, what it shows last."""
    found = scene()
    if isinstance(found, Notification):
        return None, [found]
    world, notifier = found if isinstance(found, tuple) else (found, "ops")
    sent = [one for one in world.view.outbox.values() if one.state != "merged"]
    return world, sorted(sent, key=lambda one: one.notifier == notifier)


async def shown(scene):
    world, sent = notices(scene)
    notice = sent[-1]
    content = complete(notice, LINKS, alert=world.view.alert(notice.alert_id) if world is not None else None)
    terminal = laid_out(notice.created_at, content, (await render(content, ConsoleSender.templates)).text)
    webhook = (await render(content, WebhookSender.templates)).text
    head = f"== {scene.__name__.replace('_', ' ')}: {notice.kind}"
    return "\n".join([head, *terminal, "--", webhook, ""])


async def test_every_kind_of_message_reads_as_it_is_written_down(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    text = "\n".join([await shown(scene) for scene in SCENES])
    if os.environ.get("FOREWATCH_WRITE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_title_and_text_never_repeat_each_other():
    for scene in SCENES:
        for notice in notices(scene)[1]:
            title, text = notice.content["title"], notice.content["text"]
            assert title not in text or "\n" in text, (scene.__name__, title, text)


def test_people_read_what_is_wrong_and_no_ids_of_alerts():
    for scene in SCENES:
        for notice in notices(scene)[1]:
            said = f"{notice.content['title']} {notice.content['text']}"
            assert not re.search(r"\bAL-\d", said), (scene.__name__, said)
