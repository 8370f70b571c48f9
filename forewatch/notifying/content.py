"""What a template and a webhook's receiver see: what was decided, completed with links, every key always there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from forewatch.alerting.alert import Alert
from forewatch.alerting.notification import Notification
from forewatch.clock import iso
from forewatch.config.models import Config
from forewatch.guard.redact import redact_data
from forewatch.home import Home
from forewatch.incidents.wording import HELD, MOST_SHOWN, common, shown_alert
from forewatch.notifying.words import aside_of, word_of
from forewatch.orchestration.settings import Settings

_STATUS = {
    "page": "firing",
    "update": "firing",
    "failure": "firing",
    "report": "info",
    "resolved": "resolved",
    "test": "test",
}


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
    notification: Notification,
    links: Links,
    *,
    alert: Alert | None = None,
    alerts: Sequence[Alert] = (),
    flow_run_id: str | None = None,
    key: str = "",
    incident_key: str | None = None,
) -> dict[str, Any]:
    """The content of a notification with ids, status and links added, and secrets masked.

    Keys: `id key kind word aside status severity service since named incidents update ended title text reason runbook
    incident_id incident_key run_id alert alerts group_key group_labels common_labels common_annotations
    truncated_alerts links external_url created_at`. `key` and `incident_key` never come again, as ids do after a
    restore. `alert` is None or `{id, incident_id, name, status, severity, service, classification, fingerprint,
    labels, annotations, starts_at, ends_at, generator_url}`; `alerts` has all it speaks of, of a notice of an incident
    as a whole those given here; `group_key` is None except in a notice of a group; `links` may have `incident` and
    `flow_run`.
    """
    given = {key: value for key, value in notification.content.items() if key != HELD}
    incident_id = notification.incident_id or given.get("incident_id")
    flow_run_id = flow_run_id or given.get("flow_run_id")
    found: dict[str, str] = dict(given.get("links") or {})
    if incident_id:
        found["incident"] = links.incident(incident_id)
    elif given.get("incidents"):
        found["incident"] = f"{links.forewatch}/incidents"
    if flow_run_id:
        found["flow_run"] = links.flow_run(flow_run_id)
    about = _alert(notification, alert)
    spoken_of = [shown_alert(each) for each in alerts] or ([about] if about is not None else [])
    content: dict[str, Any] = {
        "service": None,
        "title": notification.id,
        "text": "",
        "reason": "",
        "runbook": None,
        "alerts": spoken_of[:MOST_SHOWN],
        "since": None,
        "named": [],
        "incidents": [incident_id] if incident_id else [],
        "update": False,
        "ended": None,
        "group_key": None,
        "group_labels": {},
        "common_labels": common(each["labels"] for each in spoken_of),
        "common_annotations": common(each["annotations"] for each in spoken_of),
        "truncated_alerts": len(spoken_of[MOST_SHOWN:]),
        **given,
        "id": notification.id,
        "key": key or notification.id,
        "kind": notification.kind,
        "status": _STATUS.get(notification.kind, "info"),
        "severity": notification.severity,
        "incident_id": incident_id,
        "incident_key": incident_key or incident_id,
        "run_id": notification.run_id,
        "alert": about,
        "links": found,
        "word": word_of(notification.kind, notification.severity, given),
        "aside": aside_of({**given, "incident_id": incident_id}),
        "external_url": links.forewatch,
        "created_at": iso(notification.created_at),
    }
    redacted: dict[str, Any] = redact_data(content)
    return redacted


def _alert(notification: Notification, alert: Alert | None) -> dict[str, Any] | None:
    """The stored one, else what the content says of it: of a group what its alerts have in common."""
    if alert is not None:
        return shown_alert(alert)
    given: Mapping[str, Any] | None = notification.content.get("alert")
    if not given:
        return None
    labels = dict(given.get("labels") or {})
    return {
        "id": notification.alert_id,
        "incident_id": notification.incident_id,
        "name": labels.get("alertname", ""),
        "status": _STATUS.get(notification.kind, "info"),
        "severity": notification.severity,
        "service": notification.content.get("service"),
        "classification": given.get("classification"),
        "labels": labels,
        "annotations": dict(given.get("annotations") or {}),
        "starts_at": None,
        "ends_at": None,
        "generator_url": "",
        "fingerprint": None,
    }
