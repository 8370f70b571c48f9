"""The record of decisions: what was decided on which observation, why, and what it changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_never

from sqlalchemy import Connection, insert, select

from forewatch.incidents.outcome import (
    AddChange,
    AddEntry,
    AddMember,
    CancelTimers,
    Change,
    Dispatch,
    DropFlap,
    DropGroup,
    DropLetters,
    DropMembers,
    DropWaits,
    Effect,
    EndWaits,
    ForgetNamed,
    Look,
    MergeHeld,
    MoveNotices,
    Notify,
    Outcome,
    PutAlert,
    PutFlap,
    PutGroup,
    PutIncident,
    PutLetter,
    PutNotice,
    PutReceiver,
    PutRun,
    PutSilence,
    PutWait,
    PutWithheld,
    RecordSent,
    RefreshAlerts,
    Release,
    SetTimer,
    Unname,
)
from forewatch.store.schema import decision_records, decision_subjects

_INSERT = insert(decision_records).returning(decision_records.c.id)
_INSERT_SUBJECT = insert(decision_subjects)


@dataclass(frozen=True)
class DecisionRecord:
    """`reasons` as `{code, text, subjects}`; `changes` and `effects` as `{type, fields}`."""

    id: int
    seq: int
    at: int
    config_version: int
    reasons: list[dict[str, Any]]
    changes: list[dict[str, Any]]
    effects: list[dict[str, Any]]


def add(conn: Connection, outcome: Outcome, *, seq: int, config_version: int, now: int) -> int:
    """Record the decision upon observation `seq`, findable by every id it speaks of or changes."""
    values = {"seq": seq, "at": now, "config_version": config_version, **plain(outcome)}
    decision_id = int(conn.execute(_INSERT, values).scalar_one())
    touched = [id for part in (*outcome.changes, *outcome.effects) if (id := _subject(part)) is not None]
    subjects = dict.fromkeys([*outcome.subjects, *touched])
    if subjects:
        conn.execute(_INSERT_SUBJECT, [{"subject": subject, "decision_id": decision_id} for subject in subjects])
    return decision_id


def plain(outcome: Outcome) -> dict[str, Any]:
    """The columns `reasons`, `changes` and `effects` of an outcome."""
    return {
        "reasons": [vars(reason) for reason in outcome.reasons],
        "changes": [_plain(change) for change in outcome.changes],
        "effects": [_plain(effect) for effect in outcome.effects],
    }


def upon(conn: Connection, after: int, last: int, limit: int) -> list[DecisionRecord]:
    """The decisions upon observations `after` < seq <= `last`, in order."""
    found = select(decision_records).where(decision_records.c.seq > after, decision_records.c.seq <= last)
    return [DecisionRecord(**row._mapping) for row in conn.execute(found.order_by(decision_records.c.seq).limit(limit))]


def of_subject(conn: Connection, subject: str) -> list[DecisionRecord]:
    """Every decision about an alert, incident, notification or run, in the order taken."""
    found = (
        select(decision_records)
        .join(decision_subjects, decision_subjects.c.decision_id == decision_records.c.id)
        .where(decision_subjects.c.subject == subject)
        .order_by(decision_records.c.id)
    )
    return [DecisionRecord(**row._mapping) for row in conn.execute(found)]


def _subject(part: Change | Effect) -> str | None:
    match part:
        case PutAlert(alert):
            return alert.id
        case PutIncident(incident):
            return incident.id
        case PutRun(run):
            return run.id
        case Notify(id) | RecordSent(id) | AddEntry(id) | Dispatch(id) | Release(id) | ForgetNamed(id) | Unname(id):
            return id
        case PutSilence(silence):
            return silence.id
        case PutWithheld(withheld):
            return withheld.alert_id
        case PutGroup(group):
            return group.key
        case PutNotice(key) | DropGroup(key) | DropMembers(key) | AddMember(key):
            return key
        case MoveNotices(incident_id):
            return incident_id
        case PutLetter(letter):
            return letter.alert_id or letter.incident_id
        case PutWait(wait):
            return wait.alert_id
        case EndWaits(id) | DropWaits(id) | Look(id):
            return id
        case SetTimer() | CancelTimers() | RefreshAlerts() | PutFlap() | DropFlap() | AddChange():
            return None
        case MergeHeld() | DropLetters() | PutReceiver():
            return None
        case _:
            assert_never(part)


def _plain(part: Change | Effect) -> dict[str, Any]:
    return {"type": type(part).__name__, **vars(part)}
