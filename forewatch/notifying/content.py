"""What a template and a webhook's receiver see: what was decided, completed with links, every key always there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from forewatch.alerting.alert import Alert
from forewatch.alerting.notification import Notification
from forewatch.clock import iso
from forewatch.config.models import Config
from forewatch.guard.redact import redact_data
from forewatch.home import Home
from forewatch.orchestration.settings import Settings

_STATUS = {"page": "firing", "failure": "firing", "report": "info", "resolved": "resolved", "test": "test"}


@dataclass(frozen=True)
class Links:
    """Where people find us and the Prefect UI; no slash at the end."""

    forewatch: str
    prefect: str

    @classmethod
    def of(cls, config: Config, home: Home) -> Links:
        """As configured, else where this Forewatch listens on this machine."""
        here = Settings.read(home) or Settings(config="")
        return cls((config.public_url or here.url).rstrip("/"), (config.prefect_url or here.prefect_url).rstrip("/"))

    def incident(self, incident_id: str) -> str:
        return f"{self.forewatch}/incidents/{quote(incident_id)}"

    def flow_run(self, flow_run_id: str) -> str:
        return f"{self.prefect}/runs/flow-run/{quote(flow_run_id)}"


def complete(
    notification: Notification, links: Links, *, alert: Alert | None = None, flow_run_id: str | None = None
) -> dict[str, Any]:
    """The content of a notification with ids, status and links added, and secrets masked.

    Keys: `id kind status severity service title text reason runbook incident_id run_id alert links created_at`;
    `alert` is None or `{id, name, status, fingerprint, labels, annotations, starts_at, ends_at}`, `links` may have
    `incident` and `flow_run`.
    """
    given = notification.content
    incident_id = notification.incident_id or given.get("incident_id")
    flow_run_id = flow_run_id or given.get("flow_run_id")
    found: dict[str, str] = dict(given.get("links") or {})
    if incident_id:
        found["incident"] = links.incident(incident_id)
    if flow_run_id:
        found["flow_run"] = links.flow_run(flow_run_id)
    content: dict[str, Any] = {
        "service": None,
        "title": notification.id,
        "text": "",
        "reason": "",
        "runbook": None,
        **given,
        "id": notification.id,
        "kind": notification.kind,
        "status": _STATUS.get(notification.kind, "info"),
        "severity": notification.severity,
        "incident_id": incident_id,
        "run_id": notification.run_id,
        "alert": _alert(notification, alert),
        "links": found,
        "created_at": iso(notification.created_at),
    }
    redacted: dict[str, Any] = redact_data(content)
    return redacted


def _alert(notification: Notification, alert: Alert | None) -> dict[str, Any] | None:
    given: Mapping[str, Any] | None = notification.content.get("alert")
    if alert is None and not given:
        return None
    labels = dict(alert.labels if alert else (given or {}).get("labels") or {})
    return {
        "id": alert.id if alert else notification.alert_id,
        "name": labels.get("alertname", ""),
        "status": alert.status if alert else _STATUS.get(notification.kind, "info"),
        "fingerprint": alert.fingerprint if alert else None,
        "labels": labels,
        "annotations": dict(alert.annotations if alert else (given or {}).get("annotations") or {}),
        "starts_at": iso(alert.starts_at) if alert else None,
        "ends_at": iso(alert.ends_at) if alert and alert.ends_at is not None else None,
    }
