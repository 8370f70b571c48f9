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
from forewatch.orchestration import watch as watching
from forewatch.orchestration.watch import Watch, ended_here, holder_name, relieve, stand_in
from forewatch.store import shifts, switches
from forewatch.store.engine import Store
from forewatch.store.shifts import Fence, ShiftRow

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
    monkeypatch.setattr(watching, "DEAD_AFTER", 0.2)


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


def test_a_holder_of_this_host_that_is_gone_is_known_to_be() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert ended_here(holder_name(ended.pid))
    assert not ended_here(holder_name())
    assert not ended_here(f"another-host:{ended.pid}")
    assert not ended_here("nonsense")


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
