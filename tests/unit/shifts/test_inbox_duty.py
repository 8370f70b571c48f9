"""What `page-people` does with the inbox when all goes well, when the store refuses, and when our own code fails."""

import asyncio

import pytest

from forewatch.clock import FakeClock
from forewatch.errors import Fenced, StoreBusy, StoreError, StoreUnavailable
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.incidents.outcome import Dispatch, Outcome
from forewatch.intake.drain import SetAside, Slice
from forewatch.store.shifts import Fence
from tasks.shifts import inbox as module
from tasks.shifts.inbox import Inbox

pytestmark = pytest.mark.unit

FULL = StoreUnavailable("decisions.db: the disk is full")


class Runtime:
    home = None

    def __init__(self):
        self.clock = FakeClock()
        self.store = self
        self.configuration = None

    async def run(self, fn, *args, **kwargs):
        return fn(*args, **kwargs)


class Decider:
    def __init__(self):
        self.followed, self.paged, self.decided, self.forgotten = [], [], [], 0

    def follow_up(self, outcomes):
        self.followed += outcomes

    async def page_directly(self, event, because):
        self.paged.append((event.labels["alertname"], because))

    async def decide(self, event):
        self.decided.append(event)

    def forget_direct_pages(self):
        self.forgotten += 1

    def as_told(self, event):
        return event


@pytest.fixture
def slices(monkeypatch):
    """What the next slices do: a Slice, or an error to raise. Then the inbox is empty."""
    return []


@pytest.fixture
def waiting():
    """Critical alerts in the inbox that do not fire yet."""
    return []


@pytest.fixture
def duty(monkeypatch, slices, waiting):
    class Drain:
        def __init__(self, *_):
            pass

        def slice(self):
            done = slices.pop(0) if slices else Slice(idle=True)
            if isinstance(done, Exception):
                raise done
            return done

        def firing_unknown(self):
            return waiting

    monkeypatch.setattr(module, "Drain", Drain)
    monkeypatch.setattr(module.ballast, "make_room", lambda home, error: False)
    return Inbox(Runtime(), Fence("page-people", 1), Decider())


def raised(name, severity="critical"):
    return AlertRaised({"alertname": name, "service": "web", "severity": severity}, {}, 0)


async def test_it_goes_on_until_the_inbox_is_empty_and_wakes_who_has_work(duty, slices):
    outcome = Outcome(effects=[Dispatch("RUN-1")])
    slices += [Slice([outcome], 3), Slice([], 2)]
    assert [await duty.once() for _ in range(3)] == [True, True, False]
    assert duty.decided == 5
    assert duty._decider.followed == [outcome]


async def test_while_the_store_refuses_critical_alerts_are_paged_directly(duty, slices, waiting):
    slices += [FULL, FULL, Slice([], 1)]
    waiting.append(raised("A"))
    assert await duty.once() is False
    assert await duty.once() is False
    assert [name for name, _ in duty._decider.paged] == ["A", "A"], "the decider keeps them from being paged twice"
    assert await duty.once() is True
    assert duty._decider.forgotten == 0, "what is left of the inbox may be what was paged"
    assert [await duty.once() for _ in range(2)] == [False, False]
    assert duty._decider.forgotten == 1


async def test_a_busy_store_gets_some_patience(duty, slices, waiting):
    busy = StoreBusy("decisions.db: another process has held its lock for more than 5s; try again")
    slices += [busy, busy, busy]
    waiting.append(raised("A"))
    await duty.once()
    duty._runtime.clock.advance(module.PATIENCE / 2)
    await duty.once()
    assert duty._decider.paged == []
    duty._runtime.clock.advance(module.PATIENCE / 2)
    await duty.once()
    assert [name for name, _ in duty._decider.paged] == ["A"]


async def test_the_ballast_is_dropped_before_anybody_is_paged_without_the_store(duty, slices, waiting, monkeypatch):
    monkeypatch.setattr(module.ballast, "make_room", lambda home, error: True)
    slices += [FULL, Slice([], 1)]
    waiting.append(raised("A"))
    assert await duty.once() is True
    assert duty._decider.paged == []


async def test_an_event_that_was_set_aside_is_told_loudly(duty, slices):
    slices.append(Slice([], 2, [SetAside(raised("A"), ValueError("x")), SetAside(raised("B", "info"), KeyError("y"))]))
    await duty.once()
    assert [name for name, _ in duty._decider.paged] == ["A"], "only what is critical leaves without an incident"
    assert [event.labels["alertname"] for event in duty._decider.decided] == ["EventSetAside", "EventSetAside"]
    assert {event.labels["severity"] for event in duty._decider.decided} == {"critical"}
    assert all(event.until is not None for event in duty._decider.decided)


async def test_an_end_that_was_set_aside_is_told_too(duty, slices):
    slices.append(Slice([], 1, [SetAside(AlertCleared({"alertname": "A"}, 0), ValueError("x"))]))
    await duty.once()
    assert duty._decider.paged == []
    assert len(duty._decider.decided) == 1


async def test_other_trouble_of_the_store_is_looked_at_again_later(duty, slices):
    slices.append(StoreError("the inbox has been decided further by another; it is read again"))
    assert await duty.once() is False


async def test_it_ends_with_its_watch(duty, slices):
    slices.append(Fenced("term 1 is over"))
    async with asyncio.timeout(5):
        await duty.run(asyncio.Event())


async def test_a_fault_of_our_own_does_not_end_it(duty, slices, monkeypatch):
    monkeypatch.setattr(module, "LOOK_EVERY", 0.001)
    monkeypatch.setattr(module, "report", lambda error, **_: None)
    slices += [ZeroDivisionError(), Slice([], 7), Fenced("over")]
    async with asyncio.timeout(5):
        await duty.run(asyncio.Event())
    assert duty.decided == 7


async def test_a_ring_wakes_it_at_once(duty, slices, monkeypatch):
    monkeypatch.setattr(module, "LOOK_EVERY", 60.0)
    stop = asyncio.Event()
    running = asyncio.create_task(duty.run(stop))
    await asyncio.sleep(0)
    slices.append(Slice([], 1))
    duty.ring()
    async with asyncio.timeout(5):
        while not duty.decided:
            await asyncio.sleep(0)
        stop.set()
        duty.ring()
        await running
