"""The setting `groups`: few services, each for itself; most routes group as Alertmanager does."""

from __future__ import annotations

from typing import Any

SERVICES = ("shop", "api", "db")
CHECKS = ("http", "tcp")
NOTIFIERS = ("ops", "web", "dba")
SOURCE = "prometheus"
SEVERITIES = {"Outage": "critical", "Slow": "warning", "DiskFull": "critical"}
"""Of posted alerts, by their names."""
PER_HOUR, COOLDOWN = 3, 20.0


def document(variant: int) -> dict[str, Any]:
    """Three variants: they differ in who is told, how long pages wait, and what automation may do."""
    remedy = {
        "on": {"alertname": "CheckFailing"},
        "runbook": "restart-service",
        "with": {"command": ["./start.sh"]},
        "autonomy": "shadow" if variant == 2 else "auto",
        "limits": {"per_hour": PER_HOUR, "cooldown": f"{COOLDOWN:g}s"},
        "verify": {"within": "8s"},
    }
    return {
        "metrics": {"host": False, "starter_rules": False},
        "services": [
            {
                "name": "shop",
                "depends_on": ["api"],
                "checks": [check("shop", "http"), check("shop", "tcp", "warning")],
                "remedies": [remedy],
            },
            {
                "name": "api",
                "depends_on": ["db"],
                "checks": [check("api", "http", "warning"), check("api", "tcp", "info")],
                "remedies": [remedy] if variant != 1 else [],
            },
            {"name": "db", "checks": [check("db", "http"), check("db", "tcp")]},
        ],
        "notifiers": [{"name": name, "console": {}} for name in NOTIFIERS],
        "sources": [{"name": SOURCE, "alertmanager": {}, "resolve_after": "40s", "remedies": "allowed"}],
        "times": [{"name": "break", "ranges": [{"times": ["09:01-09:02"]}]}],
        "inhibitions": [{"source": {"alertname": "Outage"}, "target": {"alertname": "Slow"}, "equal": ["service"]}],
        "flapping": {"after": 4, "within": "60s", "calm": "30s"},
        "correlation": {"within": "20s"},
        "routes": [
            {"match": {"alertname": "DiskFull"}, "notify": ["dba"], "mute": ["break"]},
            {
                "match": ["alertname=~Outage|Slow"],
                "notify": ["ops", "web"] if variant == 1 else ["ops"],
                "group_by": ["service"] if variant == 2 else ["alertname"],
                "group_wait": "3s",
                "group_interval": "10s",
                "repeat_interval": "40s",
                "routes": [{"match": {"service": "db"}, "mute": ["break"], "continue": True}],
            },
            {"match": {"service": "db"}, "notify": ["dba", "ops"] if variant != 1 else ["dba"]},
            {"match": {"service": "shop"}, "notify": ["web"], "hold": "15s" if variant != 2 else "0s"},
            {"notify": ["ops"], "hold": "10s"},
        ],
    }


def check(service: str, name: str, severity: str = "critical", **more: Any) -> dict[str, Any]:
    """A check, which its address names: probes know no more of it."""
    about = {"every": "2s", "fails_after": 1, "recovers_after": 1, **more}
    return {"name": name, "tcp": f"{name}.{service}.test:1", "severity": severity, **about}
