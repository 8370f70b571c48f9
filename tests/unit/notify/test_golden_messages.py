"""Every kind of message as people read it, on the terminal and in a webhook, held in `golden_messages.txt`.

`FOREWATCH_WRITE_GOLDEN=1 pytest tests/unit/notify/test_golden_messages.py` writes the file anew: read the difference.
"""

import os
import sys
import time
from pathlib import Path

import pytest

from forewatch.incidents.events import AlertCleared
from forewatch.notifying.content import Links, complete
from forewatch.notifying.rendering import render
from forewatch.notifying.terminal import laid_out
from notifiers.console.sender import ConsoleSender
from notifiers.webhook.sender import WebhookSender

sys.path.insert(0, str(Path(__file__).parents[1] / "incidents"))
from memory_view import World, shop

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
)


async def shown(scene):
    world = scene()
    notice = list(world.view.outbox.values())[-1]
    content = complete(notice, LINKS, alert=world.view.alert(notice.alert_id))
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
        for notice in scene().view.outbox.values():
            title, text = notice.content["title"], notice.content["text"]
            assert title not in text or "\n" in text, (scene.__name__, title, text)
