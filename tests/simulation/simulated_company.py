"""The setting `company`: a website on an app on a shared database and cache, a worker beside, a mail server apart.

Nothing groups: who is told, of what, and when is Forewatch's own rule.
"""

from __future__ import annotations

from typing import Any

from simulated_groups import SOURCE, check

from forewatch.config import models

SEVERITIES = {"Outage": "critical", "QueueFull": "critical", "Slow": "warning"}
"""Of posted alerts, by their names."""
PER_HOUR, COOLDOWN, VERIFY = 4, 15.0, 10.0
NOTIFIERS = ("ops", "web", "backend", "data")
CHECKS = {
    "website": ("home", "static"),
    "app": ("http", "alive"),
    "db": ("sql",),
    "cache": ("ping",),
    "worker": ("jobs",),
    "mail": ("smtp",),
}
"""The main check of each first."""
THROUGH = frozenset({("website", "home"), ("app", "http"), ("worker", "jobs")})
LABELLED, MOVED, REROUTED, SHADOWED, HURRIED, WORSENED = 1, 2, 4, 8, 16, 32
"""What a variant of the configuration may change, as bits: labels, an owner, routes, autonomy, `every`, a severity."""
VARIANTS = 64


def document(variant: int) -> dict[str, Any]:
    """The configuration. In the first variant `db` heals itself, and nothing of the above is changed."""
    labelled = {"tier": "1"} if variant & LABELLED else {}
    data = "backend" if variant & MOVED else "data"
    return {
        "metrics": {"host": False, "starter_rules": False},
        "services": [
            {
                "name": "website",
                "labels": {"team": "web"},
                "depends_on": ["app"],
                "checks": [
                    check("website", "home", fails_after=2, recovers_after=2),
                    check("website", "static", fails_after=2),
                ],
                "remedies": [_restart("auto")],
            },
            {
                "name": "app",
                "labels": {"team": "backend", **labelled},
                "depends_on": ["db", "cache"],
                "checks": [
                    check("app", "http", every="2s" if variant & HURRIED else "3s", fails_after=2, recovers_after=2),
                    check("app", "alive", fails_after=2, recovers_after=2),
                ],
                "remedies": [_restart("shadow" if variant & SHADOWED else "auto")],
            },
            {
                "name": "db",
                "labels": {"team": data, **labelled},
                "checks": [check("db", "sql", fails_after=2)],
                "remedies": [] if variant & SHADOWED else [_restart("auto")],
            },
            {"name": "cache", "labels": {"team": data}, "checks": [check("cache", "ping", fails_after=2)]},
            {
                "name": "worker",
                "labels": {"team": "backend"},
                "depends_on": ["db"],
                "checks": [check("worker", "jobs", "critical" if variant & WORSENED else "warning", every="4s")],
            },
            {
                "name": "mail",
                "labels": {"team": "web"},
                "checks": [check("mail", "smtp")],
                "remedies": [_restart("auto")],
            },
        ],
        "notifiers": [{"name": name, "console": {}} for name in NOTIFIERS],
        "sources": [{"name": SOURCE, "alertmanager": {}, "resolve_after": "40s", "remedies": "allowed"}],
        "times": [{"name": "break", "ranges": [{"times": ["09:01-09:02"]}]}],
        "inhibitions": [
            {"source": {"alertname": "Outage"}, "target": {"alertname": "QueueFull"}, "equal": ["service"]},
        ],
        "flapping": {"after": 4, "within": "60s", "calm": "30s", **_known(models.Flapping, down="20s")},
        "correlation": {"within": "20s"},
        "routes": [
            {"match": {"team": "web"}, "notify": ["web", "ops"], "hold": "15s"},
            {"match": {"team": "backend"}, "notify": ["backend", "data"] if variant & REROUTED else ["backend", "ops"]},
            {"match": {"team": "data"}, "notify": ["data", "ops"], "hold": "0s"},
            {"match": {"alertname": "QueueFull"}, "notify": ["ops"], "mute": ["break"]},
            {"notify": ["ops"], "hold": "10s"},
        ],
    }  # fmt: skip


def _restart(autonomy: str) -> dict[str, Any]:
    return {
        "on": {"alertname": "CheckFailing"},
        "runbook": "restart-service",
        "with": {"command": ["./start.sh"]},
        "autonomy": autonomy,
        "limits": {"per_hour": PER_HOUR, "cooldown": f"{COOLDOWN:g}s"},
        "verify": {"within": f"{VERIFY:g}s"},
    }


def _known(model: type[models.Model], **more: str) -> dict[str, str]:
    """The settings a model has."""
    return {name: value for name, value in more.items() if name in model.model_fields}
