"""Who depends on whom, as index pairs: reach, cycles, and the widest path. Edges may form cycles.

Tarjan, "Depth-first search and linear graph algorithms", 1972 (components); Pollack, "The maximum capacity through a
network", 1960 (widest path, found here in Dijkstra's order).
"""

from __future__ import annotations

import copy
import heapq
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Graph:
    """Services by name in ascending order, and which of them calls which."""

    def __init__(self, services: Iterable[str], depends_on: Mapping[str, Iterable[str]]) -> None:
        """Every name on either side of a dependency is a service too; one on itself says nothing and is left out."""
        calls = {caller: set(callees) for caller, callees in depends_on.items()}
        self.services = tuple(sorted({*services, *calls, *(name for callees in calls.values() for name in callees)}))
        self.place = {name: number for number, name in enumerate(self.services)}
        self._connect(
            {(self.place[caller], self.place[callee]) for caller, callees in calls.items() for callee in callees}
        )

    def _connect(self, pairs: Iterable[tuple[int, int]]) -> None:
        ordered = sorted((caller, callee) for caller, callee in pairs if caller != callee)
        self.callers: Ints = np.array([caller for caller, _ in ordered], dtype=np.int64)
        self.callees: Ints = np.array([callee for _, callee in ordered], dtype=np.int64)
        self.below: list[list[int]] = [[] for _ in self.services]
        for caller, callee in ordered:
            self.below[caller].append(callee)
        component = _components(self.below)
        self.circular = component[self.callers] == component[self.callees]
        """Per edge: whether calls lead from its callee back to its caller."""

    @property
    def edges(self) -> set[tuple[int, int]]:
        """As (caller, callee)."""
        return set(zip(self.callers.tolist(), self.callees.tolist(), strict=True))

    def of_edges(self, edges: Iterable[tuple[int, int]]) -> Graph:
        """The same services, calling each other otherwise."""
        other = copy.copy(self)
        other._connect(edges)
        return other

    def past(self, unseen: NDArray[np.bool_]) -> Graph:
        """The same with calls through unseen services as calls of their callers: A, unseen, B becomes A, B."""
        if not unseen[self.callees].any() or not unseen[self.callers].any():
            return self
        edges = self.edges
        for middle in np.flatnonzero(unseen).tolist():
            callers = [caller for caller, callee in edges if callee == middle]
            callees = [callee for caller, callee in edges if caller == middle]
            edges.update((caller, callee) for caller in callers for callee in callees)
        return self.of_edges(edges)

    def depths(self, start: int) -> Ints:
        """Calls from `start` down to each service, -1 where none lead."""
        found = np.full(len(self.services), -1, dtype=np.int64)
        found[start] = 0
        waiting = deque([start])
        while waiting:
            at = waiting.popleft()
            for callee in self.below[at]:
                if found[callee] < 0:
                    found[callee] = found[at] + 1
                    waiting.append(callee)
        return found

    def tops(self, chosen: Sequence[int]) -> list[int]:
        """Those of `chosen` that none of the others depends on; where they depend on each other, all of these."""
        reached = {one: self.depths(one) >= 0 for one in chosen}
        return [
            one
            for one in sorted(reached)
            if not any(reached[other][one] and not reached[one][other] for other in reached)
        ]

    def widest(self, start: int, width: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[int]]:
        """For each service the best path from `start`: its narrowest service's width, and the service before it.

        A service that is not reached has width -1 and stands before itself, as `start` does. Among equally wide paths
        the shortest, then the first by name.
        """
        best = np.full(len(self.services), -1.0)
        before = list(range(len(self.services)))
        heap = [(-float(width[start]), 0, start, start)]
        while heap:
            narrowest, steps, at, came_from = heapq.heappop(heap)
            if best[at] >= 0:
                continue
            best[at], before[at] = -narrowest, came_from
            for callee in self.below[at]:
                if best[callee] < 0:
                    heapq.heappush(heap, (max(narrowest, -float(width[callee])), steps + 1, callee, at))
        return best, before


def path_to(before: Sequence[int], service: int) -> list[int]:
    """The services of a widest path, from its start down to `service`."""
    path = [service]
    while before[path[-1]] != path[-1]:
        path.append(before[path[-1]])
    return path[::-1]


def _components(below: Sequence[Sequence[int]]) -> Ints:
    """The strongly connected component of each node. Without recursion: a chain may be longer than the stack."""
    order = [-1] * len(below)
    low = [0] * len(below)
    component = np.full(len(below), -1, dtype=np.int64)
    open_nodes: list[int] = []
    counted = 0
    for root in range(len(below)):
        if order[root] >= 0:
            continue
        walk = [(root, iter(below[root]))]
        order[root] = low[root] = counted
        counted += 1
        open_nodes.append(root)
        while walk:
            node, rest = walk[-1]
            for following in rest:
                if order[following] < 0:
                    order[following] = low[following] = counted
                    counted += 1
                    open_nodes.append(following)
                    walk.append((following, iter(below[following])))
                    break
                if component[following] < 0:
                    low[node] = min(low[node], order[following])
            else:
                walk.pop()
                if walk:
                    low[walk[-1][0]] = min(low[walk[-1][0]], low[node])
                if low[node] == order[node]:
                    while component[node] < 0:
                        component[open_nodes.pop()] = node
    return component
