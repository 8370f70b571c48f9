"""The graph of `depends_on`: who stands on whom, directly or through others."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from forewatch.config.models import Config

Edges = Mapping[str, tuple[str, ...]]


class Graph:
    """Look-ups over the services of one configuration. A cycle, which the configuration refuses, would do no harm."""

    def __init__(self, config: Config) -> None:
        self._down: dict[str, tuple[str, ...]] = {one.name: tuple(one.depends_on) for one in config.services}
        up: dict[str, list[str]] = {}
        for name, needed in self._down.items():
            for other in needed:
                up.setdefault(other, []).append(name)
        self._up: dict[str, tuple[str, ...]] = {name: tuple(others) for name, others in up.items()}
        self._known: dict[tuple[str, str], tuple[str, ...]] = {}

    def dependencies(self, service: str) -> tuple[str, ...]:
        """All it needs, the nearest first."""
        return self._reached("down", self._down, service)

    def dependants(self, service: str) -> tuple[str, ...]:
        """All that need it, the nearest first."""
        return self._reached("up", self._up, service)

    def joined(self, service: str) -> tuple[str, ...]:
        """Those it may pull down or be pulled down by."""
        return (*self.dependencies(service), *self.dependants(service))

    def _reached(self, way: str, edges: Edges, service: str) -> tuple[str, ...]:
        known = self._known.get((way, service))
        if known is None:
            known = self._known[way, service] = _breadth_first(edges, service)
        return known


def _breadth_first(edges: Edges, start: str) -> tuple[str, ...]:
    seen = {start: None}
    waiting = deque([start])
    while waiting:
        for other in edges.get(waiting.popleft(), ()):
            if other not in seen:
                seen[other] = None
                waiting.append(other)
    return tuple(seen)[1:]
