"""What a decision may look at: indexed look-ups on the store, inside the transaction of the decision."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

from forewatch.alerting.alert import Alert, Labels
from forewatch.alerting.digest import Receiver
from forewatch.alerting.flapping import Flap
from forewatch.alerting.group import Group
from forewatch.alerting.grouping import Notice
from forewatch.alerting.naming import Heard, Named
from forewatch.alerting.notification import Notification
from forewatch.alerting.silence import Silence
from forewatch.alerting.suppression import Withheld
from forewatch.config.models import Config
from forewatch.incidents.incident import Incident
from forewatch.incidents.outcome import Letter
from forewatch.remedy.run import Run
from forewatch.remedy.wait import Wait


class View(Protocol):
    @property
    def config(self) -> Config: ...

    def new_id(self, prefix: str) -> str:
        """The next `AL-n`, `INC-n`, `NT-n`, `RUN-n`; taken from a counter inside the transaction, so never twice."""

    def firing_alert(self, fingerprint: str) -> Alert | None: ...

    def alert(self, alert_id: str) -> Alert | None: ...

    def alerts_of(self, incident_id: str) -> list[Alert]:
        """All alerts of an incident, firing and resolved, oldest first."""

    def over_lately(self, incident_id: str, since: int, most: int) -> list[Alert]:
        """Alerts of an incident that fire, or were heard of last at `since` or later: the newest, oldest first."""

    def firing_in(self, incident_id: str, most: int | None = None) -> list[Alert]:
        """The firing alerts of an incident, oldest first; no more than `most` where it is given."""

    def open_incidents_with(self, services: Collection[str]) -> list[tuple[Incident, str, int]]:
        """Open incidents with an alert of one of `services`, the oldest first: (incident, service, when the last such
        alert began)."""

    def open_incidents_keyed(self, key: str, service: str) -> list[tuple[Incident, int]]:
        """Open incidents whose group key is `key`, or `key` and a slash and more, the oldest first: (incident, when its
        last alert of `service` began, or 0)."""

    def linked(self, services: Collection[str], since: int) -> list[tuple[Incident, str]]:
        """Open incidents with an alert of one of `services` that fires or ended at `since` or later, the oldest first,
        with that service."""

    def names_lately(self, source: str, since: int) -> int:
        """How many names of a source's alerts without a service have opened an incident at `since` or later."""

    def fires_in(self, incident_id: str, service: str) -> bool:
        """Whether an alert of a service fires in an incident."""

    def services_in(self, incident_id: str) -> int:
        """How many services have a firing alert in an incident."""

    def firing_of(self, services: Collection[str]) -> list[Alert]:
        """What fires of some services, oldest first; at most a thousand."""

    def firing_where(self, equal: Mapping[str, str]) -> Iterator[Alert]:
        """Firing alerts that have all these labels, read as they are asked for; all that fire where `equal` is empty.

        A value of "" means the label is absent.
        """

    def silences_on(self, labels: Labels, now: int) -> list[Silence]:
        """Silences active at `now` that match, oldest first."""

    def silence(self, silence_id: str) -> Silence | None: ...

    def withheld(self, alert_id: str) -> list[Withheld]:
        """Of which routes nobody was told of the alert, and why."""

    def withheld_by(self, subject: str) -> list[str]:
        """The firing alerts withheld because of a silence, an alert, ...: their ids."""

    def hidden_by(self, silence_id: str) -> list[str]:
        """The incidents a silence has hidden alerts of, over its whole life."""

    def group(self, key: str) -> Group | None: ...

    def groups_of(self, alert_id: str) -> list[Group]: ...

    def members(self, group: str) -> list[Alert]:
        """The alerts of a group, firing and just resolved, oldest first."""

    def withheld_in(self, group: str) -> dict[str, list[Withheld]]:
        """Of the firing alerts of a group, what `withheld` says of each, by its id; the others are left out."""

    def flaps_in(self, group: str) -> dict[str, Flap]:
        """Of the alerts of a group, those that flap, by fingerprint."""

    def flapping_in(self, incident_id: str) -> list[str]:
        """The fingerprints of an incident's alerts that flap, firing or not."""

    def last_notice(self, group: str, notifier: str) -> Notice | None: ...

    def flap(self, fingerprint: str) -> Flap | None: ...

    def alert_last(self, fingerprint: str) -> Alert | None:
        """The last episode of a fingerprint, firing or over."""

    def incident(self, incident_id: str) -> Incident | None: ...

    def run(self, run_id: str) -> Run | None: ...

    def runs_of(self, incident_id: str) -> list[Run]:
        """All runs of an incident, oldest first."""

    def runs_counted(self, remedy: str, since: int) -> list[Run]:
        """Runs of a remedy that acted (or are about to) at `since` or later, rows dated in the future included; and
        runs under way of the same runbook on the same service that a person started.

        `remedy.limits.acted_or_may` says exactly which runs count and from when; more may be given, fewer may not.
        """

    def named(self, alert_id: str) -> list[Named]:
        """Which receivers were told of an alert."""

    def named_in(self, incident_id: str) -> list[Named]:
        """Which receivers were told of which alerts of an incident, the oldest alert first."""

    def heard(self, incident_id: str, alert: Alert, since: int = 0) -> dict[str, Heard]:
        """What each receiver was told of an incident at `since` or later, apart from this alert, by notifier."""

    def told_of(self, incident_id: str) -> list[str]:
        """Who was told of a warning or worse in an incident."""

    def told_before(self, incident_id: str, notifier: str) -> bool:
        """Whether a notification of a warning or worse in an incident has left for a receiver."""

    def open_for(self, notifier: str) -> bool:
        """Whether a receiver was told of a firing alert of an incident that is open."""

    def held_in(self, incident_id: str) -> list[Notification]:
        """The notifications of an incident that are held for a remedy, oldest first."""

    def notification(self, notification_id: str) -> Notification | None: ...

    def receiver(self, notifier: str) -> Receiver | None: ...

    def letters(self, notifier: str) -> list[Letter]:
        """What waits for a receiver's next digest, oldest first."""

    def runs_at_work(self, services: Collection[str]) -> list[Run]:
        """The runs under way of remedies of some services, oldest first."""

    def waits(self, alert_id: str) -> list[Wait]:
        """What the alert's remedy waits for and has waited for, since it fires."""

    def waits_by(self, subject: str) -> list[str]:
        """The alerts whose remedies wait for a run, an alert or a switch, the longest waiting first."""

    def waits_in(self, incident_id: str) -> list[Wait]:
        """What remedies wait for now, for the firing alerts of an incident."""

    def notifications_of(self, incident_id: str) -> list[Notification]:
        """All notifications of an incident, whatever their state, oldest first."""

    def automation_stopped(self) -> str | None:
        """Who stopped automation and why, as a sentence; None while it may act."""

    def automation_down(self) -> str | None:
        """Why no run can be started now (there is no worker), as a sentence; None while all is well."""
