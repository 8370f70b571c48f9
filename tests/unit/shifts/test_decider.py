"""What a shift does when a decision cannot be made: page directly, keep what can be decided later, hold up nothing."""

import pytest

from forewatch.clock import FakeClock
from forewatch.config.models import Config
from forewatch.errors import Fenced, StoreBusy, StoreUnavailable, TransitionRefused
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.incidents.outcome import Outcome
from forewatch.store.shifts import Fence
from tasks.shifts import decider as module
from tasks.shifts.decider import Decider

pytestmark = pytest.mark.unit


class Store:
    async def run(self, fn, *args, **kwargs):
        return fn(*args, **kwargs)


class Runtime:
    home = None
    clock = FakeClock()
    store = Store()
    configuration = type("Configuration", (), {"current": staticmethod(lambda: (1, Config()))})()


@pytest.fixture
def trouble():
    """What deciding raises, by the name of the alert; nothing for the others."""
    return {}


@pytest.fixture
def decided(monkeypatch, trouble):
    decided = []

    def decide(store, event, **_):
        if (error := trouble.get(event.labels["alertname"])) is not None:
            raise error
        decided.append(event)
        return Outcome()

    monkeypatch.setattr(module, "decide", decide)
    monkeypatch.setattr(module, "wake", lambda home, outcome: None)
    monkeypatch.setattr(module.ballast, "free", lambda home: False)
    return decided


@pytest.fixture
def told(monkeypatch):
    told = []

    async def deliver(notification, config, home):
        told.append(notification)

    monkeypatch.setattr(module, "deliver_directly", deliver)
    return told


@pytest.fixture
def decider(decided, told):
    return Decider(Runtime(), Fence("check-health", 1))


def raised(name, severity="critical"):
    return AlertRaised({"alertname": name, "service": "web", "severity": severity}, {"summary": f"{name} fires"}, 0)


def cleared(name):
    return AlertCleared({"alertname": name, "service": "web", "severity": "critical"}, 0)


FULL = StoreUnavailable("the disk is full")


async def test_a_refused_critical_alert_is_paged_directly_once_and_decided_later(decider, decided, told, trouble):
    trouble["A"] = FULL
    await decider.decide(raised("A"))
    await decider.decide(raised("A"))
    assert [notification.id for notification in told] == [told[0].id]
    assert told[0].content["text"].startswith("Forewatch's store takes no writes")
    assert told[0].content["title"] not in told[0].content["text"]
    assert (decided, decider.kept) == ([], 2)
    trouble.clear()
    await decider.retry()
    assert (len(decided), decider.kept) == (2, 0)


async def test_a_refused_warning_waits_without_a_page(decider, told, trouble):
    trouble["A"] = FULL
    await decider.decide(raised("A", "warning"))
    assert (told, decider.kept) == ([], 1)


async def test_an_alert_that_ended_and_comes_again_is_paged_again(decider, told, trouble):
    trouble["A"] = FULL
    for event in (raised("A"), cleared("A"), raised("A")):
        await decider.decide(event)
    assert len(told) == 2


async def test_events_are_decided_in_their_order_also_after_the_store_is_back(decider, decided, trouble):
    trouble["A"] = FULL
    await decider.decide(raised("A"))
    await decider.decide(raised("B"))
    trouble.clear()
    await decider.decide(raised("C"))
    assert [event.labels["alertname"] for event in decided] == ["A", "B", "C"]


async def test_what_cannot_be_decided_upon_by_our_own_fault_is_paged_directly_once(decider, told, trouble):
    trouble["A"] = TypeError("a fault of ours")
    for _ in range(3):
        with pytest.raises(TypeError):
            await decider.decide(raised("A"))
    assert len(told) == 1
    assert "failed to process it (TypeError)" in told[0].content["text"]
    assert decider.kept == 0


async def test_a_kept_event_that_can_never_be_decided_holds_up_none_behind_it(decider, decided, trouble):
    trouble["A"] = trouble["B"] = FULL
    await decider.decide(raised("A"))
    await decider.decide(raised("B"))
    trouble["A"] = TypeError("a fault of ours")
    del trouble["B"]
    await decider.retry()
    assert [event.labels["alertname"] for event in decided] == ["B"]
    assert decider.kept == 0


async def test_a_watch_that_is_over_decides_and_pages_nothing(decider, told, trouble):
    trouble["A"] = Fenced("term 2 has begun")
    with pytest.raises(Fenced):
        await decider.decide(raised("A"))
    assert told == []


async def test_what_is_kept_is_decided_before_the_watch_ends(decider, decided, trouble):
    trouble["A"] = FULL
    await decider.decide(raised("A"))
    trouble.clear()
    await decider.close()
    assert [event.labels["alertname"] for event in decided] == ["A"]


async def test_a_watch_that_is_over_ends_quietly_with_what_it_kept(decider, decided, trouble):
    trouble["A"] = FULL
    await decider.decide(raised("A"))
    trouble["A"] = Fenced("term 2 has begun")
    await decider.close()
    assert decided == []


async def test_a_busy_store_does_not_cost_the_ballast(decider, monkeypatch, trouble):
    freed = []
    monkeypatch.setattr(module.ballast, "free", lambda home: freed.append(home) or True)
    trouble["A"] = StoreBusy("another process holds its lock")
    await decider.decide(raised("A", "warning"))
    assert (freed, decider.kept) == ([], 1)
    trouble["B"] = FULL
    decider = Decider(Runtime(), Fence("check-health", 1))
    await decider.decide(raised("B", "warning"))
    assert len(freed) == 1


async def test_a_step_that_nobody_asked_for_and_that_is_refused_is_our_own_fault_and_not_passed_over(
    decider, told, trouble
):
    """Its event is handed over again; passed over, an alert would fire for ever that is long over."""
    trouble["A"] = TransitionRefused("INC-9: web has another open incident already")
    with pytest.raises(TransitionRefused):
        await decider.decide(cleared("A"))
    with pytest.raises(TransitionRefused):
        await decider.decide(raised("A"))
    assert len(told) == 1, "and of a critical one people hear all the same"
