"""The store as a decision sees it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from sqlalchemy import Connection

from forewatch.alerting.alert import Alert, Labels
from forewatch.alerting.digest import Receiver
from forewatch.alerting.flapping import Flap
from forewatch.alerting.group import Group
from forewatch.alerting.grouping import Notice
from forewatch.alerting.naming import Heard, Named
from forewatch.alerting.notification import Notification
from forewatch.alerting.silence import Silence, SilenceIndex
from forewatch.alerting.suppression import Withheld
from forewatch.config.models import Config
from forewatch.incidents.incident import Incident
from forewatch.incidents.outcome import Letter
from forewatch.remedy.run import Run
from forewatch.remedy.wait import Wait
from forewatch.store import (
    alerts,
    components,
    flaps,
    groups,
    ids,
    incident_services,
    incidents,
    letters,
    naming,
    outbox,
    runs,
    silences,
    switches,
    waits,
    withheld,
)


class StoreView:
    """`forewatch.incidents.view.View` on one open transaction, for one decision: silences it read stay as they were."""

    def __init__(self, conn: Connection, config: Config) -> None:
        self._conn = conn
        self._config = config
        self._silences: tuple[int, SilenceIndex] | None = None

    @property
    def config(self) -> Config:
        return self._config

    def new_id(self, prefix: str) -> str:
        return ids.next_id(self._conn, prefix)

    def firing_alert(self, fingerprint: str) -> Alert | None:
        return alerts.firing(self._conn, fingerprint)

    def alert(self, alert_id: str) -> Alert | None:
        return alerts.get(self._conn, alert_id)

    def alerts_of(self, incident_id: str) -> list[Alert]:
        return alerts.of_incident(self._conn, incident_id)

    def over_lately(self, incident_id: str, since: int, most: int) -> list[Alert]:
        return alerts.over_lately(self._conn, incident_id, since, most)

    def firing_in(self, incident_id: str, most: int | None = None) -> list[Alert]:
        return alerts.firing_in(self._conn, incident_id, most)

    def alert_last(self, fingerprint: str) -> Alert | None:
        return alerts.latest(self._conn, fingerprint)

    def linked(self, services: Collection[str], since: int) -> list[tuple[Incident, str]]:
        return incident_services.linked(self._conn, services, since)

    def names_lately(self, source: str, since: int) -> int:
        return incident_services.names_lately(self._conn, source, since)

    def fires_in(self, incident_id: str, service: str) -> bool:
        return alerts.fires_in(self._conn, incident_id, service)

    def services_in(self, incident_id: str) -> int:
        return incident_services.firing_services(self._conn, incident_id)

    def firing_of(self, services: Collection[str]) -> list[Alert]:
        return alerts.firing_of(self._conn, services)

    def firing_where(self, equal: Mapping[str, str]) -> Iterator[Alert]:
        return alerts.firing_where(self._conn, equal)

    def open_incidents_with(self, services: Collection[str]) -> list[tuple[Incident, str, int]]:
        return incident_services.open_with(self._conn, services)

    def open_incidents_keyed(self, key: str, service: str) -> list[tuple[Incident, int]]:
        return incident_services.open_keyed(self._conn, key, service)

    def silences_on(self, labels: Labels, now: int) -> list[Silence]:
        if self._silences is None or self._silences[0] != now:
            self._silences = now, silences.current(self._conn, now)
        return self._silences[1].matching(labels, now)

    def silence(self, silence_id: str) -> Silence | None:
        return silences.get(self._conn, silence_id)

    def withheld(self, alert_id: str) -> list[Withheld]:
        return withheld.of_alert(self._conn, alert_id)

    def withheld_by(self, subject: str) -> list[str]:
        return withheld.by_subject(self._conn, subject)

    def hidden_by(self, silence_id: str) -> list[str]:
        return silences.hidden_incidents(self._conn, silence_id)

    def group(self, key: str) -> Group | None:
        return groups.get(self._conn, key)

    def groups_of(self, alert_id: str) -> list[Group]:
        return groups.of_alert(self._conn, alert_id)

    def members(self, group: str) -> list[Alert]:
        return groups.members(self._conn, group)

    def withheld_in(self, group: str) -> dict[str, list[Withheld]]:
        return withheld.of_group(self._conn, group)

    def flaps_in(self, group: str) -> dict[str, Flap]:
        return flaps.of_group(self._conn, group)

    def flapping_in(self, incident_id: str) -> list[str]:
        return flaps.of_incident(self._conn, incident_id)

    def last_notice(self, group: str, notifier: str) -> Notice | None:
        return groups.last_notice(self._conn, group, notifier)

    def flap(self, fingerprint: str) -> Flap | None:
        return flaps.get(self._conn, fingerprint)

    def incident(self, incident_id: str) -> Incident | None:
        return incidents.get(self._conn, incident_id)

    def run(self, run_id: str) -> Run | None:
        return runs.get(self._conn, run_id)

    def runs_of(self, incident_id: str) -> list[Run]:
        return runs.of_incident(self._conn, incident_id)

    def runs_counted(self, remedy: str, since: int) -> list[Run]:
        return runs.counted(self._conn, remedy, since)

    def named(self, alert_id: str) -> list[Named]:
        return naming.of_alert(self._conn, alert_id)

    def named_in(self, incident_id: str) -> list[Named]:
        return naming.of_incident(self._conn, incident_id)

    def heard(self, incident_id: str, alert: Alert, since: int = 0) -> dict[str, Heard]:
        return naming.heard(self._conn, incident_id, alert, since)

    def told_of(self, incident_id: str) -> list[str]:
        return naming.told_of(self._conn, incident_id)

    def told_before(self, incident_id: str, notifier: str) -> bool:
        return naming.told_before(self._conn, incident_id, notifier)

    def open_for(self, notifier: str) -> bool:
        return naming.open_for(self._conn, notifier)

    def held_in(self, incident_id: str) -> list[Notification]:
        return outbox.held_in(self._conn, incident_id)

    def notification(self, notification_id: str) -> Notification | None:
        return outbox.get(self._conn, notification_id)

    def receiver(self, notifier: str) -> Receiver | None:
        return letters.receiver(self._conn, notifier)

    def letters(self, notifier: str) -> list[Letter]:
        return letters.waiting(self._conn, notifier)

    def runs_at_work(self, services: Collection[str]) -> list[Run]:
        return runs.at_work(self._conn, services)

    def waits(self, alert_id: str) -> list[Wait]:
        return waits.of_alert(self._conn, alert_id)

    def waits_by(self, subject: str) -> list[str]:
        return waits.by(self._conn, subject)

    def waits_in(self, incident_id: str) -> list[Wait]:
        return waits.in_incident(self._conn, incident_id)

    def notifications_of(self, incident_id: str) -> list[Notification]:
        return outbox.of_incident(self._conn, incident_id)

    def automation_stopped(self) -> str | None:
        switch = switches.get(self._conn, switches.AUTOMATION)
        if switch is None or switch.state == "on":
            return None
        return f"automation was stopped by {switch.actor}" + (f": {switch.reason}" if switch.reason else "")

    def automation_down(self) -> str | None:
        worker = components.get(self._conn, "worker")
        return f"the worker is down: {worker.reason}" if worker is not None and worker.state == "down" else None
