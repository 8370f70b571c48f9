"""What was paged while the store took no decisions is on record once it does, and nobody is paged of it again."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from forewatch.clock import FakeClock
from forewatch.config.defaults import effective
from forewatch.config.files import ConfigFiles
from forewatch.config.loader import parse
from forewatch.errors import DeliveryFailed, StoreUnavailable
from forewatch.home import Home
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.store import config_versions, incidents, outbox, shifts
from forewatch.store.engine import Store
from forewatch.store.shifts import Fence
from forewatch.trials.replay.replay import replay_history
from tasks.shifts import decider as module
from tasks.shifts.decider import Decider

pytestmark = pytest.mark.unit

TEXT = """
notifiers: [{name: hook, console: {}}, {name: phone, console: {}}]
routes: [{notify: [hook, phone]}]
"""
CONFIG = effective(parse(ConfigFiles([("forewatch.yaml", TEXT)])))
LABELS = {"alertname": "CheckFailing", "service": "web", "check": "http", "severity": "critical"}


@pytest.fixture
def runtime(tmp_path):
    home = Home(tmp_path)
    home.create()
    store = Store.open(home, migrate=True)
    with store.decide() as conn:
        config_versions.add(conn, [("forewatch.yaml", TEXT)], 0)
        shifts.take(conn, "check-health", "test", expected_term=None, scheduled_for=0, now=0)
    yield SimpleNamespace(
        home=home, store=store, clock=FakeClock(), configuration=SimpleNamespace(current=lambda: (1, CONFIG))
    )
    store.close()


@pytest.fixture
def direct(monkeypatch):
    """Direct pages: (notifier, id); `away` do not take any."""
    direct = SimpleNamespace(sent=[], away=set(), until=None)

    async def deliver(notification, config, home):
        if direct.until is not None:
            await direct.until.wait()
        if notification.notifier in direct.away:
            raise DeliveryFailed(f"{notification.notifier} is away")
        direct.sent.append((notification.notifier, notification.id))

    monkeypatch.setattr(module, "deliver_directly", deliver)
    monkeypatch.setattr(module.ballast, "make_room", lambda home, error: False)
    return direct


@pytest.fixture
def full(runtime, monkeypatch):
    """Call it with False to free the disk."""

    def refuse():
        raise StoreUnavailable("decisions.db: the disk is full; free some space")

    takes = runtime.store.decide
    set_full = lambda is_full: monkeypatch.setattr(runtime.store, "decide", refuse if is_full else takes)  # noqa: E731
    set_full(True)
    return set_full


@pytest.fixture
async def decider(runtime, direct, full):
    return Decider(runtime, Fence("check-health", 1))


def raised(runtime, **more):
    return AlertRaised(LABELS, {"summary": "web is down"}, runtime.clock.advance(1), **more)


def cleared(runtime):
    return AlertCleared(LABELS, runtime.clock.advance(1))


def told(runtime):
    """(kind, notifier, state) of all that is stored, oldest first."""
    with runtime.store.read() as conn:
        found = [one for incident in reversed(incidents.listing(conn, open_only=False, limit=10))
                 for one in outbox.of_incident(conn, incident.id)]  # fmt: skip
    return sorted(((one.kind, one.notifier, one.state) for one in found), key=lambda one: one[0])


async def test_an_outage_that_is_over_when_there_is_room_again_pages_nobody_and_tells_its_end_once(
    runtime, decider, direct, full
):
    await decider.decide(raised(runtime))
    await decider.decide(cleared(runtime))
    full(False)
    await decider.retry()
    assert told(runtime) == [
        ("page", "hook", "sent"), ("page", "phone", "sent"),
        ("resolved", "hook", "due"), ("resolved", "phone", "due"),
    ]  # fmt: skip
    with runtime.store.read() as conn:
        [incident] = incidents.listing(conn, open_only=False, limit=10)
        page = outbox.of_incident(conn, incident.id)[0]
    assert incident.status == "resolved"
    assert page.receipt == {"notifier": "hook", "detail": f"sent directly as {direct.sent[0][1]}"}


async def test_each_of_several_outages_is_on_record_as_the_one_it_was(runtime, decider, direct, full):
    for _ in range(3):
        await decider.decide(raised(runtime))
        await decider.decide(cleared(runtime))
    assert len({id for _, id in direct.sent}) == 6, "every outage has keys of its own"
    full(False)
    await decider.retry()
    pages = [one for one in told(runtime) if one[0] == "page"]
    assert sorted(pages) == [("page", "hook", "sent")] * 3 + [("page", "phone", "sent")] * 3


async def test_one_that_lasts_is_not_told_again_and_its_end_is(runtime, decider, direct, full):
    await decider.decide(raised(runtime))
    await decider.decide(raised(runtime))
    full(False)
    await decider.retry()
    assert told(runtime) == [("page", "hook", "sent"), ("page", "phone", "sent")]
    await decider.decide(cleared(runtime))
    assert told(runtime)[2:] == [("resolved", "hook", "due"), ("resolved", "phone", "due")]


async def test_whom_the_direct_page_did_not_reach_is_paged_when_the_store_is_back(runtime, decider, direct, full):
    direct.away = {"phone"}
    await decider.decide(raised(runtime))
    full(False)
    await decider.retry()
    assert told(runtime) == [("page", "hook", "sent"), ("page", "phone", "due")]


async def test_a_page_that_is_still_leaving_is_waited_for(runtime, decider, direct, full):
    direct.until = asyncio.Event()
    paging = asyncio.create_task(decider.decide(raised(runtime)))
    while not decider.kept:
        await asyncio.sleep(0.001)
    full(False)
    deciding = asyncio.create_task(decider.retry())
    await asyncio.sleep(0.02)
    assert told(runtime) == []
    direct.until.set()
    await asyncio.gather(paging, deciding)
    assert told(runtime) == [("page", "hook", "sent"), ("page", "phone", "sent")]


async def test_after_it_was_decided_the_next_outage_is_news(runtime, decider, direct, full):
    await decider.decide(raised(runtime))
    full(False)
    await decider.retry()
    await decider.decide(cleared(runtime))
    await decider.decide(raised(runtime))
    assert [one for one in told(runtime) if one[:1] == ("page",)] == [
        ("page", "hook", "sent"), ("page", "phone", "sent"), ("page", "hook", "due"), ("page", "phone", "due"),
    ]  # fmt: skip
    full(True)
    await decider.decide(cleared(runtime))
    await decider.decide(raised(runtime))
    assert len(direct.sent) == 4


async def test_an_event_of_the_inbox_is_known_to_have_been_paged_until_another_episode(runtime, decider, direct):
    event = raised(runtime)
    await decider.page_directly(event, "the store takes no writes")
    told_of = {name: {"id": id, "at": runtime.clock.now()} for name, id in direct.sent}
    assert decider.as_told(event).told_directly == told_of
    older = AlertRaised(LABELS, {}, event.at - 1)
    assert decider.as_told(older) is older
    decider.forget_direct_pages()
    assert decider.as_told(event) is event


async def test_the_record_is_replayed_as_it_was_decided(runtime, decider, full):
    await decider.decide(raised(runtime))
    await decider.decide(cleared(runtime))
    full(False)
    await decider.retry()
    report = replay_history(runtime.store)
    assert (report.observations, report.different, report.same) == (2, 0, 2)
