"""Every closed incident leaves its story in Prefect, whenever that answers; a storm of them leaves one."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import httpx
import pytest

from forewatch.clock import FakeClock
from forewatch.config.models import Config, Retention
from forewatch.deciding import decide
from forewatch.home import Home
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.store import outbox, schema
from forewatch.store.engine import Store
from forewatch.store.housekeeping import retain_decisions
from tasks import stories as module
from tasks.stories import LATER, STORM, Stories, publish_story

pytestmark = pytest.mark.unit

CONFIG = Config()


@pytest.fixture
def runtime(tmp_path):
    home = Home(tmp_path)
    home.create()
    store = Store.open(home, migrate=True)
    yield SimpleNamespace(
        home=home, store=store, clock=FakeClock(), configuration=SimpleNamespace(current=lambda: (1, CONFIG))
    )
    store.close()


@pytest.fixture
def prefect(monkeypatch):
    """What was published, by key; `listens` and `error` say how Prefect is."""
    prefect = SimpleNamespace(published=[], listens=True, error=None)

    async def create(*, key, markdown, description):
        if prefect.error is not None:
            raise prefect.error
        prefect.published.append((key, markdown))

    async def listens():
        return prefect.listens

    monkeypatch.setattr(module, "acreate_markdown_artifact", create)
    monkeypatch.setattr(module, "server_listens", listens)
    return prefect


@pytest.fixture
def here(runtime, prefect):
    return runtime


def opens(here, service="web"):
    labels = {"alertname": "CheckFailing", "service": service, "severity": "critical"}
    now = here.clock.advance(0.001)
    decide(here.store, AlertRaised(labels, {"summary": f"{service} is down"}, now), config=(1, CONFIG), now=now)


def closes(here, service="web"):
    labels = {"alertname": "CheckFailing", "service": service, "severity": "critical"}
    now = here.clock.advance(0.001)
    decide(here.store, AlertCleared(labels, now), config=(1, CONFIG), now=now)


def owed(here):
    with here.store.read() as conn:
        return list(conn.execute(schema.stories_owed.select()).scalars())


async def test_an_incident_without_any_run_leaves_its_story_once_it_is_closed(here, prefect):
    stories = Stories(here)
    opens(here)
    here.clock.advance(LATER)
    assert await stories.once() is False
    closes(here)
    assert await stories.once() is False, "the server has other things to do at that moment"
    here.clock.advance(LATER)
    assert await stories.once() is True
    [(key, text)] = prefect.published
    assert key == "incident-inc-1"
    assert text.startswith("# INC-1: web is down")
    assert await stories.once() is False
    assert (owed(here), stories.published) == ([], 1)


async def test_while_prefect_is_away_it_stays_owed_and_another_watch_publishes_it(here, prefect):
    for service in ("a", "b"):
        opens(here, service)
        closes(here, service)
    here.clock.advance(LATER)
    prefect.listens = False
    assert await Stories(here).once() is False
    prefect.listens, prefect.error = True, httpx.ConnectError("no route")
    with pytest.raises(httpx.ConnectError):
        await Stories(here).once()
    assert owed(here) == ["INC-1", "INC-2"]
    prefect.error = None
    later = Stories(here)
    assert [await later.once() for _ in range(3)] == [True, True, False]
    assert [key for key, _ in prefect.published] == ["incident-inc-1", "incident-inc-2"]


async def test_a_story_that_prefect_refuses_for_good_holds_up_none_behind_it(here, prefect):
    for service in ("a", "b"):
        opens(here, service)
        closes(here, service)
    here.clock.advance(LATER)
    answer = httpx.Response(422, request=httpx.Request("POST", "http://127.0.0.1/artifacts"))
    prefect.error = httpx.HTTPStatusError("unprocessable", request=answer.request, response=answer)
    assert await Stories(here).once() is True
    prefect.error = None
    await Stories(here).once()
    assert ([key for key, _ in prefect.published], owed(here)) == (["incident-inc-2"], [])


async def test_a_storm_of_incidents_is_told_in_one(here, prefect):
    names = [f"shop-{number}" for number in range(STORM + 1)]
    for name in names:
        opens(here, name)
    for name in names:
        closes(here, name)
    here.clock.advance(LATER)
    stories = Stories(here)
    assert [await stories.once() for _ in range(2)] == [True, False]
    [(key, text)] = prefect.published
    assert key == "incidents-closed"
    assert text.count("\n- [INC-") == STORM + 1
    assert "/incidents/INC-61)" in text
    assert owed(here) == []


async def test_the_run_of_a_remedy_publishes_it_and_only_an_open_incident_is_told_again(here, prefect):
    opens(here)
    await publish_story(here, "INC-1")
    closes(here)
    assert owed(here) == ["INC-1"], "what was published is not yet the whole story"
    await publish_story(here, "INC-1")
    assert owed(here) == []


async def test_a_clock_that_was_set_back_delays_no_story(here, prefect):
    opens(here)
    closes(here)
    here.clock.jump(-86400)
    assert await Stories(here).once() is True


async def test_a_very_long_story_is_cut_at_a_line(here, prefect, monkeypatch):
    monkeypatch.setattr(module, "LONGEST", 60)
    opens(here)
    await publish_story(here, "INC-1")
    assert prefect.published[0][1].endswith("\n\n... and more, on its page in Forewatch.\n")


async def test_what_goes_wrong_never_ends_the_loop(here, prefect, monkeypatch):
    outcomes = [httpx.ConnectError("away"), ValueError("our own fault"), True]
    stop = asyncio.Event()

    async def once(self):
        outcome = outcomes.pop(0)
        if not outcomes:
            stop.set()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(Stories, "once", once)
    monkeypatch.setattr(module, "AWAY_PAUSE", 0.001)
    async with asyncio.timeout(5):
        await Stories(here).run(stop)
    assert outcomes == []


async def test_what_is_owed_goes_with_the_incident(here, prefect):
    opens(here)
    closes(here)
    with here.store.decide() as conn:
        conn.execute(schema.outbox.update().values(state="sent", sent_at=here.clock.now()))
        assert outbox.of_incident(conn, "INC-1")
    retain_decisions(here.store, Retention(), here.clock.advance(400 * 86400))
    assert owed(here) == []
