"""Grouping: alerts that are told together, when, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Notice:
    """What a notifier was told of a group last: fingerprints."""

    at: int
    firing: frozenset[str]
    resolved: frozenset[str]
