"""What is odd, as a table for people: in the Prefect UI and on the command line."""

from __future__ import annotations

from collections.abc import Mapping

from forewatch.clock import iso, micros
from forewatch.detection.oddity import happened
from forewatch.reports.anomalies import learning, oddities_of
from forewatch.store import anomalies, detectors
from forewatch.store.engine import Store
from forewatch.store.series import Series

SHOWN = 86_400.0
"""Seconds that what is over is shown."""
MOST = 200


def anomaly_rows(store: Store, looked_at: Mapping[int, Series], now: int) -> list[dict[str, object]]:
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
