"""What people do to a simulated Forewatch, each as a short process of its own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from simulated_world import World

from forewatch.alerting.matchers import Matcher
from forewatch.alerting.silence import Silence, silence_as_json, state_of
from forewatch.clock import micros
from forewatch.deciding import decide, wake
from forewatch.errors import ForewatchError
from forewatch.incidents.events import (
    Acknowledged,
    IncidentsMerged,
    IncidentSplit,
    ResolvedByHand,
    RunRequested,
    SilenceExpired,
    SilenceSet,
)
from forewatch.runs import automation
from forewatch.runtime import Runtime
from forewatch.store import alerts, incidents, silences


async def use(world: World, event_for: Any) -> None:
    """A person at the CLI: decides upon one event, or learns that it may not be."""
    runtime = world.runtime()

    def act() -> None:
        event = event_for(runtime)
        if event is None:
            return
        outcome = decide(runtime.store, event, config=runtime.configuration.current(), now=runtime.clock.now)
        wake(runtime.home, outcome)

    try:
        await runtime.store.run(act)
    except ForewatchError as error:
        world.counts["refusals"] += 1
        world.tell(f"is told: {error}")


def on_an_incident(kind: type[Acknowledged] | type[ResolvedByHand], newest: bool) -> Any:
    """The event of a person who looks at the list of incidents and takes the first or the last open one."""

    def event_for(runtime: Runtime) -> Any:
        with runtime.store.read() as conn:
            found = [incident for incident in incidents.listing(conn) if incident.open]
        if not found:
            return None
        chosen = found[0 if newest else -1].id
        more = {"reason": "by hand"} if kind is ResolvedByHand else {}
        return kind(chosen, actor="ana", at=runtime.clock.now(), **more)

    return event_for


def a_run(service: str) -> Any:
    return lambda runtime: RunRequested("restart-service", {}, "ana", runtime.clock.now(), service=service)


async def turn_automation(world: World, state: Any) -> None:
    runtime = world.runtime()

    try:
        await runtime.store.run(automation.turn_automation, runtime, state, actor="ana", reason="")
    except ForewatchError as error:
        world.tell(f"is told: {error}")


def a_silence(world: World, about: dict[str, Any]) -> Any:
    """The event of a person who silences."""

    def event_for(runtime: Runtime) -> Any:
        now = runtime.clock.now()
        starts = now + micros(about["after"])
        matchers = tuple(Matcher(name, "=", value) for name, value in about["by"].items())
        silence = Silence(
            id=str(UUID(int=world.number("silence"))),
            matchers=matchers,
            starts_at=starts,
            ends_at=starts + micros(about["lasts"]),
            created_by="ana",
            comment="we know",
            updated_at=now,
            kind=about["kind"],
        )
        return SilenceSet(silence_as_json(silence), "ana", now)

    return event_for


def end_of_a_silence(runtime: Runtime) -> Any:
    now = runtime.clock.now()
    with runtime.store.read() as conn:
        active = [one for one in silences.listing(conn) if state_of(one, now) != "expired"]
    return SilenceExpired(active[0].id, "ana", now) if active else None


def a_merger(runtime: Runtime) -> Any:
    with runtime.store.read() as conn:
        found = [incident.id for incident in incidents.listing(conn) if incident.open]
    return IncidentsMerged(found[0], found[1], "ana", runtime.clock.now()) if len(found) > 1 else None


def a_split(runtime: Runtime) -> Any:
    with runtime.store.read() as conn:
        for incident in incidents.listing(conn):
            fires = [alert.id for alert in alerts.of_incident(conn, incident.id) if alert.status == "firing"]
            if incident.open and len(fires) > 1:
                return IncidentSplit(incident.id, fires[:1], "ana", runtime.clock.now())
    return None
