"""What must hold at the end of every history, read from the store and from the world, not from the decisions' code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from chronicle import Chronicle
from ledger import Ledger
from promises_of_acting import acts_for_another, acts_for_what_passes, never_asked_again
from promises_of_ends import untrue_ends
from promises_of_incidents import glued, left_open
from promises_of_naming import last_word_is_resolved, unnamed
from promises_of_records import changes_without_reason, replays_differently
from promises_of_telling import doubled, told_without_reason, untold
from simulated_world import World

from forewatch.checking.results import ALERT_NAME, monitors
from forewatch.clock import micros

Promise = Callable[[World, Ledger, Chronicle], Iterable[str]]

OF_RECORDS: dict[str, Promise] = {
    "expected": lambda world, ledger, told: world.unexpected,
    "alerts": lambda world, ledger, told: lost_alerts(world, ledger),
    "done": lambda world, ledger, told: unended(world, ledger),
    "incidents": lambda world, ledger, told: wrong_incidents(ledger),
    "timers": lambda world, ledger, told: missing_timers(ledger),
    "limits": lambda world, ledger, told: beyond_limits(world, ledger),
    "told": lambda world, ledger, told: untold(world, ledger),
    "once": lambda world, ledger, told: doubled(world, ledger),
    "reasons": lambda world, ledger, told: told_without_reason(ledger),
    "explained": lambda world, ledger, told: changes_without_reason(ledger),
}
OF_A_COURSE: dict[str, Promise] = {
    "named": lambda world, ledger, told: unnamed(told),
    "last word": lambda world, ledger, told: last_word_is_resolved(told),
    "resolved": lambda world, ledger, told: untrue_ends(world, told),
    "acts for what fails": lambda world, ledger, told: acts_for_what_passes(world, told),
    "acts at the cause": lambda world, ledger, told: acts_for_another(world, told),
    "asked again": lambda world, ledger, told: never_asked_again(told, ledger),
    "together": lambda world, ledger, told: glued(told),
    "open": lambda world, ledger, told: left_open(told),
}
"""Looked at where nobody set the clock, so that times tell what was when."""
PROMISES = {**OF_RECORDS, **OF_A_COURSE}


def broken_promises(world: World, *, replay: bool = False, promises: frozenset[str] | None = None) -> list[str]:
    """Every promise that is broken, as a sentence; with `replay` the history is decided again as well, which costs."""
    ledger = Ledger.read(world)
    count(world, ledger)
    wanted = frozenset(PROMISES) if promises is None else promises
    times_tell = not any(step.what == "the clock is set" for step in world.plan.steps)
    told = Chronicle.of(world, ledger) if times_tell and wanted & OF_A_COURSE.keys() else None
    found: list[str] = []
    for name, promise in PROMISES.items():
        if name in wanted and (told is not None or name in OF_RECORDS):
            found += promise(world, ledger, told or Chronicle(0.0))
    if replay:
        found += replays_differently(world)
    return found


def count(world: World, ledger: Ledger) -> None:
    world.counts += {
        "alerts": len(ledger.alerts),
        "incidents": len(ledger.incidents),
        "decisions": len(ledger.decisions),
        "pages": sum(notice.kind == "page" for notice in ledger.outbox.values()),
        "notices of groups": sum("alerts" in notice.content for notice in ledger.outbox.values()),
        "sent": sum(notice.state == "sent" for notice in ledger.outbox.values()),
        "received": len(world.received),
        "doubles": len(world.received) - len({(one.notifier, one.notification.id) for one in world.received}),
        "received without the store": sum(one.notification.id.startswith("NT-direct") for one in world.received),
        "runs": len(ledger.runs),
    }
    for decision in ledger.decisions:
        for code in {reason["code"] for reason in decision.reasons}:
            world.counts[f"hushed: {code}" if code in _HUSHED else code] += 1


NEWS_TAKES = 25.0
"""Seconds until what is seen outside is processed, with everybody up."""

_HUSHED = {
    "silence", "maintenance", "inhibition", "dependency", "flapping", "mute-time-interval", "active-time-interval",
    "aftermath",
}  # fmt: skip


def lost_alerts(world: World, ledger: Ledger) -> Iterator[str]:
    """What has been ill out there for a while fires here, and what has been well does not."""
    now = world.loop.time()
    fires = Counter(
        (alert.labels["alertname"], alert.service, alert.labels.get("check", ""))
        for alert in ledger.alerts.values()
        if alert.status == "firing"
    )
    for one in monitors(world.newest[1]):
        where = one.key.service, one.key.check
        ill = world.services.fails_all_along(*where, now - NEWS_TAKES, now)
        well = world.services.passes_all_along(*where, now - NEWS_TAKES, now)
        if (ill or well) and fires[ALERT_NAME, *where] != ill:
            yield f"{where} is {'ill' if ill else 'well'}, and {fires[ALERT_NAME, *where]} alerts of it fire"
    for (alertname, service), (_, end) in world.sender.fires.items():
        # One that has just ended may not have come through yet.
        if not now - NEWS_TAKES < end <= now and fires[alertname, service, ""] != (end > now):
            yield f"{alertname} of {service} {'fires' if end > now else 'is over'}, unlike here"


def unended(world: World, ledger: Ledger) -> Iterator[str]:
    """Everything taken in is processed, nothing is set aside, nothing is given up."""
    if world.inbox_waits():
        yield "the inbox is not decided to its end"
    for summary in {*world.taken_in, *ledger.changes}:
        stored = ledger.changes[summary]
        if stored > 1 or (not stored and summary in world.taken_in):
            yield f"{summary} was taken in and is stored {stored} times"
    if ledger.set_aside:
        yield f"{ledger.set_aside} events are set aside"
    for notice in ledger.outbox.values():
        if notice.state == "dead":
            yield f"{notice.id} is given up: {notice.last_error}"


def wrong_incidents(ledger: Ledger) -> Iterator[str]:
    """Every alert has its incident; an open one has something that fires, or that flaps; there is one a group."""
    for alert in ledger.alerts.values():
        if alert.incident_id not in ledger.incidents:
            yield f"{alert.id} belongs to no incident ({alert.incident_id})"
    keys = [incident.group_key for incident in ledger.incidents.values() if incident.open]
    if len(keys) != len(set(keys)):
        yield f"two open incidents of one group: {sorted(keys)}"
    for incident in ledger.incidents.values():
        alerts = [alert for alert in ledger.alerts.values() if alert.incident_id == incident.id]
        holds = any(alert.status == "firing" or alert.fingerprint in ledger.flapping for alert in alerts)
        if incident.open and not holds:
            yield f"{incident.id} is open and nothing of it fires"


def missing_timers(ledger: Ledger) -> Iterator[str]:
    """Whatever waits for a time has the timer that wakes it, once."""
    wanted: list[tuple[str, str]] = [("group", key) for key in ledger.groups]
    # One that has been seen to begin or end may do so again where the clock is set back: its alerts have own timers.
    coming = [silence for silence in ledger.silences if silence.id not in ledger.ended]
    wanted += [("silence-end", silence.id) for silence in coming if silence.ends_at >= ledger.now]
    coming = [silence for silence in coming if silence.id not in ledger.begun]
    wanted += [("silence-start", silence.id) for silence in coming if silence.starts_at > ledger.now]
    wanted += [("calm", fingerprint) for fingerprint in ledger.flapping]
    for kind, subject in wanted:
        waiting = ledger.timers[kind, subject]
        if waiting != 1:
            yield f"{waiting} {kind} timers wait for {subject} instead of one"
    for (kind, subject), times in ledger.fired.items():
        if times > 1:
            yield f"timer {subject} ({kind}) was processed {times} times"


def beyond_limits(world: World, ledger: Ledger) -> Iterator[str]:
    """No run acts without having said so, twice, beside another, or more often than its limits allow."""
    once = [(act.run_id, act.step) for act in world.acts if act.step == "restart"]
    for act in {act for act in once if once.count(act) > 1}:
        yield f"{act[0]} took its step {act[1]} twice"
    for act in world.acts:
        if (act.run_id, act.step) not in ledger.receipts:
            yield f"{act.run_id} acted ({act.step}) without a receipt"
    begun: list[str] = []
    for run_id in ledger.starts:
        run = ledger.runs[run_id]
        if run.remedy is not None and run.started_at is not None:
            yield from _limits(ledger, run_id, run.started_at, [one for one in begun if one != run_id])
        if run_id not in begun:
            begun.append(run_id)


def _limits(ledger: Ledger, run_id: str, at: int, before: list[str]) -> Iterator[str]:
    remedy = ledger.runs[run_id].remedy
    instants = []
    for other in before:
        run = ledger.runs[other]
        if run.remedy == remedy:
            instants.append(max(one for one in (run.started_at, run.acted_at) if one is not None))
            if run.finished_at is None:
                yield f"{run_id} began while {other} was at work"
    limits = next(one.limits for service in ledger.configs[1].services for one in service.remedies)
    if sum(one > at - micros(3600) for one in instants) >= limits.per_hour:
        yield f"{run_id} is more than {limits.per_hour} runs of {remedy} within an hour"
    if any(one > at - micros(limits.cooldown) for one in instants):
        yield f"{run_id} began within {limits.cooldown:g} s of another run of {remedy}"
