"""Whose rise is whose: taking the rise of called services out of their callers, and guessing calls nobody declared."""

from __future__ import annotations

import numpy as np

from forewatch.incidents.causes.graph import Graph
from forewatch.incidents.causes.telemetry import Floats

FOLLOWS = 2.0
"""In a cycle of calls, how many times the caller's rise one further up must have risen to be thought its source."""
RISEN = 0.5
"""From this certainty on a service counts as risen."""
WORTH_IT = 0.1
"""No call is guessed for less than this share of the rise at the alarm."""
LIKE = 0.6
"""How near a caller's unexplained rise must be to the rise of a service for which no caller is known."""
SMALLER = 0.8
"""A caller waits for the service it calls, so it usually spends at least this much of the seconds that one does."""
MOST = 5
"""Calls guessed for one alarm. More are missing where nobody keeps the graph, and then guesses are no help."""


def taken_out(graph: Graph, top: int, excess: Floats, certain: Floats, calls: Floats | float = 1.0) -> Floats:
    """Per service the excess of the services it calls, as far as it is certain that these have risen.

    Where calls go round in a circle both ends of an edge hold the same requests, and to take each out of the other
    would clear both. There a rise is taken to come from further down, as seen from the alarm, unless one further up is
    much larger.
    """
    risen = np.maximum(excess, 0.0) * certain
    counts = np.ones(len(graph.callers), dtype=np.bool_)
    if graph.circular.any():
        depth = graph.depths(top)
        down = depth[graph.callees] > depth[graph.callers]
        counts = ~graph.circular | down | (excess[graph.callees] > FOLLOWS * excess[graph.callers])
    return np.bincount(
        graph.callers[counts], weights=(risen[graph.callees] * calls)[counts], minlength=len(graph.services)
    ).astype(np.float64)


def undeclared(graph: Graph, top: int, excess: Floats, certain: Floats, seconds: Floats) -> frozenset[tuple[int, int]]:
    """Calls (caller, callee) that are missing in the graph, as far as the rises tell.

    A service that has risen though no path of risen services leads to it, beside a service on such a path whose rise
    nothing explains and is about as large: the one most likely calls the other. `seconds` is what each usually spends.
    """
    guessed: set[tuple[int, int]] = set()
    for _ in range(MOST):
        found = _guess(graph, top, excess, certain, seconds)
        if found is None:
            break
        guessed.add(found)
        graph = graph.of_edges({*graph.edges, found})
    return frozenset(guessed)


def _guess(graph: Graph, top: int, excess: Floats, certain: Floats, seconds: Floats) -> tuple[int, int] | None:
    worth = (certain >= RISEN) & (excess >= WORTH_IT * excess[top])
    width, _ = graph.widest(top, certain)
    orphans = np.flatnonzero(worth & (width < RISEN))
    if not orphans.size or excess[top] <= 0:
        return None
    unexplained = excess - taken_out(graph, top, excess, certain)
    callers = np.flatnonzero(worth & (width >= RISEN) & (unexplained >= WORTH_IT * excess[top]))
    best, chosen = LIKE, None
    for orphan in orphans.tolist():
        above = graph.callers[graph.callees == orphan]
        if (worth[above] & (excess[above] >= LIKE * excess[orphan])).any():
            continue
        below = graph.depths(orphan)
        for caller in callers.tolist():
            like = min(unexplained[caller], excess[orphan]) / max(unexplained[caller], excess[orphan])
            if like > best and below[caller] < 0 and seconds[caller] >= SMALLER * seconds[orphan]:
                best, chosen = like, (caller, orphan)
    return chosen
