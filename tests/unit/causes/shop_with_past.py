"""Writes what a watch would have written, and raises alerts as it would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from forewatch.clock import micros
from forewatch.deciding import decide
from forewatch.incidents.events import AlertRaised
from forewatch.runtime import Runtime
from forewatch.store import points
from forewatch.store.points import Point

CHECK = {"http": "http://127.0.0.1:1/", "every": "10s", "timeout": "2s", "fails_after": 2}
SHOP = {
    "services": [
        {"name": "web", "depends_on": ["api"], "checks": [CHECK]},
        {"name": "api", "depends_on": ["db"], "checks": [CHECK]},
        {"name": "db", "checks": [CHECK]},
    ],
    "correlation": {"within": "5m"},
}
ALL = ("web", "api", "db")
EVERY = 10
PAST = 7800


@dataclass
class Shop:
    runtime: Runtime

    def quiet(self, seconds: int = PAST, **metrics: Mapping[str, float]) -> None:
        """Let time pass with all checks passing; `metrics` of a service are written beside."""
        self.measure(seconds, {}, metrics)

    def trouble(self, seconds: int, down: Mapping[str, float], **metrics: Mapping[str, float]) -> None:
        """Let time pass with checks of some services failing: service -> 0, or taking so many seconds."""
        self.measure(seconds, down, metrics)

    def measure(self, seconds: int, down: Mapping[str, float], metrics: Mapping[str, Mapping[str, float]]) -> None:
        clock = self.runtime.clock
        batch = []
        for number in range(seconds // EVERY):
            at = clock.now() + micros(number * EVERY)
            for name in ALL:
                labels = {"service": name, "check": "http", "instance": "default"}
                seconds_taken = down.get(name) or 0.05 + 0.001 * (number % 3)
                batch.append(Point("check.up", labels, name, at, 0.0 if down.get(name) == 0 else 1.0))
                batch.append(Point("check.duration", labels, name, at, seconds_taken))
                batch += [Point(metric, {}, name, at, value) for metric, value in metrics.get(name, {}).items()]
        with self.runtime.store.measure() as conn:
            points.write(conn, batch)
        clock.advance(seconds)  # type: ignore[attr-defined]

    def alert(self, service: str, **labels: str) -> None:
        now = self.runtime.clock.now()
        named = {"alertname": "CheckFailing", "service": service, "check": "http", "severity": "critical"}
        summary = {"summary": f"http of {service} fails"}
        event = AlertRaised(labels={**named, **labels}, annotations=summary, values={}, at=now)
        decide(self.runtime.store, event, config=self.runtime.configuration.current(), now=now)
