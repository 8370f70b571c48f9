"""Load tests of the watched services: whose turn it is, what speaks against one now, and what a run says.

due ─ why_not ─ load ─ points and the run stored ─ judged against the runs before ─ PerformanceRegression or its end
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection

from forewatch.alerting.alert import Alert
from forewatch.alerting.times import within
from forewatch.clock import iso, micros
from forewatch.config.defaults import REGRESSION
from forewatch.config.detection import Benchmark
from forewatch.config.graph import Graph
from forewatch.config.models import Config
from forewatch.config.secrets import reveal
from forewatch.detection.regression import Judgement, Run, judge, sentence
from forewatch.errors import NotFound, TransitionRefused
from forewatch.home import Home
from forewatch.incidents.events import AlertCleared, AlertRaised, ChangeReported
from forewatch.load_tests.load import Load
from forewatch.load_tests.result import QUANTILES, Measured
from forewatch.store import alerts, benchmark_runs, changes, incident_services, points, silences
from forewatch.store.benchmark_runs import BenchmarkRun
from forewatch.store.engine import Store
from forewatch.store.points import Point

ALERT = REGRESSION
DURATION, THROUGHPUT, ERRORS = "benchmark.duration", "benchmark.throughput", "benchmark.errors.ratio"
REPEAT_AFTER = 3600.0
"""A run that stands out, or measured nothing, is repeated after this long at the latest, to see whether it was the
service or a bad moment: a moment that is bad lasts minutes."""
_LOOKED_BACK = 200
"""Runs read to compare with: the twenty before a regression that lasts for half a year of daily runs."""


@dataclass(frozen=True)
class Ran:
    """A run that was measured, stored and judged; `event` is what is to be processed, if anything."""

    run: BenchmarkRun
    judgement: Judgement
    text: str
    """What it says, in one line."""
    event: AlertRaised | AlertCleared | None = None


def find(config: Config, service: str, name: str | None = None) -> Benchmark:
    """A service's benchmark; without a name, its only one. Raises NotFound with those there are."""
    known = config.service(service)
    if known is None:
        raise NotFound(f"there is no service {service} in the configuration")
    found = [one for one in known.benchmarks if name is None or one.name == name]
    if len(found) == 1:
        return found[0]
    there = ", ".join(one.name for one in known.benchmarks)
    if not there:
        raise NotFound(f"{service} has no benchmarks (add some under services[].benchmarks)")
    raise NotFound(f"{service} has {'no such benchmark' if name else 'several benchmarks'}: name one of {there}")


def due(store: Store, config: Config, now: int) -> list[tuple[str, Benchmark]]:
    """Those whose turn it is, the longest overdue first."""
    with store.read_metrics() as conn:
        last = benchmark_runs.last_at(conn)
        waiting = []
        for service in config.services:
            for one in service.benchmarks:
                at = last.get((service.name, one.name))
                # One from the future was made before the clock was set back.
                next_at = 0 if at is None or at > now else at + micros(_pause(conn, service.name, one))
                if next_at <= now:
                    waiting.append((next_at, service.name, one))
    return [(service, one) for _, service, one in sorted(waiting, key=lambda found: found[:2])]


def why_not(store: Store, config: Config, service: str, now: int) -> str | None:
    """Why no load is put on a service now: a clause, or None where nothing speaks against it.

    Trouble or maintenance of the service or of what it depends on: the load would make it worse, and measure nothing.
    """
    needed = [service, *Graph(config).dependencies(service)]
    times = {one.name: one for one in config.times}
    with store.read() as conn:
        for incident, of, _ in incident_services.open_with(conn, needed):
            # Where its own alerts alone still fire, they must not keep the load away that shows when they are over.
            firing = alerts.firing_in(conn, incident.id)
            if not firing or any(one.name != ALERT for one in firing):
                return f"{incident.id} of {of} is open"
        for name in needed:
            for silence in silences.matching(conn, {"service": name, "alertname": ALERT}, now):
                if silence.kind == "maintenance":
                    return f"{name} is in maintenance until {iso(silence.ends_at)}"
            known = config.service(name)
            for window in known.maintenance if known is not None else ():
                if within(times[window], now):
                    return f"{name} is in planned maintenance ({window})"
    return None


def load_of(benchmark: Benchmark) -> Load:
    """The load a benchmark stands for. Raises SecretError where one of its secrets cannot be read."""
    return Load(
        url=reveal(benchmark.url),
        rate=benchmark.rate,
        duration=benchmark.duration,
        timeout=benchmark.timeout,
        method=benchmark.method,
        headers={name: reveal(value) for name, value in benchmark.headers.items()},
        body=benchmark.body,
    )


def record(store: Store, config: Config, service: str, benchmark: Benchmark, measured: Measured, now: int) -> Ran:
    """Store what was measured, judge it against the runs before, and say what is to be processed."""
    kind = _identity(benchmark)
    with store.read_metrics() as conn:
        before = benchmark_runs.newest(conn, service, benchmark.name, _LOOKED_BACK)
    past: dict[str, Any] = dict(before[-1].judgement) if before else {}
    base, since = past.get("base", 0), past.get("since")
    run = BenchmarkRun(service, benchmark.name, measured.at, kind, measured.as_json(), {})
    if measured.trustworthy:
        alike = [one for one in before if one.load == kind and one.at >= base and one.measured["trustworthy"]]
        found = judge([compared(one) for one in (*alike, run)], slower=benchmark.slower, since=since)
        since = found.since
    else:
        found = Judgement("unsure", _why_untrustworthy(measured), since=since)
    marker = _marker(store, service, found)
    text = sentence(found, after=marker)
    said = {"state": found.state, "reason": text, "since": since, "base": base}
    run = replace(run, judgement=said)
    with store.measure() as conn:
        number = benchmark_runs.add(conn, run)
        if measured.trustworthy:
            points.write(conn, _points(service, benchmark.name, measured))
    event = _event(store, config, service, benchmark, found, text, now) if measured.trustworthy else None
    return Ran(replace(run, id=number), found, text, event)


def compared(run: BenchmarkRun) -> Run:
    """What the comparison looks at of a stored run."""
    quantiles = run.measured["quantiles"]
    return Run(run.at, quantiles.get("p50"), quantiles.get("p95"), quantiles.get("p99"), run.measured["error_ratio"])


def accept(store: Store, service: str, benchmark: str, who: str, now: int) -> AlertCleared | None:
    """A person says that this is how it is now: later runs are compared with those since it became slower.

    The end of its alert, where one fires. Raises TransitionRefused where it is not slower.
    """
    with store.measure() as conn:
        runs = benchmark_runs.newest(conn, service, benchmark, 1)
        since = runs[-1].judgement.get("since") if runs else None
        if since is None or runs[-1].id is None:
            raise TransitionRefused(f"{service}/{benchmark} is not slower than it was: there is nothing to accept")
        reason = f"{who} says that this is how it is now"
        benchmark_runs.judge(conn, runs[-1].id, {"state": "steady", "reason": reason, "since": None, "base": since})
    firing = _firing(store, service, benchmark)
    return None if firing is None else AlertCleared(firing.labels, now, {"reason": reason})


def unwatched(store: Store, config: Config, now: int) -> list[AlertCleared]:
    """The ends of alerts whose benchmark is no longer in the configuration."""
    known = {(service.name, one.name) for service in config.services for one in service.benchmarks}
    with store.read() as conn:
        firing = [one for one in alerts.firing_where(conn, {"alertname": ALERT}) if not one.source]
    return [
        AlertCleared(one.labels, now, {"reason": "this benchmark is no longer configured"}, unwatched=True)
        for one in firing
        if (one.labels.get("service", ""), one.labels.get("benchmark", "")) not in known
    ]


@contextmanager
def one_at_a_time(home: Home) -> Iterator[bool]:
    """Whether no other process of this machine puts a load on anything now; none will until the end of the block."""
    with (home.run / "benchmark.lock").open("w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def change_in_words(change: ChangeReported) -> str:
    """`web 1.4.2 was deployed (2026-11-03 14:05Z)`."""
    return f"{change.summary} ({iso(change.at)[:16].replace('T', ' ')}Z)"


def _pause(conn: Connection, service: str, benchmark: Benchmark) -> float:
    """Seconds from one run to the next."""
    runs = benchmark_runs.newest(conn, service, benchmark.name, 1)
    again = bool(runs) and runs[-1].judgement.get("state") in ("suspect", "unsure")
    return min(benchmark.every, REPEAT_AFTER) if again else benchmark.every


def _identity(benchmark: Benchmark) -> dict[str, Any]:
    """What makes two runs comparable. Headers are left out: tokens change."""
    body = hashlib.sha256(benchmark.body.encode()).hexdigest()[:16] if benchmark.body is not None else None
    kept = {"url": str(benchmark.url), "method": benchmark.method.upper(), "body": body}
    return {**kept, "rate": benchmark.rate, "duration": benchmark.duration, "timeout": benchmark.timeout}


def _why_untrustworthy(measured: Measured) -> str:
    if measured.stopped:
        return "stopped before its end, and so not compared"
    if not measured.answered:
        return "nothing was answered, and so nothing is compared"
    late = f"{measured.lateness * 1000:.0f} ms"
    return f"not compared: the load generator itself was late by {late} (p99), so this machine was too busy to measure"


def _points(service: str, benchmark: str, measured: Measured) -> list[Point]:
    labels = {"benchmark": benchmark}
    found = [
        Point(DURATION, {**labels, "quantile": name}, service, measured.at, value)
        for name, value in measured.quantiles().items()
        if name in QUANTILES
    ]
    found.append(Point(THROUGHPUT, labels, service, measured.at, measured.throughput))
    found.append(Point(ERRORS, labels, service, measured.at, measured.error_ratio))
    return found


def _marker(store: Store, service: str, found: Judgement) -> str:
    """The last change reported between the last run before it became slower and the first after."""
    if found.since is None or found.until is None:
        return ""
    with store.read() as conn:
        reported = [one for one in changes.between(conn, found.until, found.since) if one.service in (service, None)]
    return change_in_words(reported[-1]) if reported else ""


def _firing(store: Store, service: str, benchmark: str) -> Alert | None:
    wanted = {"alertname": ALERT, "service": service, "benchmark": benchmark}
    with store.read() as conn:
        return next((one for one in alerts.firing_where(conn, wanted) if not one.source), None)


def _event(
    store: Store, config: Config, service: str, benchmark: Benchmark, found: Judgement, text: str, now: int
) -> AlertRaised | AlertCleared | None:
    firing = _firing(store, service, benchmark.name)
    if found.state == "slower" and firing is None:
        known_by = {"alertname": ALERT, "service": service, "benchmark": benchmark.name, "severity": benchmark.severity}
        labels = {**config.alert_labels(service), **known_by}
        what = "errors: " if found.worst is not None and found.worst.measure == "errors" else ""
        values: dict[str, Any] = {"since": found.since, "runs": found.newest, "compared_with": found.before}
        values |= {one.measure: asdict(one) for one in found.changes}
        return AlertRaised(labels, {"summary": f"{benchmark.name}: {what}{text}"}, now, values)
    if found.state in ("steady", "young") and firing is not None:
        return AlertCleared(firing.labels, now, {"reason": found.reason})
    return None
