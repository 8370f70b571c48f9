"""Faults planted into the product's code, each a slip somebody could make; the simulation must find every one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from history_plan import Plan, plan, plan_of
from simulated_store import current_world
from sqlalchemy import select, update

import forewatch.deciding
import forewatch.incidents.deciding.alerts
import forewatch.incidents.deciding.withheld_alerts
import forewatch.intake.drain
import forewatch.intake.pending
import forewatch.store.alerts
import forewatch.store.inbox
import forewatch.store.outbox
import forewatch.store.receipts
import forewatch.store.runs
import forewatch.store.shifts
import forewatch.store.timers
import forewatch.store.withheld
import forewatch.trials.replay.replay
from forewatch.alerting.silence import SilenceIndex
from forewatch.alerting.suppression import Suppression
from forewatch.incidents.outcome import Outcome, SetTimer
from forewatch.store import schema

Plant = Callable[[], Any]


@dataclass(frozen=True)
class Bug:
    """`plant` puts it in place while its context lasts; `histories` gives the one of a seed in which to look for it."""

    plant: Plant
    histories: Callable[[int], Plan]


PLANTED: dict[str, Bug] = {}


def among_groups(seed: int) -> Plan:
    return plan(seed, "groups")


def of_failing_runs(seed: int) -> Plan:
    return plan_of(seed, ("falls ill", "comes and goes"))


def planted(name: str, histories: Callable[[int], Plan] = plan) -> Callable[[Plant], Plant]:
    def keep(plant: Plant) -> Plant:
        PLANTED[name] = Bug(contextmanager(plant), histories)
        return plant

    return keep


def instead(module: Any, **others: Any) -> Any:
    return mock.patch.multiple(module, **others)


@planted("the fence is not checked")
def _fence() -> Iterator[None]:
    with instead(forewatch.deciding, check_fence=lambda conn, fence: None):
        yield


@planted("a timer is processed and left waiting")
def _timer_stays() -> Iterator[None]:
    def finish(conn: Any, timer_id: int) -> bool:
        return conn.execute(select(schema.timers.c.state).where(schema.timers.c.id == timer_id)).scalar() == "waiting"

    with instead(forewatch.store.timers, finish=finish):
        yield


@planted("the timer of a verification is dropped")
def _timer_dropped() -> Iterator[None]:
    real = forewatch.store.timers.add

    def add(conn: Any, kind: str, subject: str, due_at: int, now: int) -> None:
        if kind != "verification":
            real(conn, kind, subject, due_at, now)

    with instead(forewatch.store.timers, add=add):
        yield


@planted("the tick of a group is not ordered again")
def _group_tick() -> Iterator[None]:
    real = forewatch.store.timers.add

    def add(conn: Any, kind: str, subject: str, due_at: int, now: int) -> None:
        ticked = conn.execute(
            select(schema.timers.c.id).where(schema.timers.c.subject == subject, schema.timers.c.state == "done")
        ).first()
        if kind != "group" or ticked is None:
            real(conn, kind, subject, due_at, now)

    with instead(forewatch.store.timers, add=add):
        yield


@planted("a silence ends half a second early", among_groups)
def _silence_off_by_one() -> Iterator[None]:
    real = SilenceIndex.matching

    def matching(self: SilenceIndex, labels: Any, now: int) -> Any:
        return [one for one in real(self, labels, now) if now < one.ends_at - 500_000]

    with instead(SilenceIndex, matching=matching):
        yield


@planted("nobody looks again when a silence ends")
def _no_review() -> Iterator[None]:
    real = forewatch.store.timers.add

    def add(conn: Any, kind: str, subject: str, due_at: int, now: int) -> None:
        if kind != "review":
            real(conn, kind, subject, due_at, now)

    with instead(forewatch.store.timers, add=add):
        yield


@planted("a claim never expires")
def _claim_stays() -> Iterator[None]:
    real = forewatch.store.outbox.claim

    def claim(conn: Any, *, now: int, term: int, limit: int) -> Any:
        taken = real(conn, now=now, term=term, limit=limit)
        return [one for one in taken if one.attempts == 1 or one.last_error is not None]

    with instead(forewatch.store.outbox, claim=claim):
        yield


@planted("what was claimed counts as sent before it is")
def _sent_before() -> Iterator[None]:
    real = forewatch.store.outbox.claim

    def claim(conn: Any, *, now: int, term: int, limit: int) -> Any:
        taken = real(conn, now=now, term=term, limit=limit)
        ids = [one.id for one in taken]
        conn.execute(update(schema.outbox).where(schema.outbox.c.id.in_(ids)).values(state="sent", sent_at=now))
        return taken

    with instead(forewatch.store.outbox, claim=claim):
        yield


@planted("a page leaves before its decision is committed")
def _sent_before_commit() -> Iterator[None]:
    real = forewatch.store.outbox.add

    def add(conn: Any, notification: Any) -> None:
        real(conn, notification)
        if notification.severity == "critical":
            current_world().receive(notification.notifier, notification)

    with instead(forewatch.store.outbox, add=add):
        yield


@planted("the mark of the inbox moves before the decisions are committed", among_groups)
def _mark_alone() -> Iterator[None]:
    with mock.patch.object(forewatch.intake.drain.Drain, "_decide", _decide_in_two()):
        yield


def _decide_in_two() -> Any:
    real = forewatch.intake.drain.Drain._decide

    def decide(self: Any, queue: Any, most: int) -> Any:
        count = min(most, len(queue.items))
        with self._store.decide() as conn:
            forewatch.store.inbox.put_mark(conn, queue.items[count - 1].after, queue.lane)
        with mock.patch.object(forewatch.intake.pending.Waiting, "stands", return_value=True):
            return real(self, queue, most)

    return decide


@planted("the inbox forgets what it has decided of a row")
def _mark_lags() -> Iterator[None]:
    with instead(forewatch.store.inbox, put_mark=_put_rows_only):
        yield


_put_mark = forewatch.store.inbox.put_mark


def _put_rows_only(conn: Any, mark: Any, lane: Any = "rest") -> None:
    _put_mark(conn, replace(mark, done=mark.done + 1) if mark.done else mark, lane)


@planted("a held page is released twice")
def _released_twice() -> Iterator[None]:
    real = forewatch.store.outbox.release

    def release(conn: Any, notification_id: str, kind: str, content: Any, now: int) -> bool:
        held = schema.outbox.c.id == notification_id, schema.outbox.c.state == "held"
        for row in conn.execute(select(schema.outbox).where(*held)).all():
            again = {**row._mapping, "id": f"{row.id}00", "state": "due", "not_before": now}
            conn.execute(schema.outbox.insert().values(again))
        return real(conn, notification_id, kind, content, now)

    with instead(forewatch.store.outbox, release=release):
        yield


@planted("a held page is not released")
def _never_released() -> Iterator[None]:
    def forget(conn: Any, notification_id: str, kind: str, content: Any, now: int) -> bool:
        held = schema.outbox.c.id == notification_id, schema.outbox.c.state == "held"
        return bool(conn.execute(update(schema.outbox).where(*held).values(not_before=now + 10**12)).rowcount)

    with instead(forewatch.store.outbox, release=forget):
        yield


@planted("alerts are told apart by their service alone")
def _wrong_labels() -> Iterator[None]:
    def fingerprint(labels: Any) -> str:
        return f"{hash(labels.get('service', '')) & 0xFFFFFFFFFFFFFFFF:016x}"

    with instead(forewatch.incidents.deciding.alerts, fingerprint=fingerprint):
        yield


@planted("the end of an alert is lost where its incident goes on")
def _end_lost() -> Iterator[None]:
    real = forewatch.store.alerts.put

    def put(conn: Any, alert: Any) -> None:
        others = schema.alerts.c.incident_id == alert.incident_id, schema.alerts.c.status == "firing"
        firing = conn.execute(select(schema.alerts.c.id).where(*others)).all()
        if alert.status == "firing" or len(firing) < 2:
            real(conn, alert)

    with instead(forewatch.store.alerts, put=put):
        yield


@planted("alerts on both sides of an inhibition hush each other", among_groups)
def _both_sides() -> Iterator[None]:
    with instead(forewatch.incidents.deciding.withheld_alerts, _inhibited=_inhibited_by_anything):
        yield


def _inhibited_by_anything(draft: Any, alert: Any, labels: Any) -> Any:
    return [
        Suppression("inhibition", other.id, f"inhibited by {other.id}")
        for other in draft.view.firing_of([alert.service])
        if other.labels["alertname"] in ("Outage", "Slow") and alert.labels["alertname"] in ("Outage", "Slow")
    ][:1]


@planted("what is withheld is not written down")
def _unrecorded() -> Iterator[None]:
    with instead(forewatch.store.withheld, put=lambda conn, one, incident_id, now: None):
        yield


@planted("what was paged without the store is paged again")
def _paged_again() -> Iterator[None]:
    with instead(forewatch.incidents.deciding.alerts, record_told=lambda draft, incident, alert, event: None):
        yield


@planted("a run takes its step without writing its intent")
def _no_intent() -> Iterator[None]:
    real = forewatch.store.receipts.intend

    def intend(conn: Any, run_id: str, ordinal: int, **fields: Any) -> bool:
        return True if fields["kind"] == "act" else real(conn, run_id, ordinal, **fields)

    with instead(forewatch.store.receipts, intend=intend):
        yield


@planted("limits do not count runs that began and failed", of_failing_runs)
def _limits() -> Iterator[None]:
    real = forewatch.store.runs.counted

    def counted(conn: Any, remedy: str, since: int) -> Any:
        return [run for run in real(conn, remedy, since) if run.state != "failed"]

    with instead(forewatch.store.runs, counted=counted):
        yield


@planted("a decision is stored and its record is not")
def _no_record() -> Iterator[None]:
    real = forewatch.deciding.decision_log.add

    def add(conn: Any, outcome: Outcome, **fields: Any) -> int:
        return 0 if any(isinstance(effect, SetTimer) for effect in outcome.effects) else real(conn, outcome, **fields)

    with mock.patch.object(forewatch.deciding.decision_log, "add", add):
        yield


@planted("a decision is not the same when it is taken again")
def _impure() -> Iterator[None]:
    real = forewatch.deciding.incidents_decide.decide

    def decide(view: Any, event: Any, now: int) -> Outcome:
        outcome = real(view, event, now)
        reasons = [replace(reason, text=f"{reason.text} ({random.random()})") for reason in outcome.reasons]
        return replace(outcome, reasons=reasons)

    with (
        mock.patch.object(forewatch.deciding.incidents_decide, "decide", decide),
        mock.patch.object(forewatch.trials.replay.replay, "decide", decide),
    ):
        yield
