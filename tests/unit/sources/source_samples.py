"""Sources and bodies for tests: whole, with only what a test is about named."""

from __future__ import annotations

import json
from typing import Any

from forewatch.clock import MICROSECONDS
from forewatch.config.sources import Source

NOW = 1_767_225_600 * MICROSECONDS
"""2026-01-01T00:00:00Z"""
MINUTE = 60 * MICROSECONDS

MAPPING = {
    "items": "problems",
    "labels": {
        "alertname": "{{ item.type }}",
        "service": "{{ item.host.name }}",
        "severity": "{{ item.level }}",
        "zone": "{{ item.zone }}",
    },
    "annotations": {"summary": "{{ item.text }} ({{ body.sender }})"},
    "resolved": "{{ item.state == 'ok' }}",
    "starts_at": "{{ item.since }}",
}


def source(kind: str, settings: dict[str, Any] | None = None, **fields: Any) -> Source:
    given = MAPPING if kind == "json" and settings is None else settings or {}
    if kind == "sentry" and settings is None:
        given = {"api": {"organization": "acme", "token": "t0ken-of-the-api"}}
    if kind == "bugsink" and settings is None:
        given = {"url": "http://bugs.example", "token": "t0ken-of-the-api"}
    return Source.model_validate({"name": f"my-{kind.replace('_', '-')}", kind: given, **fields})


def encoded(data: object) -> bytes:
    return json.dumps(data).encode()


def alert(status: str = "firing", **fields: Any) -> dict[str, Any]:
    """One alert of an Alertmanager's webhook."""
    return {
        "status": status,
        "labels": {"alertname": "DiskFull", "instance": "db1", "severity": "critical"},
        "annotations": {"summary": "the disk of db1 is full"},
        "startsAt": "2025-12-31T23:50:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2025-12-31T23:59:00Z",
        "generatorURL": "http://prometheus.example/graph?g0.expr=up",
        "fingerprint": "e94c744ae3d44df8",
        **fields,
    }


def webhook(*alerts: Any, **fields: Any) -> dict[str, Any]:
    """An Alertmanager's webhook, version 4."""
    return {
        "version": "4",
        "groupKey": '{}:{alertname="DiskFull"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "forewatch",
        "groupLabels": {"alertname": "DiskFull"},
        "commonLabels": {"alertname": "DiskFull"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example",
        "alerts": list(alerts),
        **fields,
    }


def event(action: str = "trigger", **fields: Any) -> dict[str, Any]:
    """An event of PagerDuty's Events API v2."""
    whole: dict[str, Any] = {
        "routing_key": "R" * 32,
        "event_action": action,
        "dedup_key": "db1/disk",
        "payload": {
            "summary": "the disk of db1 is full",
            "source": "db1.example",
            "severity": "error",
            "timestamp": "2025-12-31T23:50:00.000+0000",
            "component": "postgres",
            "group": "prod",
            "class": "disk",
            "custom_details": {"free": "1 %", "service": "orders", "db_password": "hunter2", "load": [1, 2]},
        },
        "links": [{"href": "https://wiki.example/disk", "text": "what to do"}],
        "images": [{"src": "https://charts.example/disk.png", "alt": "the disk"}],
        "client": "Nagios",
        "client_url": "https://nagios.example",
    }
    return whole | fields


def sentry_data(**fields: Any) -> dict[str, Any]:
    """An issue as Sentry's API has it."""
    return {
        "id": "1170820242",
        "shortId": "FRONT-END-9",
        "title": "ReferenceError: blooopy is not defined",
        "culprit": "?(runner)",
        "permalink": "https://acme.sentry.example/issues/1170820242/",
        "level": "error",
        "status": "unresolved",
        "substatus": "new",
        "project": {"id": "1", "name": "front end", "slug": "front-end"},
        "count": "150",
        "userCount": 12,
        "firstSeen": "2025-12-31T23:50:00.391000Z",
        "lastSeen": "2025-12-31T23:59:00Z",
        **fields,
    }
