"""How late did a loop run?"""

from __future__ import annotations

import asyncio
import time

import pytest

from forewatch.orchestration.lateness import WINDOW, Lateness, crowding

pytestmark = pytest.mark.unit


def test_a_loop_in_time_has_lost_nothing() -> None:
    lateness = Lateness()
    lateness.note(1.0, 1.001)
    assert (lateness.lost(1.0), lateness.worst(1.0)) == (0.0, 0.0)


def test_the_worst_of_the_last_minute_is_known_and_forgotten_after_it() -> None:
    lateness = Lateness()
    for due, late in ((1.0, 0.5), (10.0, 3.0), (20.0, 1.0)):
        lateness.note(due, due + late)
    assert lateness.worst(21.0) == 3.0
    assert lateness.worst(13.0 + WINDOW + 0.1) == 1.0
    assert lateness.worst(21.0 + WINDOW + 0.1) == 0.0
    assert lateness.lost(100.0) == 4.5


def test_a_wake_up_that_is_overdue_counts_before_it_comes() -> None:
    lateness = Lateness()
    lateness.expect(5.0)
    assert (lateness.lost(7.0), lateness.worst(7.0)) == (2.0, 2.0)
    lateness.note(5.0, 8.0)
    assert (lateness.lost(9.0), lateness.worst(9.0)) == (3.0, 3.0)


async def test_a_loop_that_was_held_up_says_so() -> None:
    lateness, loop = Lateness(), asyncio.get_running_loop()
    measuring = asyncio.create_task(lateness.keep())
    await asyncio.sleep(0)
    time.sleep(0.4)  # noqa: ASYNC251 - holding the loop up is the point
    assert lateness.lost(loop.time()) > 0.2
    await asyncio.sleep(0.15)
    assert lateness.worst(loop.time()) > 0.2
    measuring.cancel()


@pytest.mark.parametrize(("load", "cores", "late"), [(0.5, 2, 0.0), (2.0, 2, 0.0), (8.0, 2, 3.0), (22.0, 2, 10.0)])
def test_a_crowded_machine_makes_a_second_of_work_late(monkeypatch, load: float, cores: int, late: float) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert crowding() == late


def test_a_machine_that_does_not_tell_its_load_is_not_crowded(monkeypatch) -> None:
    def unknown() -> tuple[float, float, float]:
        raise OSError

    monkeypatch.setattr("os.getloadavg", unknown)
    assert crowding() == 0.0
