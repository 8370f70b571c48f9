"""That the records explain what is stored, and that deciding again upon the same observations gives the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ledger import Ledger
from settings import configuration
from simulated_store import peek
from simulated_world import World

from forewatch.config.defaults import effective
from forewatch.config.models import Config
from forewatch.store import history
from forewatch.trials.replay.replay import compared, replay, stored_configurations

_OUTSIDE = {"state", "attempts", "flow_run_id", "started_at", "acted_at"}


def changes_without_reason(ledger: Ledger) -> Iterator[str]:
    """Each observation has its decision, each decision its reasons, and the last recorded change is what is stored."""
    decided = Counter(decision.seq for decision in ledger.decisions)
    for seq in ledger.observations:
        if decided[seq] != 1:
            yield f"observation {seq} has {decided[seq]} decisions"
    for decision in ledger.decisions:
        if not decision.reasons:
            yield f"the decision upon observation {decision.seq} has no reason"
    last: dict[str, dict[str, object]] = {}
    revisions: Counter[str] = Counter()
    entries: Counter[str] = Counter()
    for decision in ledger.decisions:
        for change in decision.changes:
            match change["type"]:
                case "PutAlert":
                    last[change["alert"]["id"]] = change["alert"]
                case "PutRun":
                    last[change["run"]["id"]] = change["run"]
                case "PutIncident":
                    last[change["incident"]["id"]] = change["incident"]
                    revisions[change["incident"]["id"]] += 1
                case "AddEntry":
                    entries[change["incident_id"]] += 1
    for id, stored in (*ledger.alerts.items(), *ledger.incidents.items(), *ledger.runs.items()):
        recorded = last.get(id)
        if recorded is None:
            yield f"{id} is stored and no decision made it"
            continue
        moved = {"until", "timeout", "updated_at"} | (_OUTSIDE if id.startswith("RUN") else set())
        for name, value in vars(stored).items():
            if name not in moved and recorded[name] != value:
                yield f"{id} has {name} {value!r}, and {recorded[name]!r} was decided last"
    for incident in ledger.incidents.values():
        if incident.revision != revisions[incident.id]:
            yield f"{incident.id} is at revision {incident.revision} after {revisions[incident.id]} changes"
        if ledger.timelines[incident.id] != entries[incident.id]:
            yield f"the timeline of {incident.id} has {ledger.timelines[incident.id]} lines of {entries[incident.id]}"


def replays_differently(world: World) -> list[str]:
    """Decides upon the stored observations again, while what was decided then cannot be read."""
    with world.store.read() as conn:
        known = history.extent(conn)
    if known is None:
        return []
    configurations = stored_configurations(world.store)
    peek("ALTER TABLE decisions RENAME TO unreadable")
    try:
        again = list(replay(history.each(world.store, known), configurations))
        other = list(replay(history.each(world.store, known), lambda version: _with_another_rule(world.plan.setting)))
    finally:
        peek("ALTER TABLE unreadable RENAME TO decisions")
    report = compared(again, history.records(world.store, known), known)
    changed = compared(other, history.records(world.store, known), known)
    world.counts["replayed decisions"] += report.observations
    world.counts["decisions another rule changes"] += changed.different
    broken = [f"replay: {difference}" for difference in report.differences]
    if report.cannot_tell:
        broken.append(f"replay: of {report.cannot_tell} decisions it cannot tell, though nothing was before them")
    with world.store.read() as conn:
        paged = conn.exec_driver_sql("SELECT count(*) FROM outbox WHERE kind = 'page'").scalar_one()
    if paged and not changed.different:
        broken.append("replay: with other routes all decisions are the same, though people were paged")
    return broken


def _with_another_rule(setting: str) -> Config:
    """Everything goes to the console, at once."""
    config = effective(configuration(setting, 0))
    return config.model_copy(
        update={"routes": [config.routes[0].model_copy(update={"match": {}, "notify": ["console"]})]}
    )
