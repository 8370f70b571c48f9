"""Somebody else's Prometheus, and the intake of a simulated Forewatch that writes down what it posts."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from typing import Any

from history_plan import GRID
from simulated_groups import SOURCE
from simulated_world import World

from forewatch.clock import iso, micros
from forewatch.errors import ForewatchError
from forewatch.incidents.events import ChangeReported
from forewatch.intake.lanes import Part
from forewatch.intake.posted_alerts import check
from forewatch.intake.writer import Writer, _Waiting

RESEND, REPEATS_THE_END = 10.0, 60.0
"""Seconds between two posts, and after the end of an alert in which it is posted still."""


class Sender:
    """A Prometheus: posts what fires again and again, and for a while what is over."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.fires: dict[tuple[str, str], tuple[float, float]] = {}
        """(alertname, service) -> since when and until when, seconds."""
        self.spells: defaultdict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
        """All of that there was."""

    def labels(self, alertname: str, service: str) -> dict[str, str]:
        return {"alertname": alertname, "service": service, "severity": self._world.setting.severities[alertname]}

    def firing(self) -> list[dict[str, str]]:
        now = self._world.loop.time()
        return [self.labels(*what) for what, (since, until) in self.fires.items() if since <= now < until]

    async def post_for_ever(self) -> None:
        """Outside of all our processes."""
        world = self._world
        await asyncio.sleep(RESEND / 3)
        while True:
            place = f"post {world.number('post')}"
            mischief = world.chaos.on_the_wire(place)
            body = self._body()
            if body is not None and mischief != "lost":
                world.inbound += [("alertmanager", body)] * (2 if mischief == "twice" else 1)
            await asyncio.sleep(RESEND)

    def _body(self) -> bytes | None:
        now, clock = self._world.loop.time(), self._world.clock.now()
        posted = []
        for what, (since, until) in self.fires.items():
            if self._world.chaos.enabled and until < now - REPEATS_THE_END:
                continue
            alert: dict[str, Any] = {"labels": self.labels(*what), "startsAt": iso(clock - micros(now - since))}
            if until <= now:
                alert["endsAt"] = iso(clock - micros(now - until) - 1000)
            posted.append(alert)
        return json.dumps(posted).encode() if posted else None


async def serve(world: World) -> None:
    """The intake: what arrives is written down with the real writer's code, on no thread of its own."""
    runtime = world.runtime()
    writer = Writer(runtime.store, runtime.clock)

    def write(kind: str, body: bytes) -> None:
        writer._look()
        answer: Any = None
        if kind == "events":
            writer._write([_Waiting(SOURCE, kind, (Part(body),), runtime.clock.now(), answer)])
            return
        checked = check(body, runtime.clock.now())
        if checked.problems:
            # On its way while the clock was set back: as with Alertmanager, what begins after its end is refused, and
            # sent again with the times of then.
            assert all("start time must be before end time" in one for one in checked.problems), checked.problems
            world.tell(f"answers 400: {checked.problems[0]}")
        if checked.parts:
            writer._write([_Waiting(SOURCE, kind, checked.parts, runtime.clock.now(), answer)])

    while True:
        while world.inbound:
            kind, body = world.inbound.pop(0)
            try:
                await runtime.store.run(write, kind, body)
                world.counts["bodies taken in"] += 1
                if kind == "events":
                    world.taken_in += [event["summary"] for event in json.loads(body)]
            except ForewatchError as error:
                world.tell(f"answers 503: {error}")
        await asyncio.sleep(GRID)


def changes(world: World, service: str) -> tuple[str, bytes]:
    """Two changes, which are reported once and never again: what is lost of them stays lost."""
    at = world.clock.now()
    events = [
        ChangeReported(f"change {world.number('change')}", service, SOURCE, at).as_json(),
        ChangeReported(f"change {world.number('change')}", None, SOURCE, at).as_json(),
    ]
    return "events", json.dumps(events).encode()
