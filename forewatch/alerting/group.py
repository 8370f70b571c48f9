"""The notification group: alerts of one route that agree in its `group_by` labels, told together on its ticks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from forewatch.alerting.alert import Alert


@dataclass(frozen=True)
class Group:
    """`key` names it here and to receivers. Instants in microseconds UTC."""

    key: str
    route: str
    """The place of its route in the configuration."""
    labels: Mapping[str, str]
    created_at: int
    next_at: int
    """Its next tick."""
    flushed_at: int | None = None
    """Its last tick."""


@dataclass(frozen=True)
class Member:
    """An alert in a group."""

    group: str
    alert: Alert
