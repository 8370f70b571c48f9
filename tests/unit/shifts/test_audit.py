"""What becomes a task run of the shift, and how many."""

from __future__ import annotations

import asyncio

import pytest

from tasks import audit
from tasks.audit import MOST_A_MINUTE, Audit

pytestmark = pytest.mark.unit


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made: list[str] = []

    class Recorder:
        def with_options(self, task_run_name: str) -> Recorder:
            return self

        async def __call__(self, text: str) -> None:
            made.append(text)

    monkeypatch.setattr(audit, "_state_change", Recorder())
    monkeypatch.setattr(audit.FlowRunContext, "get", lambda: object())
    return made


async def test_a_state_change_is_recorded_in_the_background_and_at_the_latest_when_the_watch_ends(
    recorded: list[str],
) -> None:
    book = Audit()
    book.record("INC-1 triggered", "AL-1 fires")
    await asyncio.sleep(0)
    assert recorded == []
    await book.close()
    assert recorded == ["AL-1 fires"]


async def test_a_storm_is_cut_off_and_the_next_record_says_how_much_was(
    recorded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Audit()
    for number in range(MOST_A_MINUTE + 7):
        book.record("INC-1", f"change {number}")
    book._recent.clear()
    book.record("INC-1", "later")
    await book.close()
    assert len(recorded) == MOST_A_MINUTE + 1
    assert recorded[-1] == "later (7 before this one were left out here)"


async def test_trouble_of_prefect_is_not_the_watchs(recorded: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(task_run_name: str) -> None:
        raise RuntimeError("Prefect is away")

    monkeypatch.setattr(audit._state_change, "with_options", refuse)
    book = Audit()
    book.record("INC-1", "AL-1 fires")
    await book.close()
    assert recorded == []


async def test_nothing_is_recorded_outside_of_a_flow_run(monkeypatch: pytest.MonkeyPatch) -> None:
    book = Audit()
    book.record("INC-1", "AL-1 fires")
    assert not book._tasks
