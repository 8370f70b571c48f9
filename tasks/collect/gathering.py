"""What one round of one collector brings home: points, and plain sentences about what it could not get."""

from __future__ import annotations

from dataclasses import dataclass, field

from forewatch.store.points import Point

HOST = "host"
"""The service all metrics of the machine itself belong to."""


@dataclass
class Gathering:
    now: int
    points: list[Point] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, metric: str, value: float, service: str = HOST, **labels: str) -> None:
        self.points.append(Point(metric, labels, service, self.now, float(value)))
