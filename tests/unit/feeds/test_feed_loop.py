"""The loop that asks: what it decides upon, what it remembers, and what it says of a tracker that does not answer."""

import asyncio
import itertools
import shutil
from types import SimpleNamespace

import pytest

from forewatch.alerting.fingerprint import fingerprint
from forewatch.clock import FakeClock
from forewatch.config.models import Config
from forewatch.config.sources import Source
from forewatch.errors import Fenced
from forewatch.home import Home
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.intake.issue_changes import Look
from forewatch.intake.issues import Issue
from forewatch.store import feeds
from forewatch.store.engine import Store
from tasks.feeds import feed_loop
from tasks.feeds.client import FeedTrouble
from tasks.feeds.feed_loop import Feeds

pytestmark = pytest.mark.unit

BUGSINK = Source.model_validate({"name": "bugs", "bugsink": {"url": "http://bugs.example", "token": "t0ken"}})
SENTRY = Source.model_validate({"name": "errors", "sentry": {"api": {"organization": "acme", "token": "t0ken"}}})


class Decider:
    """Keeps what it is asked to decide, and what fires by it; `kept` as if the store refused."""

    kept = 0

    def __init__(self):
        self.events = []
        self.firing = set()
        self.trouble = None

    async def decide(self, event):
        if self.trouble is not None:
            raise self.trouble
        self.events.append(event)
        mark = fingerprint(event.identity or event.labels)
        self.firing.add(mark) if isinstance(event, AlertRaised) else self.firing.discard(mark)

    def take(self):
        taken, self.events = self.events, []
        return taken


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("feeds"))
    Store.open(home, migrate=True).close()
    return home


@pytest.fixture
def runtime(migrated, tmp_path):
    home = Home(tmp_path / "home")
    shutil.copytree(migrated.root, home.root)
    store = Store.open(home)
    runtime = SimpleNamespace(home=home, store=store, clock=FakeClock(), sources=[BUGSINK])
    runtime.configuration = SimpleNamespace(current=lambda: (1, Config(sources=runtime.sources)))
    yield runtime
    store.close()


@pytest.fixture
def decider(monkeypatch):
    decider = Decider()
    monkeypatch.setattr(feed_loop.alerts, "firing", lambda conn, mark: mark if mark in decider.firing else None)
    monkeypatch.setattr(
        feed_loop.alerts, "firing_among", lambda conn, marks: dict.fromkeys(decider.firing & set(marks))
    )
    return decider


@pytest.fixture
def tracker(monkeypatch):
    """What Bugsink and Sentry answer: issues, or the trouble to raise; `asked` counts."""
    tracker = SimpleNamespace(issues=[], trouble=None, asked=[])

    async def read(feed, seen, now):
        tracker.asked.append(feed)
        if tracker.trouble is not None:
            raise tracker.trouble
        return Look(list(tracker.issues))

    monkeypatch.setattr(feed_loop.bugsink, "read", read)
    monkeypatch.setattr(feed_loop.sentry, "read", read)
    return tracker


def issue(runtime, id="1", state="open", age=0):
    seen = runtime.clock.now() - age
    return Issue(id=id, title="it broke", first_seen=seen, last_seen=seen, state=state, events=1)


async def later(runtime, *loops, seconds=61.0):
    runtime.clock.advance(seconds)
    for loop in loops:
        await loop.once()


async def test_a_feed_is_asked_as_often_as_it_is_configured(runtime, decider, tracker):
    loop = Feeds(runtime, decider)
    await loop.once()
    await later(runtime, loop, seconds=59)
    assert len(tracker.asked) == 1
    await later(runtime, loop, seconds=1)
    assert len(tracker.asked) == 2


async def test_what_is_new_is_decided_upon_and_remembered_over_a_restart(runtime, decider, tracker):
    await Feeds(runtime, decider).once()
    tracker.issues = [issue(runtime)]
    await later(runtime, Feeds(runtime, decider))
    [event] = decider.take()
    assert isinstance(event, AlertRaised)
    assert event.sender == "bugs"
    await later(runtime, Feeds(runtime, decider))
    assert decider.take() == []
    tracker.issues = [issue(runtime, state="resolved")]
    await later(runtime, Feeds(runtime, decider))
    assert isinstance(decider.take()[0], AlertCleared)


async def test_an_alert_that_a_webhook_raised_ends_though_the_webhook_that_should_have_ended_it_was_lost(
    runtime, decider, tracker
):
    tracker.issues = [issue(runtime, state="ongoing")]
    await Feeds(runtime, decider).once()
    decider.firing.add(fingerprint({"source": "bugs", "issue": "1"}))
    tracker.issues = [issue(runtime, state="resolved")]
    await later(runtime, Feeds(runtime, decider))
    [event] = decider.take()
    assert isinstance(event, AlertCleared)
    assert decider.firing == set()


async def test_what_could_not_be_stored_is_not_taken_for_seen(runtime, decider, tracker):
    loop = Feeds(runtime, decider)
    await loop.once()
    tracker.issues = [issue(runtime)]
    decider.kept = 1
    await later(runtime, loop)
    assert len(tracker.asked) == 1, "nobody is asked while the store takes no decision"

    async def keep(event):
        decider.kept = 1
        decider.events.append(event)

    decider.kept, decider.decide = 0, keep
    await later(runtime, loop)
    assert len(decider.take()) == 1
    del decider.decide
    decider.kept = 0
    await later(runtime, loop)
    assert len(decider.take()) == 1, "said again rather than lost"


async def test_a_feed_that_fails_three_times_in_a_row_says_so_once_and_recovers(runtime, decider, tracker):
    loop = Feeds(runtime, decider)
    tracker.trouble = FeedTrouble("bugs.example answered 500 to /api")
    for _ in range(2):
        await later(runtime, loop, seconds=2_000)
    assert decider.take() == []
    for _ in range(3):
        await later(runtime, loop, seconds=2_000)
    [event] = decider.take()
    assert event.labels == {"alertname": "FeedFailing", "service": "forewatch", "severity": "warning", "source": "bugs"}
    assert event.annotations["summary"] == "bugs cannot be asked for issues: bugs.example answered 500 to /api"
    tracker.trouble = None
    await later(runtime, loop, seconds=2_000)
    [event] = decider.take()
    assert isinstance(event, AlertCleared)
    assert event.labels["alertname"] == "FeedFailing"
    await later(runtime, loop)
    assert decider.take() == []


async def test_a_failing_feed_is_asked_less_and_less_and_as_late_as_it_wants(runtime, decider, tracker):
    loop = Feeds(runtime, decider)
    tracker.trouble = FeedTrouble("it is down")
    asked = []
    for second in range(0, 3_600, 20):
        before = len(tracker.asked)
        await later(runtime, loop, seconds=20)
        if len(tracker.asked) > before:
            asked.append(second)
    waits = [after - before for before, after in itertools.pairwise(asked)]
    assert waits == [60, 120, 240, 480, 900, 900]
    tracker.trouble = FeedTrouble("too many", retry_after=3_000)
    await later(runtime, loop, seconds=900)
    count = len(tracker.asked)
    await later(runtime, loop, seconds=2_999)
    assert len(tracker.asked) == count


async def test_a_feed_that_fails_does_not_keep_another_waiting(runtime, decider, tracker, monkeypatch):
    runtime.sources = [SENTRY, BUGSINK]

    async def fail(feed, seen, now):
        raise FeedTrouble("no")

    monkeypatch.setattr(feed_loop.sentry, "read", fail)
    loop = Feeds(runtime, decider)
    await loop.once()
    tracker.issues = [issue(runtime)]
    await later(runtime, loop)
    assert [event.sender for event in decider.take()] == ["bugs"]


async def test_a_feed_that_hangs_keeps_none_of_the_others_waiting_and_is_not_asked_twice(
    runtime, decider, tracker, monkeypatch
):
    runtime.sources = [SENTRY, BUGSINK]
    monkeypatch.setattr(feed_loop, "LOOK_EVERY", 0.0)
    hanging = []

    async def hang(feed, seen, now):
        hanging.append(feed)
        await asyncio.Event().wait()

    monkeypatch.setattr(feed_loop.sentry, "read", hang)
    run = asyncio.create_task(Feeds(runtime, decider).run())
    try:
        async with asyncio.timeout(20):
            while len(tracker.asked) < 3:
                runtime.clock.advance(1)
                await asyncio.sleep(0)
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
    assert len(hanging) == 1
    assert len(asyncio.all_tasks()) == 1


async def test_a_source_that_is_configured_no_longer_leaves_no_alert_behind(runtime, decider, tracker):
    loop = Feeds(runtime, decider)
    await loop.once()
    tracker.issues = [issue(runtime)]
    await later(runtime, loop)
    decider.take()
    runtime.sources = []
    await later(runtime, loop)
    [event] = decider.take()
    assert isinstance(event, AlertCleared)
    assert event.unwatched
    assert event.identity == {"source": "bugs", "issue": "1"}
    with runtime.store.read_metrics() as conn:
        assert feeds.sources(conn) == []
        assert feeds.get(conn, "bugs") is None


async def test_a_watch_that_is_over_asks_no_more(runtime, decider, tracker):
    loop = Feeds(runtime, decider)
    await loop.once()
    tracker.issues = [issue(runtime)]
    decider.trouble = Fenced("term 2 has begun")
    with pytest.raises(Fenced):
        await later(runtime, loop)
    await Feeds(runtime, decider).run()


async def test_one_event_that_cannot_be_decided_costs_none_of_the_others(runtime, decider, tracker, monkeypatch):
    loop = Feeds(runtime, decider)
    await loop.once()
    tracker.issues = [issue(runtime, "1"), issue(runtime, "2")]
    decide = decider.decide

    async def failing(event):
        if event.identity["issue"] == "1":
            raise TypeError("a fault of ours")
        await decide(event)

    monkeypatch.setattr(decider, "decide", failing)
    await later(runtime, loop)
    assert [event.identity["issue"] for event in decider.take()] == ["2"]
