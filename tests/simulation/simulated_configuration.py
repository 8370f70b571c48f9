"""The configurations a simulated Forewatch runs with, and how its processes follow the newest."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from history_plan import NOTIFIERS

from forewatch.config.defaults import effective
from forewatch.config.models import Config

if TYPE_CHECKING:
    from simulated_world import World

SOURCE = "prometheus"
SEVERITIES = {"Outage": "critical", "Slow": "warning", "DiskFull": "critical"}
"""Of posted alerts, by their names."""
PER_HOUR, COOLDOWN = 3, 20.0
FOLLOW_EVERY = 1.0


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
                "checks": [_check("http", "critical"), _check("tcp", "warning")],
                "remedies": [remedy],
            },
            {
                "name": "api",
                "depends_on": ["db"],
                "checks": [_check("http", "warning"), _check("tcp", "info")],
                "remedies": [remedy] if variant != 1 else [],
            },
            {"name": "db", "checks": [_check("http", "critical"), _check("tcp", "critical")]},
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


def _check(kind: str, severity: str) -> dict[str, Any]:
    target = {"http": "http://127.0.0.1:1/"} if kind == "http" else {"tcp": "127.0.0.1:1"}
    return {"name": kind, "severity": severity, "fails_after": 1, "recovers_after": 1, **target}


@cache
def configuration(variant: int) -> Config:
    return effective(Config.model_validate(document(variant)))


@cache
def files(variant: int) -> list[tuple[str, str]]:
    """As the store keeps it. JSON is YAML."""
    return [("/etc/forewatch/forewatch.yaml", json.dumps(document(variant)))]


class Followed:
    """`forewatch.config.follow.Configuration` for one simulated process: what it knows may be a second old."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._looked_at: float | None = None
        self._known: tuple[int, Config] | None = None

    def current(self) -> tuple[int, Config]:
        now = self._world.loop.time()
        if self._known is None or self._looked_at is None or now - self._looked_at >= FOLLOW_EVERY:
            self._known, self._looked_at = self._world.newest, now
        return self._known
