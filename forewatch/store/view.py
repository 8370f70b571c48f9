"""The store as a decision sees it."""

from __future__ import annotations

from sqlalchemy import Connection

from forewatch.alerting.alert import Alert
from forewatch.alerting.notification import Notification
from forewatch.config.models import Config
from forewatch.incidents.incident import Incident
from forewatch.remedy.run import Run
from forewatch.store import alerts, components, ids, incidents, outbox, runs, switches

_NEEDED = {"prefect": "Prefect", "worker": "the worker"}


class StoreView:
    """`forewatch.incidents.view.View` on one open transaction."""

    def __init__(self, conn: Connection, config: Config) -> None:
        self._conn = conn
        self._config = config

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

    def open_incident(self, group_key: str) -> Incident | None:
        return incidents.open_for(self._conn, group_key)

    def incident(self, incident_id: str) -> Incident | None:
        return incidents.get(self._conn, incident_id)

    def run(self, run_id: str) -> Run | None:
        return runs.get(self._conn, run_id)

    def runs_of(self, incident_id: str) -> list[Run]:
        return runs.of_incident(self._conn, incident_id)

    def runs_counted(self, remedy: str, since: int) -> list[Run]:
        return runs.counted(self._conn, remedy, since)

    def notifications_of(self, incident_id: str) -> list[Notification]:
        return outbox.of_incident(self._conn, incident_id)

    def automation_stopped(self) -> str | None:
        switch = switches.get(self._conn, switches.AUTOMATION)
        if switch is None or switch.state == "on":
            return None
        return f"automation was stopped by {switch.actor}" + (f": {switch.reason}" if switch.reason else "")

    def automation_down(self) -> str | None:
        for name, spoken in _NEEDED.items():
            component = components.get(self._conn, name)
            if component is not None and component.state == "down":
                return f"{spoken} is down: {component.reason}"
        return None
