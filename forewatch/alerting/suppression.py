"""Why somebody is not told of an alert that fires: each reason has a name, and rests on something that ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SuppressionKind = Literal[
    "silence",
    "maintenance",
    "inhibition",
    "dependency",
    "flapping",
    "aftermath",
    "checking",
    "mute_time_interval",
    "active_time_interval",
]
HOLDS_AUTOMATION: frozenset[SuppressionKind] = frozenset({"maintenance", "dependency", "checking"})
"""Where these hold, no remedy acts: people work on it, the cause lies elsewhere, or it may be over."""


@dataclass(frozen=True)
class Suppression:
    """`by`: the silence, the alert or the name of the times it rests on. `text` is a clause: "silenced by ..."."""

    kind: SuppressionKind
    by: str
    text: str
    until: int | None = None
    """When it ends by itself, microseconds UTC; None: with what it rests on."""


@dataclass(frozen=True)
class Withheld:
    """An alert that a route tells nobody of, for now. `route` is empty where it holds for all routes."""

    alert_id: str
    route: str
    since: int
    reasons: tuple[Suppression, ...]
