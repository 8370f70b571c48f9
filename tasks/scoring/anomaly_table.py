"""What is unusual, as a table for people: in the Prefect UI and on the command line."""

from __future__ import annotations

from collections.abc import Mapping

from forewatch.clock import iso, micros
from forewatch.detection.series_anomaly import happened
from forewatch.reports.anomalies import anomalies_of, learning
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
            "anomaly": one.episode.name,
            "service": one.service,
            "series": one.series,
            "since": iso(one.episode.start),
            "until": iso(one.episode.end) if one.episode.end is not None else "",
            "what": happened(one.metric, one.episode),
            "told": one.episode.told,
            "why": one.episode.reason,
            "said by people": one.episode.verdict or "",
        }
        for one in anomalies_of(found, looked_at)
    ]
    return [*rows, {"anomaly": "", "what": learning(looked_at, ready, now)}]
