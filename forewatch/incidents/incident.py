"""The incident: what people respond to, and the steps its life may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from forewatch.alerting.alert import Severity

Status = Literal["triggered", "acknowledged", "mitigated", "resolved"]

MAY_BECOME: dict[Status, frozenset[Status]] = {
    "triggered": frozenset({"acknowledged", "mitigated", "resolved"}),
    "acknowledged": frozenset({"mitigated", "resolved"}),
    "mitigated": frozenset({"triggered", "acknowledged", "resolved"}),
    "resolved": frozenset(),
}


@dataclass(frozen=True)
class Incident:
    """One open trouble of a group of services. Instants in microseconds UTC."""

    id: str
    group_key: str
    service: str
    title: str
    severity: Severity
    status: Status
    opened_at: int
    revision: int
    acknowledged_at: int | None = None
    acknowledged_by: str | None = None
    mitigated_at: int | None = None
    resolved_at: int | None = None
    resolution: str | None = None
    follows: str | None = None
    """The incident of the same trouble that ended shortly before it."""

    @property
    def open(self) -> bool:
        return self.status != "resolved"
