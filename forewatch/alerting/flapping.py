"""Flapping: an alert that comes and goes too often to tell people of each time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Flap:
    """When an alert fired lately, microseconds UTC, and since when it counts as flapping."""

    fingerprint: str
    fired_at: tuple[int, ...]
    flapping_since: int | None = None
