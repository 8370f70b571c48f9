"""Stored anomalies as people look at them: with the series they are on, and what is not known yet."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from forewatch.clock import seconds
from forewatch.detection.episode import Episode
from forewatch.detection.rules import HOST
from forewatch.detection.series_anomaly import Anomaly
from forewatch.store.series import Series
from forewatch.units import format_duration


def anomalies_of(episodes: Iterable[Episode], known: Mapping[int, Series]) -> list[Anomaly]:
    """Episodes with the series they are on; those of series that are gone are left out."""
    return [
        Anomaly(one, found.metric, found.labels, found.service or HOST)
        for one in episodes
        if (found := known.get(one.series_id)) is not None
    ]


def learning(looked_at: Collection[int], ready: Mapping[int, int], now: int) -> str:
    """`40 series are known; 12 more are still being learned, the first of them for another 5h`.

    `ready`: when each series has learned enough, as far as it has begun to.
    """
    unknown = [number for number in looked_at if ready.get(number, now + 1) > now]
    known = len(looked_at) - len(unknown)
    said = f"{known} series are known" if known != 1 else "1 series is known"
    if not unknown:
        return f"{said}: anything unusual on any of them is reported"
    coming = [ready[number] for number in unknown if number in ready]
    said += f"; {len(unknown)} more {'are' if len(unknown) > 1 else 'is'} still being learned"
    if coming:
        left = max(60.0, seconds(min(coming) - now))
        span = format_duration(left // 3600 * 3600 if left >= 7200 else left // 60 * 60)
        said += f", the first of them for another {span}"
    return f"{said}: nothing is reported for them yet"
