"""A stand-in asks Prefect for a run to relieve it, until one comes."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace

import pytest

from flows import shifts

pytestmark = pytest.mark.unit


class Prefect:
    """A server of which the first `deaf` requests fail; counts the runs it was asked for."""

    def __init__(self, deaf: int = 0) -> None:
        self.deaf = deaf
        self.asked: list[str] = []

    async def __aenter__(self) -> Prefect:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def read_deployment_by_name(self, name: str) -> SimpleNamespace:
        if self.deaf:
            self.deaf -= 1
            raise ConnectionError("nobody there")
        return SimpleNamespace(id=name)

    async def create_flow_run_from_deployment(self, deployment: str) -> None:
        self.asked.append(deployment)


async def slept(monkeypatch: pytest.MonkeyPatch, prefect: Prefect, times: int) -> list[float]:
    """Have relief asked for until it has slept so often, in no time; how long it slept each time."""
    naps: list[float] = []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == times:
            raise asyncio.CancelledError

    async def listens() -> bool:
        return True

    monkeypatch.setattr(shifts, "get_client", lambda: prefect)
    monkeypatch.setattr(shifts, "server_listens", listens)
    monkeypatch.setattr(shifts.asyncio, "sleep", sleep)
    with contextlib.suppress(asyncio.CancelledError):
        await shifts._ask_for_relief("check-health")
    return naps


async def test_a_run_that_was_asked_for_and_never_came_is_asked_for_again(monkeypatch):
    prefect = Prefect()
    assert await slept(monkeypatch, prefect, 3) == [shifts.RELIEF_PATIENCE * times for times in (1, 2, 4)]
    assert prefect.asked == ["check-health/check-health"] * 3


async def test_while_prefect_is_away_it_is_asked_more_often(monkeypatch):
    prefect = Prefect(deaf=2)
    assert await slept(monkeypatch, prefect, 3) == [5.0, 5.0, shifts.RELIEF_PATIENCE]
    assert len(prefect.asked) == 1
