"""The alert: labels, annotations and a time span, in Prometheus's model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Labels = Mapping[str, str]
Severity = Literal["critical", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
_SEVERITY: dict[str, Severity] = {severity: severity for severity in SEVERITIES}


@dataclass(frozen=True)
class Alert:
    """One firing episode; `id` is `AL-n`, `fingerprint` what makes the next episode the same alert."""

    id: str
    fingerprint: str
    labels: Labels
    annotations: Labels
    service: str
    severity: Severity
    status: Literal["firing", "resolved"]
    starts_at: int
    ends_at: int | None
    updated_at: int
    incident_id: str | None
    source: str = ""
    """Who sent it: the name of a source in the configuration; empty for our own checks, rules and forecasts."""
    generator_url: str = ""
    until: int | None = None
    """When it is over unless it is heard of again; None: only its source says so."""
    timeout: bool = False
    """`until` is our own patience, not what the sender said."""
    classification: str = "availability"
    ended: str = ""
    """Why it is over, where nobody saw that all is well: `no longer watched (last: down)`."""

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "")


def severity_of(labels: Labels) -> Severity:
    """What labels say of how bad it is. A word we do not know, and none at all, might be the worst: they count so."""
    return _SEVERITY.get(labels.get("severity", ""), "critical")


def at_least(severity: str, floor: str) -> bool:
    """Whether one severity is as severe as another, or more."""
    order: tuple[str, ...] = SEVERITIES
    return order.index(severity) >= order.index(floor)


def worst(severities: list[Severity]) -> Severity:
    """The most severe of some; `info` of none."""
    return max(severities, key=SEVERITIES.index, default="info")
