"""What people write who come from other tools, and what it is called here, or what to use instead."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from forewatch.config.models import Check, Notifier, Route, Rule, Service
from forewatch.config.sources import Source

_CALLED: Mapping[type[BaseModel], Mapping[str, str]] = {
    Check: {
        "interval": "every", "period": "every", "frequency": "every", "schedule": "every", "url": "http",
        "https": "http", "port": "tcp", "cmd": "command", "script": "command", "exec": "command", "shell": "command",
        "tls_verify": "verify_tls", "insecure": "verify_tls", "insecure_skip_verify": "verify_tls", "ca_file": "ca",
        "cafile": "ca", "threshold": "fails_after", "failure_threshold": "fails_after",
        "success_threshold": "recovers_after", "priority": "severity", "expected": "expect", "cron": "heartbeat",
        "postgres": "sql", "postgresql": "sql", "mysql": "sql", "database": "sql", "ssl": "tls", "certificate": "tls",
    },
    Route: {
        "receiver": "notify", "receivers": "notify", "notifiers": "notify", "to": "notify", "matchers": "match",
        "match_re": "match", "mute_time_intervals": "mute", "active_time_intervals": "active", "delay": "hold",
    },
    Rule: {
        "expr": "metric", "name": "alert", "threshold": "above", "duration": "for", "range": "window",
        "interval": "window", "priority": "severity",
    },
    Service: {
        "team": "owner", "dependencies": "depends_on", "requires": "depends_on", "needs": "depends_on",
        "slo": "objectives", "slos": "objectives", "tags": "labels", "runbooks": "remedies", "actions": "remedies",
    },
    Source: {"prometheus": "alertmanager", "webhook": "json"},
    Notifier: {"terminal": "console", "stdout": "console", "http": "webhook", "type": "console or webhook"},
}  # fmt: skip

_MISSING: Mapping[type[BaseModel], tuple[str, Mapping[str, str]]] = {
    Check: (
        "check",
        {
            "redis": "tcp: HOST:6379 sees whether it accepts connections",
            "grpc": "tcp: HOST:PORT sees whether it accepts connections",
            "ping": "tcp: HOST:PORT sees whether it accepts connections",
            "icmp": "tcp: HOST:PORT sees whether it accepts connections",
            "udp": "command: [PROGRAM, ARGUMENT] runs a probe of yours",
            "smtp": "tcp: HOST:25 sees whether it accepts connections",
            "docker": "command: [PROGRAM, ARGUMENT] runs a probe of yours",
            "kubernetes": "command: [PROGRAM, ARGUMENT] runs a probe of yours",
        },
    ),
    Notifier: (
        "notifier",
        dict.fromkeys(
            (
                "slack", "email", "mail", "smtp", "pagerduty", "opsgenie", "telegram", "discord", "teams", "msteams",
                "ntfy", "pushover", "sms", "matrix", "mattermost", "victorops", "apprise",
            ),
            "webhook: {url: URL} posts JSON to what can pass it on (see docs/operations/notifications.md)",
        ),
    ),
}  # fmt: skip


def hint(key: str, model: type[BaseModel]) -> str | None:
    """What to write instead of a key another tool has; None for any other."""
    if called := _CALLED.get(model, {}).get(key):
        return f" (here it is called {called})"
    noun, missing = _MISSING.get(model, ("", {}))
    if instead := missing.get(key):
        return f": this version has no {key} {noun}; {instead}"
    return None
