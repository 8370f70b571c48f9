"""Steps and their receipts, in a real store."""

# ruff: noqa: PT012 - it is the run as a whole that raises

from __future__ import annotations

import asyncio
import contextlib

import pytest

from forewatch.errors import ActionRefused, Interrupted, RunbookError, SequenceChanged, StepFailed, StepUnknown
from forewatch.runbook import Happened, attach, current_run, note, step, still_allowed
from forewatch.runs import parent_link
from forewatch.runs.execution import admit
from forewatch.store import attachments, receipts, runs, switches
from runbooks import collect_diagnostics

pytestmark = pytest.mark.unit


class Killed(BaseException):
    """Stands for the death of the process: nothing of ours may handle it."""


done: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_done():
    done.clear()


@step
async def act(what: str) -> str:
    """Do it."""
    done.append(what)
    return f"did {what}"


@step(changes=False)
async def look(what: str) -> str:
    done.append(what)
    return f"saw {what}"


@step
async def die(what: str) -> str:
    done.append(what)
    raise Killed


async def _has_happened(what: str) -> Happened[str] | None:
    return Happened(f"did {what}, as was found out") if what in done else None


@step(probe=_has_happened)
async def die_but_leave_traces(what: str) -> str:
    done.append(what)
    raise Killed


@step(probe=_has_happened)
async def die_at_first(what: str) -> str:
    """Dies before it could do anything, the first time."""
    if "died" not in done:
        done.append("died")
        raise Killed
    done.append(what)
    return "taken again"


def crash(runtime) -> None:
    """What a new worker does with a run whose process died."""
    with runtime.store.decide() as conn:
        assert runs.release(conn, "RUN-1", "started")
        assert [run.id for run in runs.claim(conn, "worker-2", 2, 1)] == ["RUN-1"]


def receipts_of(runtime, run_id="RUN-1"):
    with runtime.store.read() as conn:
        return [(receipt.name, receipt.kind, receipt.state) for receipt in receipts.of_run(conn, run_id)]


async def test_every_step_leaves_a_receipt(runtime, run_at_work, stored_run):
    async with run_at_work():
        assert await look("disk") == "saw disk"
        assert await act("cleanup") == "did cleanup"
    assert receipts_of(runtime) == [("look", "observe", "done"), ("act", "act", "done")]
    assert stored_run().state == "done"
    assert stored_run().acted_at is not None


async def test_looking_alone_is_not_acting(runtime, run_at_work, stored_run):
    async with run_at_work() as execution:
        await look("disk")
        assert stored_run().acted_at is None
        assert execution.service == "storefront"


async def test_a_resumed_run_does_not_repeat_what_is_done(runtime, run_at_work, stored_run):
    with pytest.raises(Killed):
        async with run_at_work():
            await look("disk")
            await act("first")
            await die_but_leave_traces("second")
    assert receipts_of(runtime)[2][2] == "intent"
    crash(runtime)
    async with run_at_work(flow_run_id="flow-b"):
        assert await look("disk") == "saw disk"
        assert await act("first") == "did first"
        assert await die_but_leave_traces("second") == "did second, as was found out"
        assert await act("third") == "did third"
    assert done == ["disk", "first", "second", "third"]
    assert stored_run().state == "done"


async def test_a_step_its_probe_did_not_find_is_taken_again(runtime, run_at_work):
    with pytest.raises(Killed):
        async with run_at_work():
            await die_at_first("it")
    crash(runtime)
    async with run_at_work(flow_run_id="flow-b"):
        assert await die_at_first("it") == "taken again"
    assert done == ["died", "it"]


async def test_a_step_nobody_can_tell_about_stops_the_run_for_a_person(runtime, run_at_work, stored_run):
    with pytest.raises(Killed):
        async with run_at_work():
            await die("payment")
    crash(runtime)
    with pytest.raises(StepUnknown, match=r"step 1 \(die\) of RUN-1 was under way when its process died"):
        async with run_at_work(flow_run_id="flow-b"):
            await die("payment")
    assert done == ["payment"]
    assert stored_run().state == "failed"
    assert "look, and start a new run" in (stored_run().outcome or "")


async def test_another_sequence_is_refused(runtime, run_at_work, stored_run):
    with pytest.raises(Killed):
        async with run_at_work():
            await act("first")
            await die("second")
    crash(runtime)
    with pytest.raises(SequenceChanged, match="step 1 of the resumed RUN-1 is act with other inputs"):
        async with run_at_work(flow_run_id="flow-b"):
            await act("other")
    assert done == ["first", "second"]
    assert stored_run().state == "failed"


async def test_positional_and_named_arguments_are_the_same_step(runtime, run_at_work):
    with pytest.raises(Killed):
        async with run_at_work():
            await act("first")
            raise Killed
    crash(runtime)
    async with run_at_work(flow_run_id="flow-b"):
        assert await act(what="first") == "did first"
    assert done == ["first"]


async def test_a_failed_step_fails_again_in_the_same_words_when_resumed(runtime, run_at_work):
    @step
    async def fail() -> None:
        done.append("fail")
        raise OSError("the disk is on fire")

    words = []
    for flow_run_id in ("flow-a", "flow-b"):
        with pytest.raises(Killed):
            async with run_at_work(flow_run_id=flow_run_id):
                with pytest.raises(StepFailed) as caught:
                    await fail()
                words.append(str(caught.value))
                raise Killed
        crash(runtime)
    assert words == ["step fail failed: OSError: the disk is on fire"] * 2
    assert done == ["fail"]


async def test_a_failing_step_is_tried_as_often_as_it_says(runtime, run_at_work):
    @step(attempts=3, backoff=0.001)
    async def flaky() -> str:
        done.append("try")
        if len(done) < 3:
            raise ConnectionError("not yet")
        return "well"

    async with run_at_work():
        assert await flaky() == "well"
    assert receipts_of(runtime) == [("flaky", "act", "done")]


async def test_a_permanent_error_is_not_tried_again(run_at_work):
    @step(attempts=3, backoff=0.001)
    async def hopeless() -> None:
        done.append("try")
        raise StepFailed("there is no such unit")

    with pytest.raises(StepFailed, match="there is no such unit"):
        async with run_at_work():
            await hopeless()
    assert done == ["try"]


async def test_a_step_that_takes_too_long_fails(runtime, run_at_work, stored_run):
    @step(timeout=0.05)
    async def slow() -> None:
        await asyncio.sleep(30)

    with pytest.raises(StepFailed, match=r"step slow failed: it took longer than 0\.05 s"):
        async with run_at_work():
            await slow()
    assert stored_run().state == "failed"


async def test_a_cancelled_run_ends_after_its_current_step(runtime, run_at_work, stored_run):
    begun = asyncio.Event()

    @step
    async def take_time() -> str:
        begun.set()
        await asyncio.sleep(0.1)
        done.append("finished")
        return "finished"

    async def runbook() -> None:
        async with run_at_work():
            await take_time()
            await act("never")

    task = asyncio.create_task(runbook())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["finished"]
    assert receipts_of(runtime) == [("take-time", "act", "done")]
    assert stored_run().state == "cancelled"


async def test_the_stop_switch_is_obeyed_before_the_next_step_that_acts(runtime, run_at_work, stored_run):
    with pytest.raises(ActionRefused, match="automation was stopped by ada while RUN-1 was at work: deploy night"):
        async with run_at_work():
            await act("first")
            with runtime.store.decide() as conn:
                switches.turn(conn, "automation", "off", actor="ada", reason="deploy night", now=1)
            await look("still fine")
            await act("second")
    assert done == ["first", "still fine"]
    assert stored_run().state == "failed"


async def test_a_run_whose_worker_is_gone_is_put_back_for_another(runtime, run_at_work, stored_run):
    with pytest.raises(Interrupted, match="RUN-1 stops before step 2: the worker that ran it is gone"):
        async with run_at_work():
            await act("first")
            parent_link.worker_gone()
            await act("second")
    assert stored_run().state == "waiting"
    assert done == ["first"]


async def test_a_run_taken_over_by_another_flow_run_acts_no_more_and_has_no_say(runtime, run_at_work, stored_run):
    with pytest.raises(ActionRefused, match="RUN-1 has been taken over by flow run flow-b"):
        async with run_at_work():
            crash(runtime)
            await admit(runtime, "RUN-1", "flow-b")
            await act("never")
    assert done == []
    assert (stored_run().state, stored_run().flow_run_id) == ("started", "flow-b")


@pytest.mark.parametrize("ending", [StepFailed("it broke"), Interrupted("the worker is gone"), None])
async def test_however_the_first_flow_run_ends_a_run_taken_over_goes_on(runtime, run_at_work, stored_run, ending):
    with contextlib.suppress(StepFailed, Interrupted):
        async with run_at_work():
            crash(runtime)
            await admit(runtime, "RUN-1", "flow-b")
            if ending is not None:
                raise ending
    assert (stored_run().state, stored_run().flow_run_id) == ("started", "flow-b")


async def test_a_run_put_back_as_silent_waits_on_though_its_process_comes_back(runtime, run_at_work, stored_run):
    with pytest.raises(ActionRefused, match="RUN-1 was put back for another flow run"):
        async with run_at_work():
            crash(runtime)
            await act("never")
    assert (done, stored_run().state) == ([], "claimed")


async def test_results_and_inputs_must_be_json(run_at_work):
    @step
    async def odd(value: object) -> object:
        return value

    async with run_at_work():
        with pytest.raises(RunbookError, match="the input of step odd is not plain JSON"):
            await odd(object())
        assert await odd((1, 2)) == [1, 2]


async def test_steps_need_a_run(run_at_work):
    with pytest.raises(RunbookError, match="no run is under way here"):
        await act("it")


async def test_notes_and_attachments_are_written_once_and_masked(runtime, run_at_work):
    with pytest.raises(Killed):
        async with run_at_work():
            await note("looked at it")
            await attach("log", "Authorization: Bearer abcdef0123456789abcdef0123456789")
            raise Killed
    crash(runtime)
    async with run_at_work(flow_run_id="flow-b"):
        await note("looked at it")
        await attach("log", "Authorization: Bearer abcdef0123456789abcdef0123456789")
    with runtime.store.read() as conn:
        attached = attachments.of_run(conn, "RUN-1")
    assert len(attached) == 1
    assert "abcdef0123456789" not in attached[0].text


async def test_diagnostics_are_masked_in_their_receipt_too(runtime, run_at_work, monkeypatch):
    async def collect(*_):
        return {"processes": "deploy --token abc Authorization: Bearer abcdef0123456789abcdef0123456789"}

    monkeypatch.setattr(collect_diagnostics, "collect", collect)
    async with run_at_work():
        await collect_diagnostics.look_at_machine("storefront")
    with runtime.store.read() as conn:
        [receipt] = receipts.of_run(conn, "RUN-1")
    assert "Authorization" in receipt.result["processes"]
    assert "abcdef0123456789" not in receipt.result["processes"]


async def test_still_allowed_says_so_between_steps(runtime, run_at_work):
    async with run_at_work():
        await still_allowed()
        with runtime.store.decide() as conn:
            switches.turn(conn, "automation", "off", actor="ada", reason="", now=1)
        with pytest.raises(ActionRefused, match="automation was stopped by ada"):
            await still_allowed()


async def test_a_run_at_work_beats(runtime, run_at_work, monkeypatch):
    monkeypatch.setattr("forewatch.runs.execution.BEAT", 0.01)
    async with run_at_work():
        await asyncio.sleep(0.2)
        with runtime.store.read() as conn:
            assert next(beat for _, beat in runs.under_way(conn)) >= 2


async def test_a_run_of_another_flow_run_is_left_alone(run_at_work):
    async with run_at_work():
        with pytest.raises(ActionRefused, match="so flow run flow-b leaves it"):
            async with run_at_work(flow_run_id="flow-b"):
                await act("never")
        assert current_run().flow_run_id == "flow-a"
    assert done == []
