"""A holder that is stopped is replaced once the patience is over; one that is only slow keeps its watch."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from harness import Forewatch, wait_for
from receiver import Receiver
from scene import HOOK_SECRET, configuration_of
from victim import Victim

from forewatch.orchestration.patience import LEAST, LONGEST, patience
from forewatch.orchestration.stand_in import SHIFTS
from forewatch.store import components

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SHIFT = "check-health"
SLACK = 10.0
"""Seconds for the worker to look and the stand-in to take the watch, on a machine that does other things as well."""
PAGED_WITHIN = 15.0


@pytest.fixture(scope="module")
def configuration(victim: Victim, receiver: Receiver) -> str:
    # No scheduled run relieves a watch meanwhile.
    return configuration_of(victim.watched(), receiver, length="2h")


@pytest.fixture(scope="module")
def forewatch(folder: Path, configuration: str) -> Iterator[Forewatch]:
    started = Forewatch(folder, environment={"HOOK_SECRET": HOOK_SECRET})
    started.write_config(configuration)
    try:
        started.up(wait=False)
        # A machine that does other things as well is what this is about.
        started.wait_ready(300)
        wait_for("flow runs to stand", lambda: all(started.shift(name).flow_run_id for name in SHIFTS), 200, every=0.2)
        yield started
    finally:
        started.sweep()


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def lag(forewatch: Forewatch) -> float:
    """Seconds, as the worker has reported it."""
    with forewatch.runtime() as runtime, runtime.store.read() as conn:
        worker = components.get(conn, "worker")
    assert worker is not None
    return float(worker.data["lag_ms"]) / 1000


def test_a_slow_holder_keeps_its_watch(forewatch: Forewatch, victim: Victim, receiver: Receiver) -> None:
    before, began = forewatch.shift(SHIFT), time.monotonic()
    pid = forewatch.holder_pid(SHIFT)
    for _ in range(3):
        with stopped(pid):
            time.sleep(LEAST * 0.7)
        beat = forewatch.shift(SHIFT).beat
        wait_for("a beat", lambda known=beat: forewatch.shift(SHIFT).beat > known, 10)
    after = forewatch.shift(SHIFT)
    assert (after.term, after.holder) == (before.term, before.holder), forewatch.tail()
    assert receiver.of(victim.name, since=began) == []


def test_a_stopped_holder_is_replaced_within_the_patience_and_leaves_when_it_comes_back(
    forewatch: Forewatch, victim: Victim, receiver: Receiver
) -> None:
    before = forewatch.shift(SHIFT)
    pid = forewatch.holder_pid(SHIFT)
    began = time.monotonic()
    with stopped(pid):
        wait_for("a stand-in", lambda: forewatch.shift(SHIFT).term > before.term, LONGEST + SLACK)
        took = time.monotonic() - began
        assert LEAST - 2 < took < patience(lag(forewatch)) + SLACK, forewatch.tail()
        hurt = time.monotonic()
        victim.fault("errors")
        receiver.wait_for(victim.name, "page", since=hurt, timeout=PAGED_WITHIN)
    wait_for("the old holder to leave", lambda: not psutil.pid_exists(pid), 30)
    assert forewatch.shift(SHIFT).holder != before.holder
    victim.fault("none")
    receiver.wait_for(victim.name, "resolved", since=hurt, timeout=PAGED_WITHIN)
    assert len(receiver.of(victim.name, "page", since=hurt)) == 1
