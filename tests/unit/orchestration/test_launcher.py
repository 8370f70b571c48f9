"""One stand-in at a time a shift, and signs of life with and without the worker that started the holder."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import pytest

from forewatch.bell import Bell
from forewatch.home import Home
from forewatch.orchestration import child
from forewatch.orchestration.launcher import Launcher
from forewatch.orchestration.stand_in import ShiftGuard
from forewatch.runs import parent_link

pytestmark = pytest.mark.unit

SHIFT = "page-people"


class Spare:
    """A child that does as it is told and ends when the test says so."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.told: list[tuple[Any, ...]] = []
        self.killed = False
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.on_message: Callable[[tuple[Any, ...]], None] = lambda message: None

    def send(self, *message: Any) -> bool:
        self.told.append(message)
        return True

    def kill(self) -> None:
        self.killed = True


class Stock:
    def __init__(self) -> None:
        self.given: list[Spare] = []

    async def take(self) -> Spare:
        self.given.append(Spare())
        return self.given[-1]


class Guard(ShiftGuard):
    """Notes what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[Any, ...]] = []

    def alive(self, shift: str) -> None:
        self.heard.append(("alive", shift))

    def sent(self, shift: str, process: str) -> None:
        self.heard.append(("sent", shift))

    def ended(self, shift: str, process: str, *, clean: bool = False) -> None:
        self.heard.append(("ended", shift, clean))


@pytest.fixture
def launcher() -> tuple[Launcher, Stock, Guard]:
    stock, guard = Stock(), Guard()
    return Launcher(stock, guard, lambda job, code: None), stock, guard  # type: ignore[arg-type]


async def test_a_stand_in_is_told_its_shift_and_its_life_and_end_are_told_to_the_guard(launcher) -> None:
    told, stock, guard = launcher
    await told.stand(SHIFT, "")
    (spare,) = stock.given
    assert spare.told == [("watch", SHIFT, "")]
    spare.on_message(("beat", SHIFT))
    spare.exited.set_result(-9)
    await asyncio.sleep(0)
    assert guard.heard == [("sent", SHIFT), ("alive", SHIFT), ("ended", SHIFT, False)]


async def test_one_that_never_took_the_watch_is_ended_before_the_next_is_sent(launcher) -> None:
    told, stock, _ = launcher
    await told.stand(SHIFT, "")
    await told.stand("check-health", "")
    await told.stand(SHIFT, "another:1")
    assert [spare.killed for spare in stock.given] == [True, False, False]


async def test_one_that_has_the_watch_is_left_to_its_fence(launcher) -> None:
    told, stock, _ = launcher
    await told.stand(SHIFT, "")
    (job,) = told.jobs
    await told.stand(SHIFT, job.holder)
    assert [spare.killed for spare in stock.given] == [False, False]


async def test_a_holder_rings_with_its_beats_once_the_worker_that_started_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    home.create()
    ours, theirs = Pipe()
    holder = child.Child(theirs, home)
    bell = Bell(home, parent_link.beat_bell(SHIFT))
    try:
        holder._tell_beat(SHIFT)
        assert ours.recv() == ("beat", SHIFT)
        assert not await bell.wait(0.01)
        monkeypatch.setattr(parent_link, "_worker_gone", True)
        holder._tell_beat(SHIFT)
        assert await bell.wait(1.0)
        assert not ours.poll()
    finally:
        bell.close()
