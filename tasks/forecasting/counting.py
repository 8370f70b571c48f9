"""Which series are counters: by the configuration, else by their names, unless their values say otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from forewatch.clock import micros
from forewatch.config.known_metrics import METRICS
from forewatch.detection.counters import is_counter, shown_by
from forewatch.store import points, series
from forewatch.store.engine import Store

LOOKED_AT = 86_400.0
"""Seconds of the newest values that are looked at."""
MOST = 2_000
"""Values of a series that are looked at."""


def settle(store: Store, counters: Mapping[str, bool], now: int) -> int:
    """Note of every series whether it is a counter, where that has changed; returns of how many.

    What Forewatch measures itself is called what it is. What was once shown to be a gauge stays one, for a quiet day
    shows nothing. Raises StoreUnavailable.
    """
    changed: dict[int, bool | None] = {}
    with store.read_metrics() as conn:
        for one in series.all_series(conn):
            known = settled_by(counters, one.metric)
            if known is None and is_counter(one.metric) and one.metric not in METRICS:
                newest = points.newest(conn, one.id, MOST) if one.counter is not False else []
                recent = [sample for sample in newest if sample[0] > now - micros(LOOKED_AT)]
                known = False if one.counter is False else shown_by(one.metric, recent)
            if known != one.counter:
                changed[one.id] = known
    if changed:
        with store.measure() as conn:
            for number, counter in changed.items():
                series.set_counter(conn, number, counter)
    return len(changed)


def settled_by(counters: Mapping[str, bool], metric: str) -> bool | None:
    """What the configuration says: by the name itself, else by the first pattern that fits."""
    if metric in counters:
        return counters[metric]
    return next((counter for pattern, counter in counters.items() if fnmatchcase(metric, pattern)), None)
