"""`/metrics`: Forewatch's own numbers in Prometheus's text format, read from the store at every scrape."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from forewatch import __version__
from forewatch.clock import seconds
from forewatch.console.refusals import REASONS, Refusals
from forewatch.runtime import Runtime
from forewatch.store import alerts, check_states, components, incidents, outbox, runs, shifts


class StoreCollector:
    """Reads once a scrape. Names follow Prometheus's conventions: base units in the name."""

    def __init__(self, runtime: Runtime, refusals: Refusals) -> None:
        self._runtime = runtime
        self._refusals = refusals

    def collect(self) -> Iterator[Metric]:
        now = self._runtime.clock.now()
        info = GaugeMetricFamily("forewatch_build_info", "The version that runs.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info
        refused = CounterMetricFamily(
            "forewatch_requests_refused",
            "Requests for other hosts, of other sites' pages, or neither with a token nor JSON, since this start.",
            labels=["reason"],
        )
        for reason in REASONS:
            refused.add_metric([reason], self._refusals.counts[reason])
        yield refused
        with self._runtime.store.read() as conn:
            beat = GaugeMetricFamily("forewatch_shift_beat_age_seconds", "Since a shift's last beat.", labels=["shift"])
            term = GaugeMetricFamily("forewatch_shift_term", "How often a shift has changed hands.", labels=["shift"])
            for row in shifts.listing(conn):
                beat.add_metric([row.shift], max(0.0, seconds(now - row.beat_at)))
                term.add_metric([row.shift], row.term)
            yield from (beat, term)
            up = GaugeMetricFamily("forewatch_component_up", "Whether a part of Forewatch works.", labels=["component"])
            for part in components.listing(conn):
                up.add_metric([part.name], float(part.state == "ok"))
            yield up
            firing = GaugeMetricFamily("forewatch_alerts_firing", "Firing alerts.", labels=["severity"])
            by_severity = dict.fromkeys(("critical", "warning", "info"), 0)
            for alert in alerts.all_firing(conn):
                by_severity[alert.severity] += 1
            for severity, count in by_severity.items():
                firing.add_metric([severity], count)
            yield firing
            opened = GaugeMetricFamily("forewatch_incidents_open", "Incidents that are not resolved.")
            opened.add_metric([], len(incidents.listing(conn, open_only=True, limit=10_000)))
            yield opened
            oldest = outbox.oldest_due(conn, now)
            waiting = GaugeMetricFamily(
                "forewatch_outbox_oldest_due_seconds", "How long the oldest due notification has waited."
            )
            waiting.add_metric([], seconds(now - oldest) if oldest is not None else 0.0)
            yield waiting
            under_way = GaugeMetricFamily("forewatch_runs_under_way", "Runs that have not ended.")
            under_way.add_metric([], len(runs.under_way(conn)))
            yield under_way
        with self._runtime.store.read_metrics() as conn:
            checks = GaugeMetricFamily(
                "forewatch_check_up", "What a check said last.", labels=["service", "check", "instance"]
            )
            for state in check_states.get_all(conn):
                checks.add_metric(list(state.key), float(state.status == "up"))
            yield checks


class Exposition(Response):
    """Prometheus' text format."""

    media_type = CONTENT_TYPE_LATEST


def router(runtime: Runtime, refusals: Refusals) -> APIRouter:
    routes = APIRouter()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StoreCollector(runtime, refusals))

    @routes.get("/metrics", response_class=Exposition)
    async def metrics() -> Response:
        return Exposition(await runtime.store.run(generate_latest, registry))

    return routes
