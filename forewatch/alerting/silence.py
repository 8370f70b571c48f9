"""Silences: alerts nobody wants to be told of for a while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from forewatch.alerting.matchers import Matcher


@dataclass(frozen=True)
class Silence:
    """`id` is a UUID; instants in microseconds UTC."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: int
    ends_at: int
    created_by: str
    comment: str
    updated_at: int
    kind: Literal["silence", "maintenance"] = "silence"
    annotations: Mapping[str, str] = field(default_factory=dict)
