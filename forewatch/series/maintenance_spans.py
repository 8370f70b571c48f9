"""When which check was in maintenance, by calendar or by hand: what objectives do not count.

Maintenance by hand is a silence of the kind `maintenance` that holds for the check's own alert. Calendars are taken as
they are written now, for the past as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from forewatch.alerting.matchers import matches
from forewatch.alerting.times import Span, held
from forewatch.checking.results import CheckKey, monitors
from forewatch.config.models import Config
from forewatch.store import silences

Spans = dict[CheckKey, tuple[Span, ...]]
"""Of each check that had any, what was not counted: `start <= t < end`, in order, apart from each other."""


def maintained(conn: Connection, config: Config, start: int, end: int) -> Spans:
    """What lies within `start <= t < end`. `conn` is of `decisions.db`."""
    by_hand = [
        one for one in silences.listing(conn, ended_after=start) if one.kind == "maintenance" and one.starts_at < end
    ]
    times = {one.name: one for one in config.times}
    planned: dict[str, list[Span]] = {}
    found: Spans = {}
    if not by_hand and not any(service.maintenance for service in config.services):
        return found
    for monitor in monitors(config):
        key = monitor.key
        if key.service not in planned:
            service = config.service(key.service)
            names = service.maintenance if service is not None else ()
            planned[key.service] = [span for name in names for span in held(times[name], start, end)]
        spans = planned[key.service] + [
            (one.starts_at, one.ends_at + 1) for one in by_hand if matches(one.matchers, monitor.labels)
        ]
        if merged := merge(spans, start, end):
            found[key] = merged
    return found


def merge(spans: Iterable[Span], start: int, end: int) -> tuple[Span, ...]:
    """The same within `start <= t < end`, in order, without overlaps."""
    apart: list[Span] = []
    for begin, until in sorted((max(start, one), min(end, other)) for one, other in spans):
        if begin >= until:
            continue
        if apart and begin <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(until, apart[-1][1]))
        else:
            apart.append((begin, until))
    return tuple(apart)


def cut(spans: Sequence[Span], start: int, end: int) -> list[Span]:
    """What of them lies within `start <= t < end`."""
    return [(max(start, one), min(end, other)) for one, other in spans if one < end and other > start]
