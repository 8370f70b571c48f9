"""Rows for tests: whole, with only what a test is about named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from forewatch.alerting.alert import Alert
from forewatch.alerting.notification import Notification
from forewatch.clock import MICROSECONDS
from forewatch.incidents.incident import Incident
from forewatch.remedy.run import Run

NOW = 1_767_225_600 * MICROSECONDS
SECOND = MICROSECONDS
HOUR = 3600 * SECOND


def alert(id: str = "AL-1", **fields: Any) -> Alert:
    labels = {"alertname": "CheckFailing", "service": "storefront", "severity": "critical"}
    whole = Alert(id, "f1", labels, {"summary": "no answer"}, "storefront", "critical", "firing", NOW, None, NOW, None)
    return replace(whole, **fields)


def incident(id: str = "INC-1", **fields: Any) -> Incident:
    whole = Incident(id, "storefront", "storefront", "storefront is down", "critical", "triggered", NOW, 1)
    return replace(whole, **fields)


def notification(id: str = "NT-1", **fields: Any) -> Notification:
    whole = Notification(
        id, "INC-1", "AL-1", None, "page", "critical", "terminal", "due", NOW, {"title": "storefront is down"}, NOW
    )
    return replace(whole, **fields)


def run(id: str = "RUN-1", **fields: Any) -> Run:
    whole = Run(
        id=id,
        kind="respond",
        runbook="restart-service",
        service="storefront",
        incident_id="INC-1",
        alert_id="AL-1",
        remedy="storefront/restart-service",
        inputs={"command": ["./start.sh"]},
        autonomy="auto",
        requested_by="forewatch",
        state="waiting",
        attempts=0,
        flow_run_id=None,
        created_at=NOW,
        started_at=None,
        acted_at=None,
        finished_at=None,
        outcome=None,
        verified=None,
    )
    return replace(whole, **fields)
