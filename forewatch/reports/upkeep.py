"""The maintenance list of an installation: what the store holds of it, and how it is shown."""

from __future__ import annotations

from sqlalchemy import Connection, select

from forewatch.checking.certificates import authority_in
from forewatch.clock import iso, micros
from forewatch.detection import maintenance
from forewatch.detection.maintenance import Subject, Upkeep, upkeep
from forewatch.store import check_states, points, series
from forewatch.store.engine import Store
from forewatch.store.schema import runs
from forewatch.store.series import Series

_HOUR = 3600.0


def maintenance_list(store: Store, now: int) -> Upkeep:
    """Everything to see to, most urgent first, from the last four weeks."""
    with store.read_metrics() as conn:
        subjects = _subjects(conn, now)
    with store.read() as conn:
        acted = _acted(conn, now)
    return upkeep(subjects, acted, now)


def markdown(found: Upkeep) -> str:
    """The list as a table, for an artifact."""
    lines = []
    if found.items:
        lines = ["| by | what | to do | why |", "|---|---|---|---|"]
        lines += [
            "| " + " | ".join(_cell(part) for part in (iso(one.by)[:10], one.what, one.todo, one.evidence)) + " |"
            for one in found.items
        ]
    else:
        lines.append("Nothing is wearing out, leaking or drifting, as far as can be seen.")
    return "\n".join([*lines, *(f"\n{_cell(text)}" for text in found.unknown)])


def _subjects(conn: Connection, now: int) -> list[Subject]:
    wanted = [one for metric in maintenance.METRICS for one in series.find(conn, metric)]
    start = now - micros(maintenance.LOOKED_AT)
    seen: dict[int, list[tuple[int, float]]] = {}
    for step in (maintenance.FINE, _HOUR):
        numbers = [one.id for one in wanted if (one.metric == maintenance.UPTIME) == (step == maintenance.FINE)]
        seen |= points.read_many(conn, numbers, start, now + 1, step)
    whose = {row.key: authority_in(row.reason) for row in check_states.get_all(conn)}
    return [
        Subject(one.metric, one.labels, one.service, seen[one.id], whose.get(_check(one), ""))
        for one in wanted
        if one.id in seen
    ]


def _check(one: Series) -> tuple[str, str, str]:
    return one.service, one.labels.get("check", ""), one.labels.get("instance", "")


def _acted(conn: Connection, now: int) -> dict[tuple[str, str], list[int]]:
    query = select(runs.c.service, runs.c.runbook, runs.c.acted_at).where(
        runs.c.acted_at >= now - micros(maintenance.LOOKED_AT), runs.c.service.is_not(None)
    )
    found: dict[tuple[str, str], list[int]] = {}
    for service, runbook, at in conn.execute(query.order_by(runs.c.acted_at)):
        found.setdefault((service, runbook), []).append(at)
    return found


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
