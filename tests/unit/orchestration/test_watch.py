"""Standing a watch: relief by a later run, none by an earlier one, take-over from the dead, fences for the undead."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from forewatch.clock import SystemClock
from forewatch.home import Home
from forewatch.orchestration import shift_lock
from forewatch.orchestration import watch as watching
from forewatch.orchestration.holder import holder_name
from forewatch.orchestration.watch import Watch, relieve, stand_in
from forewatch.store import shifts, switches
from forewatch.store.engine import Store
from forewatch.store.shifts import Fence, Inherited, ShiftRow

pytestmark = pytest.mark.unit

SHIFT = "page-people"


class Duty:
    def __init__(self) -> None:
        self.log: list[str] = []

    async def start(self) -> None:
        self.log.append("started")

    async def stop(self) -> None:
        self.log.append("stopped")


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "BEAT_EVERY", 0.01)
    monkeypatch.setattr(watching, "HANDOVER_POLL", 0.01)
    monkeypatch.setattr(watching, "LONGEST", 0.2)


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[SimpleNamespace]:
    home = Home(tmp_path)
    home.create()
    store = Store.open(home, migrate=True)
    yield SimpleNamespace(home=home, store=store, clock=SystemClock(), configuration=None)
    store.close()


def row(runtime: SimpleNamespace) -> ShiftRow:
    with runtime.store.read() as conn:
        found = shifts.get(conn, SHIFT)
    assert found is not None
    return found


async def until_beating(runtime: SimpleNamespace) -> None:
    for _ in range(200):
        if row(runtime).beat > 1:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody beats")


async def test_a_stand_in_takes_a_watch_nobody_has_and_is_relieved_by_the_next_run(
    runtime: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fence = await stand_in(runtime, SHIFT)
    assert fence == Fence(SHIFT, 1)
    duty = Duty()
    holder = asyncio.create_task(Watch(runtime, fence).stand(duty))
    await until_beating(runtime)
    monkeypatch.setattr(watching, "holder_name", lambda: "elsewhere:2")
    relief = await relieve(runtime, SHIFT, scheduled_for=1000)
    assert relief == Fence(SHIFT, 2)
    assert await holder == "relieved"
    assert duty.log == ["started", "stopped"]
    assert (row(runtime).holder, row(runtime).scheduled_for) == ("elsewhere:2", 1000)


async def test_the_ballast_makes_room_for_a_stand_in(runtime: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    take = shifts.take

    def refuse(*_: object, **__: object) -> None:
        raise watching.StoreUnavailable("the disk is full; free some space")

    def free(_: Home) -> bool:
        monkeypatch.setattr(watching.shifts, "take", take)
        return True

    monkeypatch.setattr(watching.shifts, "take", refuse)
    monkeypatch.setattr(watching.ballast, "free", free)
    assert await stand_in(runtime, SHIFT) == Fence(SHIFT, 1)


async def test_a_run_scheduled_no_later_than_the_holder_leaves_at_once(runtime: SimpleNamespace) -> None:
    assert await relieve(runtime, SHIFT, scheduled_for=1000) == Fence(SHIFT, 1)
    assert await relieve(runtime, SHIFT, scheduled_for=1000) is None
    assert await relieve(runtime, SHIFT, scheduled_for=900) is None
    assert row(runtime).term == 1


async def test_a_holder_that_never_hands_over_is_replaced_after_its_beat_stood_still(
    runtime: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stand_in(runtime, SHIFT)
    monkeypatch.setattr(watching, "holder_name", lambda: "elsewhere:2")
    began = runtime.clock.monotonic()
    assert await relieve(runtime, SHIFT, scheduled_for=1000) == Fence(SHIFT, 2)
    assert runtime.clock.monotonic() - began >= 0.2


async def test_a_holder_that_was_thought_dead_leaves_when_it_finds_a_later_term(runtime: SimpleNamespace) -> None:
    fence = await stand_in(runtime, SHIFT)
    assert fence is not None
    duty = Duty()
    holder = asyncio.create_task(Watch(runtime, fence).stand(duty))
    await until_beating(runtime)
    assert await stand_in(runtime, SHIFT) == Fence(SHIFT, 2)
    assert await holder == "fenced"
    assert duty.log == ["started", "stopped"]
    assert row(runtime).term == 2


async def test_a_watch_ends_when_forewatch_stands_down(runtime: SimpleNamespace) -> None:
    fence = await stand_in(runtime, SHIFT)
    assert fence is not None
    holder = asyncio.create_task(Watch(runtime, fence).stand(Duty()))
    await until_beating(runtime)
    with runtime.store.decide() as conn:
        switches.turn(conn, "watch", "off", actor="test", reason="", now=1)
    assert await holder == "stood down"


async def test_a_watch_goes_on_when_its_beat_cannot_be_stored(
    runtime: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fence = await stand_in(runtime, SHIFT)
    assert fence is not None
    piped: list[int] = []
    standing = Watch(runtime, fence, on_beat=lambda: piped.append(1))
    holder = asyncio.create_task(standing.stand(Duty()))
    await until_beating(runtime)

    def refuse(*_: object) -> None:
        raise watching.StoreUnavailable("the disk is full; free some space")

    monkeypatch.setattr(watching.shifts, "beat", refuse)
    before = len(piped)
    while standing.unstored_beats < 5:
        await asyncio.sleep(0.01)
    assert len(piped) >= before + 5
    monkeypatch.undo()
    while standing.unstored_beats:
        await asyncio.sleep(0.01)
    holder.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holder


async def test_a_watch_goes_on_when_the_store_cannot_be_read(
    runtime: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fence = await stand_in(runtime, SHIFT)
    assert fence is not None
    holder = asyncio.create_task(Watch(runtime, fence).stand(Duty()))
    await until_beating(runtime)

    def refuse(*_: object) -> None:
        raise watching.StoreUnavailable("the disk reports an error")

    monkeypatch.setattr(watching.switches, "get", refuse)
    before = row(runtime).beat
    for _ in range(200):
        await asyncio.sleep(0.01)
        if holder.done() or row(runtime).beat > before + 3:
            break
    assert not holder.done()
    holder.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holder


async def test_a_cancelled_watch_stops_its_duty(runtime: SimpleNamespace) -> None:
    fence = await stand_in(runtime, SHIFT)
    assert fence is not None
    duty = Duty()
    holder = asyncio.create_task(Watch(runtime, fence).stand(duty))
    await until_beating(runtime)
    holder.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holder
    assert duty.log == ["started", "stopped"]


async def test_the_first_beat_comes_before_the_duty_is_through_its_start(runtime: SimpleNamespace) -> None:
    fence = await stand_in(runtime, SHIFT)
    assert fence is not None
    begin = asyncio.Event()

    class Slow(Duty):
        async def start(self) -> None:
            await begin.wait()
            await super().start()

    duty = Slow()
    told: list[int] = []
    holder = asyncio.create_task(Watch(runtime, fence, on_beat=lambda: told.append(1)).stand(duty))
    await until_beating(runtime)
    assert duty.log == []
    assert len(told) > 1
    begin.set()
    while not duty.log:
        await asyncio.sleep(0.01)
    holder.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holder


async def test_a_duty_that_cannot_start_ends_the_watch_with_its_error(runtime: SimpleNamespace) -> None:
    fence = await stand_in(runtime, SHIFT)
    assert fence is not None

    class Broken(Duty):
        async def start(self) -> None:
            raise OSError("no file descriptors left")

    duty = Broken()
    with pytest.raises(OSError, match="no file descriptors"):
        await Watch(runtime, fence).stand(duty)
    assert duty.log == []


async def test_who_finds_a_later_term_while_starting_cuts_the_start_short(runtime: SimpleNamespace) -> None:
    fence = await stand_in(runtime, SHIFT)
    assert fence is not None

    class Endless(Duty):
        async def start(self) -> None:
            await asyncio.Event().wait()

    duty = Endless()
    holder = asyncio.create_task(Watch(runtime, fence).stand(duty))
    await until_beating(runtime)
    await stand_in(runtime, SHIFT)
    assert await holder == "fenced"
    assert duty.log == ["stopped"]


async def test_life_is_shown_while_the_store_takes_its_time_over_a_beat(
    runtime: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fence = await stand_in(runtime, SHIFT)
    assert fence is not None
    told: list[int] = []
    holder = asyncio.create_task(Watch(runtime, fence, on_beat=lambda: told.append(1)).stand(Duty()))
    await until_beating(runtime)
    free = asyncio.Event()

    async def slow(*_: object) -> None:
        await free.wait()

    monkeypatch.setattr(runtime.store, "run", slow)
    await asyncio.sleep(0.02)
    before = len(told)
    await asyncio.sleep(0.1)
    assert len(told) > before + 2
    monkeypatch.undo()
    free.set()
    holder.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holder


async def test_a_holder_that_died_is_relieved_without_waiting_for_its_silence(
    runtime: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LONGEST", 60.0)
    dead = dead_holder(runtime)
    async with asyncio.timeout(5):
        assert await relieve(runtime, SHIFT, scheduled_for=1000) == Fence(SHIFT, 2)
    assert row(runtime).holder != dead


def dead_holder(runtime: SimpleNamespace) -> str:
    """The watch is a process's that is gone."""
    ended = subprocess.Popen(["true"])
    name = holder_name(ended.pid)
    ended.wait()
    with runtime.store.decide() as conn:
        shifts.take(conn, SHIFT, name, expected_term=None, scheduled_for=500, now=1)
    return name


def refuse_writes(runtime: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise watching.StoreUnavailable("decisions.db: the disk is full; free some space")

    monkeypatch.setattr(runtime.store, "decide", refuse)


async def test_a_stand_in_goes_on_with_the_term_of_the_dead_where_the_store_takes_no_writes_and_enters_when_it_does(
    runtime: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = dead_holder(runtime)
    with monkeypatch.context() as full:
        refuse_writes(runtime, full)
        fence = await stand_in(runtime, SHIFT)
        assert fence == Inherited(SHIFT, 1, dead)
        duty = Duty()
        watch = Watch(runtime, fence)
        holder = asyncio.create_task(watch.stand(duty))
        while watch.unstored_beats < 3:
            await asyncio.sleep(0.01)
        assert duty.log == ["started"]
        assert row(runtime).holder == dead
    while row(runtime).holder == dead:
        await asyncio.sleep(0.01)
    assert (row(runtime).holder, row(runtime).term, row(runtime).scheduled_for) == (holder_name(), 1, 500)
    monkeypatch.setattr(watching, "holder_name", lambda: "elsewhere:2")
    assert await relieve(runtime, SHIFT, scheduled_for=1000) == Fence(SHIFT, 2)
    assert await holder == "relieved"


async def test_no_term_is_inherited_from_a_holder_that_lives_or_where_another_has_the_post(
    runtime: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stand_in(runtime, SHIFT)
    refuse_writes(runtime, monkeypatch)
    with pytest.raises(watching.StoreUnavailable):
        await stand_in(runtime, SHIFT)
    monkeypatch.undo()
    with runtime.store.decide() as conn:
        conn.exec_driver_sql("DELETE FROM shifts")
    dead_holder(runtime)
    refuse_writes(runtime, monkeypatch)
    monkeypatch.setattr(shift_lock, "take", lambda home, shift: False)
    with pytest.raises(watching.StoreUnavailable):
        await stand_in(runtime, SHIFT)


async def test_who_inherited_a_term_leaves_if_another_has_begun_a_later_one_meanwhile(
    runtime: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead_holder(runtime)
    with monkeypatch.context() as full:
        refuse_writes(runtime, full)
        fence = await stand_in(runtime, SHIFT)
        assert fence is not None
    assert await stand_in(runtime, SHIFT) == Fence(SHIFT, 2)
    assert await Watch(runtime, fence).stand(Duty()) == "fenced"


async def test_a_stand_in_leaves_the_watch_of_another_than_the_holder_it_was_sent_for(runtime: SimpleNamespace) -> None:
    assert await stand_in(runtime, SHIFT, "somebody:1") is None
    assert await stand_in(runtime, SHIFT, "") == Fence(SHIFT, 1)
    assert await stand_in(runtime, SHIFT, "") is None
    assert await stand_in(runtime, SHIFT, "somebody:1") is None
    assert await stand_in(runtime, SHIFT, holder_name()) == Fence(SHIFT, 2)


async def test_a_holder_that_hands_over_and_ends_between_two_looks_is_relieved_and_not_taken_for_dead(
    runtime: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fence = await stand_in(runtime, SHIFT)
    assert fence is not None
    monkeypatch.setattr(watching, "holder_name", lambda: "elsewhere:2")

    def ended(holder: str) -> bool:
        """Seen by who has just read the row: the watch is handed over and the process gone."""
        with runtime.store.decide() as conn:
            shifts.hand_over(conn, fence, successor="elsewhere:2", now=2)
        return True

    monkeypatch.setattr(watching, "ended_here", ended)
    assert await relieve(runtime, SHIFT, scheduled_for=1000) == Fence(SHIFT, 2)
    assert (row(runtime).holder, row(runtime).scheduled_for) == ("elsewhere:2", 1000)
