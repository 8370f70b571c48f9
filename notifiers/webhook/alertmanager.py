"""The body of Alertmanager's webhooks, version 4 (`notify/webhook/webhook.go`, `template/template.go`): for receivers
made for those. A notice of an incident or a run is a group of its own, and its message goes with its alerts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forewatch.alerting.fingerprint import fingerprint
from forewatch.alerting.matchers import quoted
from forewatch.incidents.wording import common
from forewatch.notifying.sender import Rendered

VERSION = "4"
NEVER = "0001-01-01T00:00:00Z"
"""Go's zero time: the end of what still fires."""
MESSAGE = "message"
"""The annotation of what a notice of an incident or a run says, which no label or summary of an alert does."""


def body(receiver: str, content: Mapping[str, Any], rendered: Rendered, max_alerts: int = 0) -> dict[str, Any]:
    """The JSON that is posted; `receiver` is the notifier's name."""
    shown, truncated = shortened(content, max_alerts)
    alerts = [_alert(alert, content) for alert in shown] or [_made_up(content)]
    key, labels, reason = content["group_key"], content["group_labels"], content["reason"]
    if key is None:
        labels = {"incident": content["incident_id"]} if content["incident_id"] else {"notification": content["id"]}
        # By keys that never come again, as ids do after a restore.
        name, never_again = (
            ("incident", content["incident_key"]) if content["incident_id"] else ("notification", content["key"])
        )
        key = f"{{}}:{{{name}={quoted(never_again)}}}"
        reason = "all alerts resolved" if content["status"] == "resolved" else "first notification"
        for alert in alerts:
            alert["annotations"] = {**alert["annotations"], MESSAGE: rendered.text}
    return {
        "receiver": receiver,
        "status": "firing" if any(alert["status"] == "firing" for alert in alerts) else "resolved",
        "alerts": alerts,
        "groupLabels": labels,
        "commonLabels": common(alert["labels"] for alert in alerts),
        "commonAnnotations": common(alert["annotations"] for alert in alerts),
        "externalURL": content["external_url"],
        "version": VERSION,
        "groupKey": key,
        "truncatedAlerts": truncated,
        "notification_reason": reason,
    }


def shortened(content: Mapping[str, Any], max_alerts: int) -> tuple[list[dict[str, Any]], int]:
    """The first alerts, at most so many (0: all), and how many were left out, here or before."""
    alerts = content["alerts"]
    shown = alerts[:max_alerts] if max_alerts else list(alerts)
    return shown, content["truncated_alerts"] + len(alerts) - len(shown)


def _alert(alert: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    # A page says what was decided, though the alert may be over by now; of the end of an incident the same holds.
    whole = content["status"] if content["group_key"] is None else None
    status = whole if whole in ("firing", "resolved") else alert["status"]
    return {
        **_span(status == "resolved", alert["starts_at"] or content["created_at"], alert["ends_at"], content),
        "labels": alert["labels"],
        "annotations": alert["annotations"],
        "generatorURL": alert["generator_url"],
        "fingerprint": alert["fingerprint"] or fingerprint(alert["labels"]),
    }


def _made_up(content: Mapping[str, Any]) -> dict[str, Any]:
    """An alert for what has none: a test, a run that failed, a report on a silence."""
    labels = {"alertname": f"Forewatch{content['kind'].capitalize()}", "severity": content["severity"]}
    if content["service"]:
        labels["service"] = content["service"]
    return {
        **_span(content["status"] == "resolved", content["created_at"], None, content),
        "labels": labels,
        "annotations": {"summary": content["title"]},
        "generatorURL": "",
        "fingerprint": fingerprint(labels),
    }


def _span(resolved: bool, starts_at: str, ends_at: str | None, content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "status": "resolved" if resolved else "firing",
        "startsAt": starts_at,
        "endsAt": (ends_at or content["created_at"]) if resolved else NEVER,
    }
