"""What is odd, as a table for people: in the Prefect UI and on the command line."""

from __future__ import annotations

from collections.abc import Mapping

from forewatch.clock import iso, micros, seconds
from forewatch.detection.episode import Level
from forewatch.detection.oddity import happened
from forewatch.store import anomalies, detectors
from forewatch.store.engine import Store
from forewatch.store.series import Series
from forewatch.units import format_duration
from tasks.scoring.telling import oddities_of

SHOWN = 86_400.0
"""Seconds that what is over is shown."""
MOST = 200


def anomaly_rows(store: Store, looked_at: Mapping[int, tuple[Series, Level]], now: int) -> list[dict[str, object]]:
    """The newest first; then how many series are as usual, and how many are still being learned."""
    with store.read_metrics() as conn:
        found = anomalies.since(conn, now - micros(SHOWN))[::-1][:MOST]
        ready = detectors.readiness(conn)
    rows: list[dict[str, object]] = [
        {
            "anomaly": odd.episode.name,
            "service": odd.service,
            "series": odd.series,
            "since": iso(odd.episode.start),
            "until": iso(odd.episode.end) if odd.episode.end is not None else "",
            "what": happened(odd.metric, odd.episode),
            "told": odd.episode.told,
            "why": odd.episode.reason,
            "said by people": odd.episode.verdict or "",
        }
        for odd in oddities_of(found, looked_at)
    ]
    return [*rows, {"anomaly": "", "what": learning(looked_at, ready, now)}]


def learning(looked_at: Mapping[int, object], ready: Mapping[int, int], now: int) -> str:
    """`40 series are looked at; 12 more are still being learned, the next is known in 5h`."""
    known = [number for number in looked_at if ready.get(number, now + 1) <= now]
    coming = sorted(ready[number] for number in looked_at if ready.get(number, now) > now)
    said = f"{len(known)} series are looked at"
    if len(known) < len(looked_at):
        said += f"; {len(looked_at) - len(known)} more are still being learned"
        if coming:
            said += f", the next is known in {format_duration(round(seconds(coming[0] - now), -1))}"
    return said
