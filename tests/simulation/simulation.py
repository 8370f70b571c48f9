"""One history: trouble for a while, then quiet with everybody up, then the promises are looked at."""

from __future__ import annotations

import gc
import logging
from collections import Counter
from dataclasses import dataclass, field, replace

from chaos import Rates
from history_plan import LENGTH, ROLES, Plan, Step
from promises import broken_promises
from simulated_people import a_merger, a_run, a_silence, a_split, end_of_a_silence, on_an_incident, turn_automation, use
from simulated_processes import stand_watch, under_way, with_simulated_effects, work, worker_ends
from simulated_sender import Sender, changes, serve
from simulated_store import fresh
from simulated_world import World

from forewatch.clock import micros
from forewatch.incidents.events import Acknowledged, ResolvedByHand
from forewatch.store import outbox, timers

LOOK_AFTER = 2.0
"""Seconds between two looks of who starts what has died."""
QUIET = 60.0
MOST_QUIET = 6
"""So many times `QUIET` at most, until everything is done."""
BACK_WITHIN = 45.0
"""Seconds after which one that stood still has a watch again and has seen how things are."""
MOST_STEPS = 80_000
COMES_FOR, GOES_FOR = 5.0, 5.0
"""Seconds of each episode of what comes and goes."""


@dataclass
class History:
    """What came of a plan."""

    plan: Plan
    broken: list[str]
    counts: Counter[str]
    mischief: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)


def live(plan: Plan, *, telling: bool = False, replay: bool = False, promises: frozenset[str] | None = None) -> History:
    """Let a history happen; `promises` are the names of those that are looked at, by default all."""
    logging.disable(logging.CRITICAL)
    world = World(plan, telling=telling)
    world.sender = Sender(world)
    with fresh(world), with_simulated_effects(world):
        try:
            world.configure(0)
            for step in plan.steps:
                world.loop.call_at(step.at, _happen, world, step)
            world.loop.call_soon(_look_after, world)
            world.loop.create_task(world.sender.post_for_ever())
            world.loop.run_until(LENGTH, MOST_STEPS)
            broken = _quiet_down(world) or broken_promises(world, replay=replay, promises=promises)
        except Exception as error:  # noqa: BLE001 - whatever breaks a history is a finding
            broken = [f"the history broke off: {type(error).__name__}: {error}"]
        finally:
            world.over = True
            world.loop.close()
            logging.disable(logging.NOTSET)
    return History(plan, broken, world.counts, list(dict.fromkeys(world.chaos.done)), world.story)


def rarely_collect() -> None:
    """A history leaves little garbage in cycles; looking for it in all that is imported takes a tenth of its time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


def without_mischief(plan: Plan) -> Plan:
    return replace(plan, rates=Rates())


def _quiet_down(world: World) -> list[str]:
    """No more mischief; what is ill stays ill. Time passes until nothing is left to do."""
    world.tell("--- from here on all is quiet")
    world.chaos.enabled = False
    world.away.clear()
    world.hanging.clear()
    world.disks_full = 0
    for _ in range(MOST_QUIET):
        world.loop.run_until(world.loop.time() + QUIET, MOST_STEPS)
        left = _left(world)
        if not left:
            return []
    return [f"it never comes to rest: {'; '.join(left)}"]


def _left(world: World) -> list[str]:
    """What should have been done by now."""
    now = world.clock.now()
    with world.store.read() as conn:
        left = [f"the {timer.kind} timer of {timer.subject} is due" for timer in timers.due(conn, now)]
        waiting = outbox.claimable(conn, now=now + micros(outbox.LONGEST_BACK_OFF), term=1 << 40, limit=100)
        left += [f"{notification.id} is {notification.state}" for notification in waiting]
    if world.inbox_waits():
        left.append("something taken in is not decided")
    left += [f"{run.id} is {run.state}" for run in under_way(world)]
    back = world.loop.time() - BACK_WITHIN
    left += [
        f"{one.what} has only just come back" for one in world.hindrances if one.what in ROLES and one.until > back
    ]
    return left


def _look_after(world: World) -> None:
    """The supervisor and the worker's stand-ins: what has died is started again; some watches are taken over."""
    for role in ("check-health", "page-people"):
        process = world.processes.get(role)
        if process is None or not process.alive:
            world.start(role, lambda role=role: stand_watch(world, role, relieving=False))
        elif world.chaos.at_watch(f"watch {role} {world.number(f'look {role}')}") is not None:
            world.counts["take-overs"] += 1
            relieving = world.chaos.number(f"relieving {process}") < 0.5
            world.start(role, lambda role=role, how=relieving: stand_watch(world, role, relieving=how))
    for name, main in (("worker", work), ("serve", serve)):
        process = world.processes.get(name)
        if (process is None or not process.alive) and not world.away[name] > 0:
            world.start(name, lambda main=main: main(world))
    world.loop.call_later(LOOK_AFTER, _look_after, world)


def _happen(world: World, step: Step) -> None:
    about = step.about
    world.tell(f">>> {step}")
    world.counts[step.what] += 1
    match step.what:
        case "falls ill":
            world.services.fall_ill(**about)
        case "comes and goes":
            _come_and_go(world, **about)
        case "is posted":
            _post(world, (about["alertname"], about["service"]), about["lasts"])
        case "is posted of all":
            for service, lasts in zip(world.setting.main_checks(), about["lasts"], strict=True):
                _post(world, (about["alertname"], service), lasts)
        case "a run hangs":
            world.hanging.append((about["about"], about["lasts"]))
        case "two runs hang":  # the second often is the one that takes over from the first
            world.hanging += [(about["about"], about["lasts"])] * 2
        case "reports a change":
            world.inbound.append(changes(world, about["service"]))
        case "silences":
            world.start("person", lambda: use(world, a_silence(world, about)))
        case "ends a silence":
            world.start("person", lambda: use(world, end_of_a_silence))
        case "merges":
            world.start("person", lambda: use(world, a_merger))
        case "splits":
            world.start("person", lambda: use(world, a_split))
        case "acknowledges":
            world.start("person", lambda: use(world, on_an_incident(Acknowledged, about["newest"])))
        case "resolves":
            world.start("person", lambda: use(world, on_an_incident(ResolvedByHand, about["newest"])))
        case "asks for a run":
            world.start("person", lambda: use(world, a_run(about["service"])))
        case "stops automation":
            world.start("person", lambda: turn_automation(world, "off"))
            world.loop.call_later(about["lasts"], lambda: world.start("person", lambda: turn_automation(world, "on")))
        case "Prefect is away":
            _away(world, "Prefect", about["lasts"])
        case "the worker is away":
            world.kill("worker")
            world.hinder("worker", about["lasts"])
            _away(world, "worker", about["lasts"])
            world.start("supervisor", lambda: worker_ends(world))
        case "a notifier is away":
            _away(world, about["notifier"], about["lasts"])
        case "the clock is set":
            world.clock.offset += micros(about["by"])
            world.stir()
        case "the disk is full":
            _fill_disk(world, about["lasts"])
        case "is killed":
            world.kill(about["role"])
        case "is configured":
            world.configure(about["variant"])
        case _:
            raise ValueError(f"nothing is known of {step.what}")


def _away(world: World, what: str, lasts: float) -> None:
    world.away[what] += 1

    def back() -> None:
        world.away[what] -= 1
        world.stir()

    world.loop.call_later(lasts, back)


def _fill_disk(world: World, lasts: float) -> None:
    world.disks_full += 1
    world.hinder("the store", lasts)

    def free() -> None:
        world.disks_full = max(0, world.disks_full - 1)

    world.loop.call_later(lasts, free)


def _come_and_go(world: World, service: str, check: str, times: int, kind: str = "refused") -> None:
    """Long enough for a check to fail, and to pass again."""
    world.services.fall_ill(service, check, COMES_FOR, kind)
    if times > 1:
        world.loop.call_later(COMES_FOR + GOES_FOR, _come_and_go, world, service, check, times - 1, kind)


def _post(world: World, what: tuple[str, str], lasts: float) -> None:
    now = world.loop.time()
    since, until = world.sender.fires.get(what, (now, now))
    goes_on = until > now
    world.sender.fires[what] = (since if goes_on else now, max(until, now + lasts))
    spells = world.sender.spells[what]
    spells[-1 if goes_on and spells else len(spells) :] = [world.sender.fires[what]]
