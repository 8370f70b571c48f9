"""Everything a history left in the store, read once, for the promises to be looked at."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from simulated_world import World
from sqlalchemy import func, select

from forewatch.alerting.alert import Alert
from forewatch.alerting.notification import Notification
from forewatch.alerting.silence import Silence
from forewatch.config.models import Config
from forewatch.incidents.incident import Incident
from forewatch.remedy.run import Run
from forewatch.store import observations as stored_observations
from forewatch.store import runs as stored_runs
from forewatch.store import schema, silences, switches
from forewatch.store.decision_log import DecisionRecord
from forewatch.store.observations import Observation


@dataclass
class Ledger:
    now: int
    configs: dict[int, Config]
    alerts: dict[str, Alert]
    incidents: dict[str, Incident]
    outbox: dict[str, Notification]
    runs: dict[str, Run]
    observations: dict[int, Observation]
    decisions: list[DecisionRecord]
    silences: list[Silence]
    groups: dict[str, dict[str, Any]]
    members: set[tuple[str, str]]
    """(group, alert id)."""
    notices: dict[tuple[str, str], frozenset[str]]
    """(group, notifier) -> the fingerprints it was told of as firing last."""
    withheld: dict[tuple[str, str], list[dict[str, Any]]]
    """(alert id, route) -> reasons."""
    flapping: set[str]
    timers: Counter[tuple[str, str]]
    """How many wait, by (kind, subject)."""
    timelines: Counter[str]
    receipts: set[tuple[str, str]]
    """(run id, step)."""
    set_aside: int
    stopped_until: int | None
    """Since when automation is not stopped; None while it is."""
    changes: Counter[str]
    """How often each reported change is stored."""
    fired: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each timer was processed, by (kind, id)."""
    begun: set[str] = field(default_factory=set)
    """Silences that were seen to begin."""
    ended: set[str] = field(default_factory=set)
    """Silences whose end was processed."""
    starts: list[str] = field(default_factory=list)
    """Run ids in the order their starts were decided."""

    @classmethod
    def read(cls, world: World) -> Ledger:
        with world.store.read() as conn:

            def rows(table: Any, *order: Any) -> list[Any]:
                return list(conn.execute(select(table).order_by(*order)))

            def by_id(kind: Any, table: Any) -> dict[str, Any]:
                return {row.id: kind(**row._mapping) for row in rows(table, table.c.id)}

            waiting = schema.timers.c.state == "waiting"
            timers = conn.execute(
                select(schema.timers.c.kind, schema.timers.c.subject, func.count())
                .where(waiting)
                .group_by(schema.timers.c.kind, schema.timers.c.subject)
            )
            decisions = schema.decision_records
            ledger = cls(
                now=world.clock.now(),
                configs=world.versions,
                alerts=by_id(Alert, schema.alerts),
                incidents=by_id(Incident, schema.incidents),
                outbox={row.id: Notification(**row._mapping) for row in conn.execute(select(schema.outbox))},
                runs={run.id: run for run in stored_runs.listing(conn, limit=10_000)},
                observations={one.seq: one for one in stored_observations.since(conn, 0, 1_000_000)},
                decisions=[DecisionRecord(**row._mapping) for row in rows(decisions, decisions.c.id)],
                silences=silences.listing(conn),
                groups={row.key: dict(row._mapping) for row in rows(schema.notification_groups)},
                members={(row.group, row.alert_id) for row in rows(schema.group_members)},
                notices={(row.group, row.notifier): frozenset(row.firing) for row in rows(schema.notices)},
                withheld={(row.alert_id, row.route): row.reasons for row in rows(schema.withheld)},
                flapping={row.fingerprint for row in rows(schema.flaps) if row.flapping_since is not None},
                timers=Counter({(kind, subject): count for kind, subject, count in timers}),
                timelines=Counter(row.incident_id for row in rows(schema.timeline)),
                receipts={(row.run_id, row.name) for row in rows(schema.receipts)},
                changes=Counter(row.summary for row in rows(schema.changes)),
                stopped_until=_stopped_until(switches.get(conn, switches.AUTOMATION)),
                set_aside=conn.execute(select(func.count()).select_from(schema.set_aside)).scalar_one(),
            )
        ledger._follow()
        return ledger

    def _follow(self) -> None:
        for decision in self.decisions:
            observation = self.observations.get(decision.seq)
            if observation is None:
                continue
            event = observation.event
            for reason in decision.reasons:
                if reason["code"] in ("silence-hid", "silence-unused"):
                    self.ended.add(reason["subjects"][0])
                elif reason["code"] == "silence-begins":
                    self.begun.add(reason["subjects"][0])
            if event["type"] == "SilenceSet" and event["silence"]["starts_at"] <= decision.at:
                self.begun.add(event["silence"]["id"])
            if event["type"] == "TimerDue":
                self.fired[event["kind"], str(event["timer_id"])] += 1
            if event["type"] == "RunStarting" and any(one["code"] == "run-started" for one in decision.reasons):
                self.starts.append(event["run_id"])


def _stopped_until(switch: switches.Switch | None) -> int | None:
    if switch is None:
        return 0
    return switch.at if switch.state == "on" else None
