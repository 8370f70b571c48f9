"""What a decision may look at: indexed look-ups on the store, inside the transaction of the decision."""

from __future__ import annotations

from typing import Protocol

from forewatch.alerting.alert import Alert
from forewatch.alerting.notification import Notification
from forewatch.config.models import Config
from forewatch.incidents.incident import Incident
from forewatch.remedy.run import Run


class View(Protocol):
    @property
    def config(self) -> Config: ...

    def new_id(self, prefix: str) -> str:
        """The next `AL-n`, `INC-n`, `NT-n`, `RUN-n`; taken from a counter inside the transaction, so never twice."""

    def firing_alert(self, fingerprint: str) -> Alert | None: ...

    def alert(self, alert_id: str) -> Alert | None: ...

    def alerts_of(self, incident_id: str) -> list[Alert]:
        """All alerts of an incident, firing and resolved, oldest first."""

    def open_incident(self, group_key: str) -> Incident | None: ...

    def incident(self, incident_id: str) -> Incident | None: ...

    def run(self, run_id: str) -> Run | None: ...

    def runs_of(self, incident_id: str) -> list[Run]:
        """All runs of an incident, oldest first."""

    def runs_counted(self, remedy: str, since: int) -> list[Run]:
        """Runs of a remedy that acted (or are about to) at `since` or later, rows dated in the future included; and
        runs under way of the same runbook on the same service that a person started.

        `remedy.limits.acted_or_may` says exactly which runs count and from when; more may be given, fewer may not.
        """

    def notifications_of(self, incident_id: str) -> list[Notification]:
        """All notifications of an incident, whatever their state, oldest first."""

    def automation_stopped(self) -> str | None:
        """Who stopped automation and why, as a sentence; None while it may act."""

    def automation_down(self) -> str | None:
        """Why no run can be started now (Prefect or the worker is away), as a sentence; None while all is well."""
