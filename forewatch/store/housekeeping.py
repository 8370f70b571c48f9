"""Nightly upkeep of the store's files: what is older than its retention goes, what still matters stays.

What may go is found without a lock and judged again inside the transaction that deletes it. An open incident keeps all
that belongs to it, a notification stays until it is sent, and a decision stays as long as any alert, incident,
notification or run it was about.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from sqlalchemy import Column, ColumnElement, Connection, Table, and_, delete, exists, func, or_, select

from forewatch.clock import micros
from forewatch.config.models import Retention
from forewatch.store import anomalies, benchmark_runs, detectors, inbox, marks, models, rollups, schema
from forewatch.store import series as series_store
from forewatch.store.engine import Store
from forewatch.store.points import RESOLUTIONS
from forewatch.store.revisions import File
from forewatch.store.series import chunks
from forewatch.store.slices import BREATH, SLICE, Report, Unit, in_slices

FINISHED = ("done", "failed", "cancelled", "refused")
"""States in which a run stays."""
SETTLED = ("sent", "merged")
"""States of a notification that nobody waits for."""

_ROWS = 500  # rows a unit deletes
_INCIDENTS = 10  # incidents a unit deletes, with all that is theirs
_HOUR = micros(3600)
_CHILDREN = {
    schema.runs: [(schema.receipts, "run_id")],
    schema.decision_records: [(schema.decision_subjects, "decision_id")],
}
_ORPHANS: tuple[tuple[str, Unit], ...] = (
    ("models", models.forget_removed),
    ("detectors", detectors.forget_removed),
    ("anomalies", anomalies.forget_removed),
)
"""What is left of series that are gone."""
_VACUUM_SLICES = 3000  # 100 ms each: what is not given back by then waits for the next night


def roll_up(store: Store, now: int) -> Report:
    """Roll up everything that has ended by `now`."""
    report = Report()
    done = False
    while not done:
        with store.measure() as conn:
            began = time.monotonic()
            done = rollups.roll(conn, now, budget=SLICE)
        report.timed(time.monotonic() - began)
        time.sleep(BREATH)
    return report


def retain_metrics(store: Store, retention: Retention, now: int) -> Report:
    """Delete points, roll-ups, forecasts and states past their retention, and series of which nothing is left.

    Points stay until they are rolled up, five-minute roll-ups until the hour is.
    """
    with store.read_metrics() as conn:
        known = marks.get_all(conn)
        fine, coarse = (known.get(marks.rolled(width), 0) for width in RESOLUTIONS)
        units = [
            *_old(conn, schema.points, schema.points.c.at, min(now - micros(retention.points), fine)),
            *_old(conn, schema.rollups, schema.rollups.c.at, min(now - micros(retention.rollups_5m), coarse), _fine()),
            *_old(conn, schema.rollups, schema.rollups.c.at, now - micros(retention.rollups_1h), ~_fine()),
            *_old(conn, schema.forecasts, schema.forecasts.c.made_at, now - micros(retention.forecasts)),
            *_old(conn, schema.anomalies, schema.anomalies.c.end, now - micros(retention.forecasts)),
        ]
    stale = now - micros(retention.points)
    units += [
        (table.name, _all_where(table, table.c.at < stale)) for table in (schema.check_states, schema.rule_states)
    ]
    # As long as a regression may be looked back upon; the series of benchmarks are rolled up and stay.
    runs_before = now - micros(retention.rollups_5m)
    units.append(("benchmark runs", lambda conn: benchmark_runs.remove_before(conn, runs_before, _ROWS)))
    units.insert(0, ("anomalies", lambda conn: anomalies.end_forgotten(conn, now)))
    report = Report()
    in_slices(store, "metrics", [*units, ("series", series_store.remove_empty), *_ORPHANS], report)
    return report


def retain_decisions(store: Store, retention: Retention, now: int) -> Report:
    """Delete what belongs to nothing that still matters and is older than `retention.decisions`."""
    before = now - micros(retention.decisions)
    report = Report()
    with store.read() as conn:
        finished = list(conn.scalars(select(schema.incidents.c.id).where(_incident_is_over(before))))
    in_slices(store, "decisions", _incident_units(finished, before), report)
    # In this order: each looks at what the ones above it have left.
    for table, gone in _conditions(before, now - 24 * _HOUR):
        with store.read() as conn:
            units = list(_matching(conn, table, gone))
        in_slices(store, "decisions", units, report)
    return report


def retain_intake(store: Store) -> Report:
    """Delete what is decided and still lies in the inbox."""
    with store.read() as conn:
        mark = inbox.mark(conn)
    report = Report()
    in_slices(store, "intake", [("inbox", lambda conn: inbox.remove_decided(conn, mark, _ROWS))], report)
    return report


def vacuum(store: Store, file: File) -> int:
    """Give free pages back to the disk in slices of 100 ms; returns how many are left for another night."""
    left = 0
    for _ in range(_VACUUM_SLICES):
        left = store.vacuum_slice(file, 0.1)
        if left == 0:
            break
        time.sleep(BREATH)
    return left


def _fine() -> ColumnElement[bool]:
    return schema.rollups.c.resolution == RESOLUTIONS[0]


def _old(
    conn: Connection, table: Table, at: Column[int], before: int, *also: ColumnElement[bool]
) -> Iterator[tuple[str, Unit]]:
    """A unit a series that has rows of `table` older than `before`, an instant taken down to the full hour."""
    before -= before % _HOUR
    old = exists().where(table.c.series_id == schema.series.c.id, at < before, *also)
    for number in conn.scalars(select(schema.series.c.id).where(old)).all():
        of_series = and_(table.c.series_id == number, *also)
        yield table.name, _oldest_where(table, at, before, of_series)


def _oldest_where(table: Table, at: Column[int], before: int, where: ColumnElement[bool]) -> Unit:
    def unit(conn: Connection) -> int:
        some = select(at).where(where, at < before).order_by(at).offset(_ROWS).limit(1)
        until = conn.execute(some).scalar()
        return conn.execute(delete(table).where(where, at < (before if until is None else until))).rowcount

    return unit


def _all_where(table: Table, where: ColumnElement[bool]) -> Unit:
    return lambda conn: conn.execute(delete(table).where(where)).rowcount


def _matching(conn: Connection, table: Table, gone: ColumnElement[bool]) -> Iterator[tuple[str, Unit]]:
    """Units that delete the rows `gone` holds for now, if it still does when their turn comes."""
    (key, *_) = table.primary_key
    for chunk in chunks(list(conn.scalars(select(key).where(gone))), _ROWS):
        still = and_(key.in_(chunk), gone)
        for child, reference in _CHILDREN.get(table, ()):
            yield child.name, _all_where(child, child.c[reference].in_(select(key).where(still)))
        yield table.name, _all_where(table, still)


def _incident_is_over(before: int) -> ColumnElement[bool]:
    """Resolved long ago, with no alert firing, no notification unsent and no run under way."""
    i, a, o, r = schema.incidents.c, schema.alerts.c, schema.outbox.c, schema.runs.c
    return and_(
        i.status == "resolved",
        i.resolved_at < before,
        ~exists().where(a.incident_id == i.id, a.status == "firing"),
        ~exists().where(o.incident_id == i.id, o.state.not_in(SETTLED)),
        ~exists().where(r.incident_id == i.id, r.state.not_in(FINISHED)),
    )


def _incident_units(ids: Sequence[str], before: int) -> Iterator[tuple[str, Unit]]:
    """Units that delete incidents with all their rows, each incident in one transaction."""
    children = (schema.timeline, schema.attachments, schema.alerts, schema.outbox, schema.runs)
    for chunk in chunks(ids, _INCIDENTS):

        def unit(conn: Connection, chunk: Sequence[str] = chunk) -> int:
            over = list(
                conn.scalars(
                    select(schema.incidents.c.id).where(schema.incidents.c.id.in_(chunk), _incident_is_over(before))
                )
            )
            run_ids = select(schema.runs.c.id).where(schema.runs.c.incident_id.in_(over))
            for table in (schema.receipts, schema.attachments):
                conn.execute(delete(table).where(table.c.run_id.in_(run_ids)))
            for table in children:
                conn.execute(delete(table).where(table.c.incident_id.in_(over)))
            conn.execute(delete(schema.stories_owed).where(schema.stories_owed.c.incident_id.in_(over)))
            return conn.execute(delete(schema.incidents).where(schema.incidents.c.id.in_(over))).rowcount

        yield "incidents", unit


def _conditions(before: int, yesterday: int) -> list[tuple[Table, ColumnElement[bool]]]:
    """What may go of every table once finished incidents are gone."""
    g = schema.notification_groups.c
    a, o, r, at, t = schema.alerts.c, schema.outbox.c, schema.runs.c, schema.attachments.c, schema.timers.c
    d, s, v = schema.decision_records.c, schema.decision_subjects.c, schema.config_versions.c
    later = schema.config_versions.alias("later").c
    subjects = (schema.alerts, schema.incidents, schema.outbox, schema.runs)
    newer = exists().where(later.version > v.version, later.at < before)
    return [
        (
            schema.outbox,
            and_(
                o.state.in_(SETTLED),
                func.coalesce(o.sent_at, o.created_at) < before,
                _absent(schema.incidents, o.incident_id),
            ),
        ),
        (
            schema.runs,
            and_(
                r.state.in_(FINISHED),
                func.coalesce(r.finished_at, r.created_at) < before,
                _absent(schema.incidents, r.incident_id),
                ~exists().where(schema.outbox.c.run_id == r.id),
            ),
        ),
        (
            schema.alerts,
            and_(
                a.status == "resolved",
                a.ends_at < before,
                _absent(schema.incidents, a.incident_id),
                ~exists().where(schema.outbox.c.alert_id == a.id),
            ),
        ),
        (schema.named, and_(schema.named.c.at < before, ~exists().where(a.id == schema.named.c.alert_id))),
        (
            schema.attachments,
            and_(at.at < before, _absent(schema.incidents, at.incident_id), _absent(schema.runs, at.run_id)),
        ),
        (schema.timers, and_(t.state != "waiting", t.due_at < before, *(_absent(one, t.subject) for one in subjects))),
        # Each group has a tick every few minutes: too many rows to keep as long as what they decided.
        (schema.timers, and_(t.state != "waiting", t.kind == "group", t.due_at < yesterday)),
        (schema.looks, schema.looks.c.due_at < yesterday),
        (schema.silences, schema.silences.c.ends_at < before),
        (schema.silenced, and_(schema.silenced.c.at < before, _absent(schema.silences, schema.silenced.c.silence_id))),
        (schema.notices, and_(schema.notices.c.at < before, ~exists().where(g.key == schema.notices.c.group))),
        (schema.changes, schema.changes.c.at < before),
        (
            schema.flaps,
            and_(
                schema.flaps.c.flapping_since.is_(None),
                ~exists().where(
                    a.fingerprint == schema.flaps.c.fingerprint, or_(a.status == "firing", a.ends_at >= yesterday)
                ),
            ),
        ),
        (schema.audit, schema.audit.c.at < before),
        (schema.pings, schema.pings.c.at < before),
        (schema.set_aside, schema.set_aside.c.at < before),
        (
            schema.decision_records,
            and_(
                d.at < before,
                ~exists().where(s.decision_id == d.id, or_(*(~_absent(one, s.subject) for one in subjects))),
            ),
        ),
        (
            schema.observations,
            and_(schema.observations.c.at < before, ~exists().where(d.seq == schema.observations.c.seq)),
        ),
        (
            schema.config_versions,
            and_(
                newer,  # so it has long been out of force
                ~exists().where(schema.observations.c.config_version == v.version),
                ~exists().where(d.config_version == v.version),
            ),
        ),
    ]


def _absent(table: Table, reference: Column[str]) -> ColumnElement[bool]:
    """The reference is empty, or what it names is gone."""
    return ~exists().where(table.c.id == reference)
