"""A time-out that our own loop is to blame for is no verdict: refusals and wrong answers are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from virtual_loop import run

import tasks.probes
from forewatch.checking.results import ProbeResult
from forewatch.config.models import Check
from tasks.probes import ASLEEP, MOST_LOST, ProbeContext, probe
from tasks.probes.attempt import Answer, Failing

pytestmark = pytest.mark.unit

TIMEOUT = 5.0


def asked(monkeypatch, attempt, *, held_up: float = 0.0, **fields) -> tuple[ProbeResult, int]:
    """A check of a target that behaves as `attempt` says, on a loop that stands still for `held_up` seconds meanwhile;
    the result, and how many tries it took."""
    tries = 0

    async def counted(a):
        nonlocal tries
        tries += 1
        return await attempt(a)

    monkeypatch.setattr(tasks.probes, "KINDS", {"http": counted})
    check = Check.model_validate({"http": "http://x/", "timeout": TIMEOUT, "every": 10.0, **fields})

    async def scene() -> ProbeResult:
        async with ProbeContext(Path()) as context:
            asyncio.get_running_loop().call_later(1.0, context.lateness.note, 1000.0, 1000.0 + held_up)
            return await probe(check, None, context)

    return run(scene()), tries


async def silent(a) -> Answer:
    await asyncio.sleep(3600)
    return Answer("", {})


async def refusing(a) -> Answer:
    await asyncio.sleep(2.0)
    raise Failing("refused by x:80")


async def slow(a) -> Answer:
    await asyncio.sleep(3.0)
    return Answer("200 after 3 s", {})


async def without_connection(a) -> Answer:
    await asyncio.sleep(4.0)
    raise Failing("no connection within 5 s", timed_out=True)


def test_a_target_that_is_silent_while_our_loop_runs_well_times_out(monkeypatch):
    result, tries = asked(monkeypatch, silent)
    assert (result.ok, result.timed_out, result.late, tries) == (False, True, False, 1)


def test_a_little_lateness_excuses_no_target(monkeypatch):
    result, _ = asked(monkeypatch, silent, held_up=TIMEOUT * MOST_LOST * 0.9)
    assert (result.timed_out, result.late) == (True, False)


def test_a_time_out_while_our_loop_stood_still_is_late_and_not_tried_again_at_once(monkeypatch):
    result, tries = asked(monkeypatch, silent, held_up=TIMEOUT * MOST_LOST * 1.1, retries=3)
    assert (result.ok, result.timed_out, result.late, tries) == (False, True, True, 1)


def test_so_is_a_connection_that_a_check_waited_for_by_itself(monkeypatch):
    assert asked(monkeypatch, without_connection, held_up=2.0)[0].late
    assert not asked(monkeypatch, without_connection)[0].late


def test_an_answer_later_than_expected_is_doubted_as_a_time_out_is(monkeypatch):
    assert asked(monkeypatch, slow, held_up=2.0, expect={"latency": "1s"})[0].late
    timely = asked(monkeypatch, slow, expect={"latency": "1s"})[0]
    assert (timely.ok, timely.timed_out, timely.late) == (False, True, False)


def test_a_refusal_counts_however_late_our_loop_is(monkeypatch):
    result, _ = asked(monkeypatch, refusing, held_up=60.0)
    assert (result.ok, result.timed_out, result.late) == (False, False, False)


def test_a_pass_counts_however_late_our_loop_is(monkeypatch):
    result, _ = asked(monkeypatch, slow, held_up=60.0)
    assert (result.ok, result.late, result.untimed) == (True, False, True)


def test_an_answer_that_our_loop_was_there_for_is_timed(monkeypatch):
    assert not asked(monkeypatch, slow)[0].untimed


def test_a_time_out_noticed_late_after_a_pause_of_the_machine_is_asked_once_more(monkeypatch):
    async def asleep_at_first(a):
        loop = asyncio.get_running_loop()
        if loop.time() < 1010:
            loop.call_later(TIMEOUT - 0.01, setattr, loop, "passed", loop.passed + 100.0)
            await asyncio.sleep(3600)
        return Answer("200 after 1 ms", {})

    result, tries = asked(monkeypatch, asleep_at_first)
    assert (result.ok, result.late, tries) == (True, False, 2)


def test_one_that_is_noticed_late_twice_is_late(monkeypatch):
    async def always_asleep(a):
        loop = asyncio.get_running_loop()
        loop.call_later(TIMEOUT - 0.01, lambda: setattr(loop, "passed", loop.passed + ASLEEP * 4))
        await asyncio.sleep(3600)
        return Answer("", {})

    result, tries = asked(monkeypatch, always_asleep)
    assert (result.late, tries) == (True, 2)
