"""Which metrics there are, who writes them, and how often: what a rule or a capacity can look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from forewatch.config.defaults import IMPLICIT_SERVICES
from forewatch.config.models import Config, Service

HOST = (
    "system.cpu.load_average.15m", "system.cpu.load_average.1m", "system.cpu.load_average.5m",
    "system.cpu.logical.count", "system.cpu.utilization", "system.disk.io", "system.disk.operations",
    "system.filesystem.inodes.utilization", "system.filesystem.readonly", "system.filesystem.usage",
    "system.filesystem.utilization",
    "system.memory.limit", "system.memory.usage", "system.memory.utilization", "system.network.dropped",
    "system.network.errors", "system.network.io", "system.network.packets", "system.open_file_descriptors",
    "system.open_file_descriptors.limit", "system.paging.usage", "system.paging.utilization", "system.process.count",
)  # fmt: skip
SMART = "system.disk.smart."
"""What disks tell of themselves; the names are theirs."""
PROCESSES = (
    "process.count", "process.cpu.utilization", "process.memory.usage", "process.open_file_descriptor.count",
    "process.open_file_descriptor.utilization", "process.restarts", "process.thread.count", "process.uptime",
)  # fmt: skip
CHECKS = ("check.duration", "check.up")
PHASES = ("check.phase.duration",)
CERTIFICATES = ("check.certificate.left",)
UNITS = ("check.unit.restarts",)
IN_TIME = ("check.in_time.ratio",)
OBJECTIVES = ("objective.budget.left",)
BENCHMARKS = ("benchmark.duration", "benchmark.errors.ratio", "benchmark.throughput")
OWN = (
    "forewatch.ballast.held", "forewatch.collector.up", "forewatch.cpu.utilization", "forewatch.inbox.oldest.age",
    "forewatch.memory.usage", "forewatch.outbox.oldest.age", "forewatch.process.count", "forewatch.runs.oldest.age",
    "forewatch.store.size", "forewatch.tick.lag",
)  # fmt: skip

_HOURLY, _TEN_MINUTES, _MINUTE = 3600.0, 600.0, 60.0
_NEEDS: Mapping[str, str] = {
    **dict.fromkeys(HOST, "metrics: {host: true}"),
    **dict.fromkeys(PROCESSES, "processes:"),
    **dict.fromkeys(CHECKS, "checks:"),
    **dict.fromkeys(PHASES, "an http check"),
    **dict.fromkeys(CERTIFICATES, "a tls check or one of https"),
    **dict.fromkeys(UNITS, "a systemd check"),
    **dict.fromkeys(IN_TIME, "an objective of latency"),
    **dict.fromkeys(OBJECTIVES, "objectives:"),
    **dict.fromkeys(BENCHMARKS, "benchmarks:"),
    **dict.fromkeys(OWN, ""),
}
METRICS = tuple(_NEEDS)
"""Every metric with a name of ours."""


def needs(metric: str) -> str | None:
    """What in the configuration has the metric written; None for a name nothing ever writes."""
    return "" if metric.startswith(SMART) else _NEEDS.get(metric)


class Writers:
    """Who writes which metric under a configuration."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._services = {service.name: service for service in config.services}

    def written(self, metric: str, service: str | None = None) -> bool:
        """Whether anything writes it: of that service, or of any."""
        host, own = IMPLICIT_SERVICES
        if metric in HOST or metric.startswith(SMART):
            return self._config.metrics.host and service in (None, host)
        if metric in OWN:
            return service in (None, own)
        return any(_writes(one, metric) for one in self._asked(service))

    def cadence(self, metric: str, service: str | None = None) -> float:
        """Seconds from one value of a series to the next, at best."""
        every = self._config.metrics.every
        if metric in CHECKS or metric in IN_TIME:
            return min((check.every for one in self._asked(service) for check in one.checks), default=every)
        if metric in BENCHMARKS:
            return min((load.every for one in self._asked(service) for load in one.benchmarks), default=_HOURLY)
        if metric in CERTIFICATES:
            return _TEN_MINUTES
        if metric in PHASES:
            return _MINUTE
        return _HOURLY if metric.startswith(SMART) else every

    def _asked(self, service: str | None) -> Iterable[Service]:
        if service is None:
            return self._config.services
        return (self._services[service],) if service in self._services else ()


def _writes(service: Service, metric: str) -> bool:
    if metric in PROCESSES:
        return bool(service.processes) or any(check.process is not None for check in service.checks)
    if metric in CHECKS:
        return bool(service.checks)
    if metric in PHASES:
        return any(check.http is not None for check in service.checks)
    if metric in CERTIFICATES:
        return any(check.tls is not None or (check.http or "").startswith("https:") for check in service.checks)
    if metric in UNITS:
        return any(check.systemd is not None for check in service.checks)
    if metric in IN_TIME:
        return any(objective.latency is not None for objective in service.objectives)
    if metric in OBJECTIVES:
        return bool(service.objectives)
    return metric in BENCHMARKS and bool(service.benchmarks)
