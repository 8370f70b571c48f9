"""One decision is one transaction: look, decide, and store what follows with the reasons for it, or nothing at all.

    fence ─ observation ─ decide (pure) ─ changes, outbox, timers ─ decision record ─ commit

All processes decide one at a time, under the store's write lock. What is decided lies in rows before anybody acts on
it; a process that dies at any point leaves either the whole decision or none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from sqlalchemy import Connection

from forewatch.alerting.notification import Notification
from forewatch.bell import ring
from forewatch.config.models import Config
from forewatch.home import Home
from forewatch.incidents import decide as incidents_decide
from forewatch.incidents.events import Event, TimerDue
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
from forewatch.store import (
    alerts,
    changes,
    decision_log,
    flaps,
    groups,
    incidents,
    letters,
    looks,
    naming,
    observations,
    outbox,
    runs,
    silences,
    stories,
    timeline,
    timers,
    waits,
    withheld,
)
from forewatch.store.engine import Store
from forewatch.store.facts import RecordingView
from forewatch.store.shifts import Fence, check_fence


def decide(
    store: Store, event: Event, *, config: tuple[int, Config], now: int | Callable[[], int], fence: Fence | None = None
) -> Outcome:
    """Decide upon an event. Blocks for a few milliseconds and a disk sync; call it through `store.run` in async code.

    `now` is the instant, or the clock that is read once it is this decision's turn: between asking and deciding others
    may have decided, and an instant from before them would not see what they did as done.

    `config` is (version, configuration). A shift passes its `fence`. The caller then wakes who has work
    (`wake`); a lost ring costs a poll interval. A timer that fired already
    is no news: the outcome is empty and nothing is stored.

    Raises Fenced if the shift's term is over, TransitionRefused if the event asks for a step that may not be taken,
    NotFound for an unknown id, StoreUnavailable if nothing can be stored. Nothing is changed then.
    """
    with store.decide() as conn:
        at = now if isinstance(now, int) else now()
        return decide_in(conn, event, config=config, now=at, fence=fence)


def wake(home: Home, outcome: Outcome) -> None:
    """Wake those who have work from an outcome: the worker for a run, `page-people` for what is to be sent,
    `check-health` for what is to be looked at."""
    if any(isinstance(effect, Dispatch) for effect in outcome.effects):
        ring(home, "worker")
    if any(isinstance(effect, Notify | Release) for effect in outcome.effects):
        ring(home, "page-people")
    if any(isinstance(effect, Look) for effect in outcome.effects):
        ring(home, "check-health")


def decide_in(
    conn: Connection, event: Event, *, config: tuple[int, Config], now: int, fence: Fence | None = None
) -> Outcome:
    """`decide` in the write transaction the caller has open; its changes are there for whatever is decided next."""
    if fence is not None:
        check_fence(conn, fence)
    # Finished in its decision's own transaction, a timer can neither fire twice nor get lost between the two.
    if isinstance(event, TimerDue) and not timers.finish(conn, event.timer_id):
        return Outcome()
    version, settings = config
    view = RecordingView(conn, settings)
    outcome = incidents_decide.decide(view, event, now)
    seq = observations.add(conn, event, config_version=version, now=now, facts=view.facts)
    apply(conn, outcome, now)
    decision_log.add(conn, outcome, seq=seq, config_version=version, now=now)
    return outcome


def apply(conn: Connection, outcome: Outcome, now: int) -> None:
    """Store what an outcome changes and orders; a replay does the same in a store of its own."""
    for change in outcome.changes:
        _change(conn, change, now)
    for effect in outcome.effects:
        _store_effect(conn, effect, now)


def _change(conn: Connection, change: Change, now: int) -> None:
    match change:
        case PutAlert(alert):
            alerts.put(conn, alert)
        case PutIncident(incident):
            incidents.put(conn, incident)
            if not incident.open:
                stories.owe(conn, incident.id, now)
        case PutRun(run, expected):
            runs.put(conn, run, expected)
        case AddEntry(incident_id, kind, actor, text, data):
            timeline.add(conn, incident_id, at=now, kind=kind, actor=actor, text=text, data=data)
        case RefreshAlerts(untils):
            alerts.refresh(conn, untils, now)
        case PutSilence(silence):
            silences.put(conn, silence)
        case PutWithheld(one, incident_id):
            withheld.put(conn, one, incident_id, now)
        case PutGroup(group):
            groups.put(conn, group)
        case DropGroup(key):
            groups.drop(conn, key)
        case AddMember(key, alert_id):
            groups.add_member(conn, key, alert_id)
        case DropMembers(key, alert_ids):
            groups.drop_members(conn, key, alert_ids)
        case PutNotice(key, notifier, notice):
            groups.put_notice(conn, key, notifier, notice)
        case PutFlap(flap):
            flaps.put(conn, flap)
        case DropFlap(mark):
            flaps.drop(conn, mark)
        case AddChange(reported):
            changes.add(conn, reported)
        case MoveNotices(incident_id, into):
            outbox.move(conn, incident_id, into)
            letters.move(conn, incident_id, into)
        case PutLetter(letter):
            letters.put(conn, letter)
            paged = letter.kind == "page"
            naming.put(conn, letter.notifier, letter.named, paged=paged, at=now, notification_id=None)
        case DropLetters(notifier):
            letters.drop(conn, notifier)
        case PutReceiver(receiver):
            letters.put_receiver(conn, receiver)
        case ForgetNamed(notification_id):
            naming.forget(conn, notification_id)
        case Unname(alert_id, notifier):
            naming.unname(conn, alert_id, notifier)
        case PutWait(wait):
            waits.put(conn, wait)
        case EndWaits(alert_id):
            waits.end(conn, alert_id)
        case DropWaits(alert_id):
            waits.drop(conn, alert_id)
        case _:
            assert_never(change)


def _store_effect(conn: Connection, effect: Effect, now: int) -> None:
    match effect:
        case Notify():
            outbox.add(conn, _notification(effect, now))
            if not effect.held:
                _name(conn, effect, effect.id, now)
        case Release(notification_id, _, kind, content):
            if outbox.release(conn, notification_id, kind, content, now):
                _name(conn, effect, notification_id, now)
        case MergeHeld(notification_ids):
            outbox.merge(conn, notification_ids)
        case RecordSent():
            outbox.add(conn, _sent(effect, now))
            _name(conn, effect, effect.id, now)
        case SetTimer(kind, subject, due_at):
            timers.add(conn, kind, subject, due_at, now)
        case CancelTimers(subject, kind):
            timers.cancel(conn, subject, kind)
        case Look(subject, purpose, keys, due_at):
            looks.ask(conn, subject, purpose, keys, due_at, now)
        case Dispatch():
            pass  # the run's own row, stored as `waiting`, is the order to the worker
        case _:
            assert_never(effect)


def _name(conn: Connection, effect: Notify | RecordSent | Release, notification_id: str, now: int) -> None:
    paged = effect.kind == "page"
    naming.put(conn, effect.notifier, effect.named, paged=paged, at=now, notification_id=notification_id)


def _notification(effect: Notify, now: int) -> Notification:
    return Notification(
        id=effect.id,
        incident_id=effect.incident_id,
        alert_id=effect.alert_id,
        run_id=effect.run_id,
        kind=effect.kind,
        severity=effect.severity,
        notifier=effect.notifier,
        state="held" if effect.held else "due",
        not_before=effect.not_before,
        content=effect.content,
        created_at=now,
    )


def _sent(effect: RecordSent, now: int) -> Notification:
    return Notification(
        id=effect.id,
        incident_id=effect.incident_id,
        alert_id=effect.alert_id,
        run_id=None,
        kind=effect.kind,
        severity=effect.severity,
        notifier=effect.notifier,
        state="sent",
        not_before=effect.sent_at,
        content=effect.content,
        created_at=now,
        attempts=1,
        sent_at=effect.sent_at,
        receipt={"notifier": effect.notifier, "detail": f"sent directly as {effect.sent_as}"},
    )
