"""A shift's table is one artifact of its flow run, brought up to date while the shift stands."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from flows import shifts

pytestmark = pytest.mark.unit


class Duty:
    def __init__(self) -> None:
        self.shown = 0

    def rows(self) -> list[dict[str, Any]]:
        self.shown += 1
        return [{"shown": self.shown}]


class Prefect:
    """Its artifacts, by id: the data of each."""

    def __init__(self) -> None:
        self.artifacts: dict[UUID, Any] = {}
        self.lost = False

    async def create(self, *, table: Any, key: str, description: str) -> UUID:
        made = uuid4()
        self.artifacts[made] = table
        return made

    async def update_artifact(self, artifact_id: UUID, artifact: Any) -> None:
        if self.lost:
            raise OSError("the server is away")
        self.artifacts[artifact_id] = artifact.data


@pytest.fixture
def prefect(monkeypatch: pytest.MonkeyPatch) -> Prefect:
    made = Prefect()

    @contextlib.asynccontextmanager
    async def client() -> AsyncIterator[Prefect]:
        yield made

    async def listens() -> bool:
        return True

    monkeypatch.setattr(shifts, "acreate_table_artifact", made.create)
    monkeypatch.setattr(shifts, "get_client", client)
    monkeypatch.setattr(shifts, "server_listens", listens)
    return made


async def test_it_is_brought_up_to_date_and_no_other_is_made(prefect: Prefect) -> None:
    duty, published = Duty(), dict[str, UUID]()
    for _ in range(3):
        await shifts._publish("page-people", duty, published)  # type: ignore[arg-type]
    assert list(prefect.artifacts.values()) == ['[{"shown": 3}]']
    assert list(published) == ["page-people"]


async def test_one_that_may_be_gone_is_followed_by_another(prefect: Prefect) -> None:
    duty, published = Duty(), dict[str, UUID]()
    await shifts._publish("page-people", duty, published)  # type: ignore[arg-type]
    prefect.lost = True
    await shifts._publish("page-people", duty, published)  # type: ignore[arg-type]
    assert published == {}
    await shifts._publish("page-people", duty, published)  # type: ignore[arg-type]
    assert len(prefect.artifacts) == 2
