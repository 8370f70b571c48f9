"""What a decision brings about: changes to stored state, effects to carry out, and the reasons for both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from forewatch.alerting.alert import Alert
from forewatch.alerting.digest import Receiver
from forewatch.alerting.flapping import Flap
from forewatch.alerting.group import Group
from forewatch.alerting.grouping import Notice
from forewatch.alerting.naming import Naming
from forewatch.alerting.silence import Silence
from forewatch.alerting.suppression import Withheld
from forewatch.incidents.events import ChangeReported
from forewatch.incidents.incident import Incident
from forewatch.remedy.run import Run
from forewatch.remedy.wait import Wait


@dataclass(frozen=True)
class Reason:
    """Why: a stable code for machines, a plain sentence for people, and the ids it speaks of."""

    code: str
    text: str
    subjects: tuple[str, ...] = ()


@dataclass(frozen=True)
class PutAlert:
    """Store a new alert or replace the stored one of the same id."""

    alert: Alert


@dataclass(frozen=True)
class PutIncident:
    """Store a new incident (revision 1), or replace the stored one where it still stands at `revision - 1`."""

    incident: Incident


@dataclass(frozen=True)
class PutRun:
    """Store a new run, or replace the stored one where it still is in state `expected`."""

    run: Run
    expected: str | None = None


@dataclass(frozen=True)
class AddEntry:
    """One line on an incident's timeline."""

    incident_id: str
    kind: str
    actor: str
    text: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RefreshAlerts:
    """Firing alerts were heard of again: fingerprint -> (until, timeout)."""

    untils: dict[str, tuple[int | None, bool]]


@dataclass(frozen=True)
class PutSilence:
    silence: Silence


@dataclass(frozen=True)
class PutWithheld:
    """Store why a route (or every route: "") tells nobody of an alert; with no reasons left, forget that it did."""

    withheld: Withheld
    incident_id: str | None


@dataclass(frozen=True)
class PutGroup:
    group: Group


@dataclass(frozen=True)
class DropGroup:
    """The group is empty. What its notifiers were told last is kept for its next life."""

    key: str


@dataclass(frozen=True)
class AddMember:
    group: str
    alert_id: str


@dataclass(frozen=True)
class DropMembers:
    group: str
    alert_ids: tuple[str, ...]


@dataclass(frozen=True)
class PutNotice:
    """What a notifier was told of a group last."""

    group: str
    notifier: str
    notice: Notice


@dataclass(frozen=True)
class PutFlap:
    flap: Flap


@dataclass(frozen=True)
class DropFlap:
    fingerprint: str


@dataclass(frozen=True)
class AddChange:
    """A change somebody reported."""

    event: ChangeReported


@dataclass(frozen=True)
class MoveNotices:
    """What was sent of one incident counts as sent of another, into which it was merged."""

    incident_id: str
    into: str


@dataclass(frozen=True)
class Letter:
    """What is to be told to one notifier, by itself or with what else is due to it.

    `kind`: page | update | report | resolved | failure. `named`: the firing alerts it tells of.
    """

    notifier: str
    kind: str
    severity: str
    content: dict[str, Any]
    """What templates see: title, text, severity, service, incident_id, alert, reason; links are added on delivery."""
    incident_id: str | None = None
    alert_id: str | None = None
    run_id: str | None = None
    named: tuple[Naming, ...] = ()
    at: int = 0
    """Since when it waits."""


@dataclass(frozen=True)
class PutLetter:
    """Keep a letter for its notifier's next digest. What it names counts as told."""

    letter: Letter


@dataclass(frozen=True)
class DropLetters:
    """All that waited for a notifier has left."""

    notifier: str


@dataclass(frozen=True)
class PutReceiver:
    receiver: Receiver


@dataclass(frozen=True)
class ForgetNamed:
    """A notification told nobody after all."""

    notification_id: str


@dataclass(frozen=True)
class Name:
    """A page that was held has left by itself, for nobody decided so in time: what it names counts as told."""

    notification_id: str
    notifier: str
    kind: str
    named: tuple[Naming, ...]


@dataclass(frozen=True)
class Unname:
    """An alert is a receiver's no longer: what it was told of it is settled."""

    alert_id: str
    notifier: str


@dataclass(frozen=True)
class PutWait:
    """The alert's remedy waits for this now, and for nothing else any more."""

    wait: Wait


@dataclass(frozen=True)
class EndWaits:
    """The alert's remedy waits no more; that it did is known as long as the alert fires."""

    alert_id: str


@dataclass(frozen=True)
class DropWaits:
    """The alert is over: what its remedy waited for is forgotten."""

    alert_id: str


Change = (
    PutAlert
    | PutIncident
    | PutRun
    | AddEntry
    | RefreshAlerts
    | PutSilence
    | PutWithheld
    | PutGroup
    | DropGroup
    | AddMember
    | DropMembers
    | PutNotice
    | PutFlap
    | DropFlap
    | AddChange
    | MoveNotices
    | PutLetter
    | DropLetters
    | PutReceiver
    | ForgetNamed
    | Name
    | Unname
    | PutWait
    | EndWaits
    | DropWaits
)


@dataclass(frozen=True)
class Notify:
    """Put a notification in the outbox. `held` waits until `not_before` for a remedy; otherwise it is due then.

    What a held one names does not count as told before it is released.
    """

    id: str
    kind: str
    """page | update | report | resolved | failure"""
    severity: str
    notifier: str
    not_before: int
    held: bool
    content: dict[str, Any]
    """As a letter's, with `named`, the ids of the firing alerts it tells of."""
    incident_id: str | None = None
    alert_id: str | None = None
    run_id: str | None = None
    named: tuple[Naming, ...] = ()


@dataclass(frozen=True)
class RecordSent:
    """Keep what left without the store, under the id `sent_as`, as sent; what it names counts as told."""

    id: str
    kind: str
    severity: str
    notifier: str
    content: dict[str, Any]
    sent_at: int
    sent_as: str
    incident_id: str
    alert_id: str
    named: tuple[Naming, ...] = ()


@dataclass(frozen=True)
class Release:
    """A held notification is due now, as this kind and with this content; what it names counts as told."""

    notification_id: str
    notifier: str
    kind: str
    content: dict[str, Any]
    named: tuple[Naming, ...] = ()


@dataclass(frozen=True)
class MergeHeld:
    """Held notifications go out in another one."""

    notification_ids: tuple[str, ...]


@dataclass(frozen=True)
class Dispatch:
    """Have the worker start a run that is stored as `waiting`."""

    run_id: str


@dataclass(frozen=True)
class SetTimer:
    kind: str
    subject: str
    due_at: int


@dataclass(frozen=True)
class CancelTimers:
    """All waiting timers of a subject; of one kind where it is given."""

    subject: str
    kind: str | None = None


@dataclass(frozen=True)
class Look:
    """Have `check-health` probe these checks (service, check, instance) at `due_at` and write down what it sees.

    `purpose`: `act` for a run that is about to act, `review` for an alert that is withheld, `recovery` for what may
    have recovered with its dependency. With `shadow` and no checks: see whether the alert's remedy could have run.
    """

    subject: str
    purpose: str
    keys: tuple[tuple[str, str, str], ...]
    due_at: int


Effect = Notify | RecordSent | Release | MergeHeld | Dispatch | SetTimer | CancelTimers | Look


@dataclass(frozen=True)
class Outcome:
    """The answer of `decide`."""

    changes: list[Change] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)

    @property
    def subjects(self) -> list[str]:
        """Every id a reason speaks of, once, in order."""
        return list(dict.fromkeys(subject for reason in self.reasons for subject in reason.subjects))
