"""No data as an anomaly: nothing comes any more of a metric of a service, though it should, and we were there.

One series of several that goes (a disk, a network card) is no trouble of its own. Silence counts from when Forewatch
itself has measured without a break, at the earliest.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from dataclasses import replace

from sqlalchemy import Connection

from forewatch.clock import micros
from forewatch.detection.anomaly import silent
from forewatch.detection.episode import STUCK, Episode, fall_silent
from forewatch.series.anomaly_series import Expected
from forewatch.series.step_means import finished
from forewatch.store import points, series
from tasks.scoring.scored_series import Watched

BREAK = 120.0
"""Seconds without a sample of our own, above a few rounds, after which we had not been there."""
LOOK_BACK = 2 * 3600.0
"""Seconds; a break before that no longer matters."""

_OWN = ("forewatch.tick.lag", {"shift": "collect-metrics"})


def present_since(conn: Connection, now: int, every: float) -> int:
    """The end of the last break, 0 where there was none lately. `every`: seconds between two of our own samples."""
    own = series.find(conn, *_OWN)
    if not own:
        return 0
    start = now - micros(LOOK_BACK)
    times = [at for at, _ in points.between(conn, own[0].id, start, now)]
    if not times:
        return now
    longest = micros(max(BREAK, 4 * every))
    breaks = [later for earlier, later in itertools.pairwise([*times, now]) if later - earlier > longest]
    if breaks:
        return breaks[-1]
    return times[0] if times[0] - start > longest else 0


def silences(
    watched: Collection[Watched], expected: Expected, present: int, now: int
) -> Iterator[tuple[Watched, Episode]]:
    """Episodes that begin or end for silence. `present`: as `present_since` says."""
    speaking = {(one.series.service, one.series.metric) for one in watched if not silent(one.last_at, one.spacing, now)}
    for one in watched:
        if one.next < finished(now, one.step):
            continue
        if one.open is not None and _is_gone(one, expected, now):
            yield one, _ended(one, one.open, now)
        elif (
            (one.series.service, one.series.metric) not in speaking
            and (one.open is None or one.open.kind != "silent")
            and one.learned
            and now - one.last_at <= micros(STUCK)
            and silent(max(one.last_at, present), one.spacing, now)
            and expected(one.series)
        ):
            if one.open is not None:
                yield one, _ended(one, one.open, now)
            yield one, fall_silent(one.series.id, one.last_at)


def _is_gone(one: Watched, expected: Expected, now: int) -> bool:
    """Whether nothing will say that what goes on is over: a day without data, or nobody measures it any more."""
    if now - one.last_at > micros(STUCK):
        return True
    return silent(one.last_at, one.spacing, now) and not expected(one.series)


def _ended(one: Watched, episode: Episode, now: int) -> Episode:
    return replace(episode, end=now if episode.kind == "silent" else episode.last + micros(one.step))
