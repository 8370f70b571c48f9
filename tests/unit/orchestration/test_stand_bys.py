"""One process stands by for the next remedy, inside a flow run that Prefect has begun already."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from forewatch.clock import FakeClock
from forewatch.orchestration.stand_bys import AGAIN_AFTER, REFILL_DELAY, RELIEVED_AFTER, STAND_WITHIN, StandBys

pytestmark = pytest.mark.unit


class Child:
    def __init__(self) -> None:
        self.alive = True
        self.stopped = False
        self.told: list[tuple[Any, ...]] = []

    def send(self, *message: Any) -> bool:
        self.told.append(message)
        return self.alive

    def kill(self) -> None:
        self.alive = False


class Launcher:
    """Sends children to stand by; the test says when they do."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self._stands: list[Any] = []

    async def stand_by(self, flow_run: Any, entrypoint: str, stands: Any) -> Any:
        self.sent.append(SimpleNamespace(child=Child(), run_id=None, flow_run_id=flow_run.id, cancelled=False))
        self._stands.append(stands)
        return self.sent[-1]

    def relieve(self, job: Any) -> None:
        job.child.send("relieve")

    def stands(self, number: int) -> None:
        self._stands[number](self.sent[number])


class Client:
    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.away = False

    async def create_flow_run_from_deployment(self, id: str, **asked: Any) -> Any:
        if self.away:
            raise OSError("the server is away")
        self.asked.append(asked)
        return SimpleNamespace(id=uuid4())


class World:
    def __init__(self) -> None:
        self.clock, self.client, self.launcher = FakeClock(), Client(), Launcher()
        self.answers = self.wanted = True
        deployed = {"respond": SimpleNamespace(id="d", entrypoint="flows.respond:respond")}
        self.stand_bys = StandBys(
            self.launcher,  # type: ignore[arg-type]
            lambda: (self.client, deployed) if self.answers else None,  # type: ignore[arg-type,return-value]
            lambda: self.wanted,
            self.clock.monotonic,
        )

    async def look(self, after: float = 0.0) -> int:
        """Returns how many were sent so far."""
        self.clock.advance(after)
        await self.stand_bys.look()
        return len(self.launcher.sent)

    async def one_stands(self) -> Any:
        await self.look()
        self.launcher.stands(0)
        return self.launcher.sent[0]


@pytest.fixture
def world() -> World:
    return World()


async def test_one_stands_by_under_a_name_that_says_so(world: World) -> None:
    job = await world.one_stands()
    assert world.stand_bys.standing
    [asked] = world.client.asked
    assert (asked["name"], asked["tags"], asked["parameters"]) == ("stand-by", ["stand-by"], {"run": "stand-by"})
    assert await world.look(60.0) == 1
    assert job.child.told == []


async def test_none_stands_by_where_no_remedy_acts_by_itself(world: World) -> None:
    world.wanted = False
    assert await world.look() == 0
    world.wanted = True
    assert await world.look() == 1


async def test_none_is_told_of_a_run_before_it_stands(world: World) -> None:
    await world.look()
    assert not world.stand_bys.take("RUN-1")
    world.launcher.stands(0)
    assert world.stand_bys.take("RUN-1")
    assert world.launcher.sent[0].child.told == [("respond", "RUN-1")]
    assert world.launcher.sent[0].run_id == "RUN-1"


async def test_one_that_was_told_of_a_run_is_replaced_once_the_remedy_has_had_the_cores(world: World) -> None:
    await world.one_stands()
    world.stand_bys.take("RUN-1")
    assert not world.stand_bys.take("RUN-2")
    assert await world.look(REFILL_DELAY / 2) == 1
    assert await world.look(REFILL_DELAY / 2) == 2


async def test_one_that_a_signal_has_stopped_is_ended_and_not_told_of_a_run(world: World) -> None:
    job = await world.one_stands()
    job.child.stopped = True
    assert not world.stand_bys.take("RUN-1")
    assert (job.child.alive, job.child.told, job.run_id) == (False, [], None)
    assert await world.look(REFILL_DELAY) == 2


async def test_one_that_died_is_not_told_of_a_run_and_is_replaced(world: World) -> None:
    job = await world.one_stands()
    job.child.alive = False
    assert not world.stand_bys.standing
    assert not world.stand_bys.take("RUN-1")
    assert await world.look(REFILL_DELAY) == 2


async def test_it_is_relieved_after_an_hour_and_not_before_another_stands(world: World) -> None:
    job = await world.one_stands()
    assert await world.look(RELIEVED_AFTER + 1) == 2
    assert job.child.told == []
    world.launcher.stands(1)
    assert job.child.told == [("relieve",)]
    world.stand_bys.take("RUN-1")
    assert world.launcher.sent[1].child.told == [("respond", "RUN-1")]


async def test_what_was_made_under_another_configuration_is_relieved_at_once(world: World) -> None:
    job = await world.one_stands()
    world.stand_bys.retire()
    assert job.child.told == [("relieve",)]
    assert await world.look() == 2
    world.stand_bys.retire()
    world.launcher.stands(1)
    assert not world.stand_bys.standing
    assert world.launcher.sent[1].child.told == [("relieve",), ("relieve",)]


async def test_one_that_never_comes_to_stand_is_ended_and_tried_again_later(world: World) -> None:
    await world.look()
    assert await world.look(STAND_WITHIN + 1) == 1
    assert not world.launcher.sent[0].child.alive
    assert await world.look() == 1
    assert await world.look(AGAIN_AFTER) == 2


async def test_none_is_sent_while_prefect_is_away_and_one_that_stands_stays(world: World) -> None:
    await world.one_stands()
    world.answers = False
    assert await world.look(RELIEVED_AFTER + 1) == 1
    assert world.stand_bys.take("RUN-1")
    assert await world.look(60.0) == 1


async def test_a_server_that_refuses_is_asked_again_after_a_while(world: World) -> None:
    world.client.away = True
    assert await world.look() == 0
    world.client.away = False
    assert await world.look(AGAIN_AFTER / 2) == 0
    assert await world.look(AGAIN_AFTER / 2) == 1


async def test_one_that_a_person_cancelled_is_not_told_of_a_run(world: World) -> None:
    job = await world.one_stands()
    job.cancelled = True
    assert not world.stand_bys.standing
    assert not world.stand_bys.take("RUN-1")
    assert job.run_id is None


async def test_one_that_ends_again_and_again_is_tried_ever_more_seldom(world: World) -> None:
    sent = []
    for _ in range(4):
        before = world.clock.monotonic()
        while await world.look(1.0) == len(sent):
            continue
        sent.append(world.clock.monotonic() - before)
        world.launcher.sent[-1].child.alive = False
    assert sent == sorted(sent)
    assert sent[-1] >= 3 * AGAIN_AFTER


async def test_a_worker_that_ends_sends_no_other(world: World) -> None:
    await world.one_stands()
    world.stand_bys.close()
    world.stand_bys.take("RUN-1")
    assert await world.look(60.0) == 1
