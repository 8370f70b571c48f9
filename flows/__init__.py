"""WHEN: Prefect flows and their schedules. One flow a file, short, reads like a paragraph."""

from __future__ import annotations

from typing import Any

from prefect.flows import Flow

from flows.benchmark import benchmark
from flows.check_health import check_health
from flows.collect_metrics import collect_metrics
from flows.forecast import forecast
from flows.housekeeping import housekeeping
from flows.page_people import page_people
from flows.respond import respond

FORECAST_EVERY = 300.0


def all_flows(
    shift_length: float, benchmarks_every: float | None = None
) -> list[tuple[Flow[..., Any], float | str | None, str]]:
    """Every flow with its schedule (seconds, a cron line, None for on demand) and where it is (`module:attribute`)."""
    return [
        (check_health, shift_length, "flows.check_health:check_health"),
        (collect_metrics, shift_length, "flows.collect_metrics:collect_metrics"),
        (page_people, shift_length, "flows.page_people:page_people"),
        (respond, None, "flows.respond:respond"),
        (forecast, FORECAST_EVERY, "flows.forecast:forecast"),
        (benchmark, benchmarks_every, "flows.benchmark:benchmark"),
        (housekeeping, "17 3 * * *", "flows.housekeeping:housekeeping"),
    ]
