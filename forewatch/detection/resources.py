"""The kinds of things that can run out: built in, and from `capacities` of the configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from forewatch.alerting.matchers import Matcher, parse_matchers
from forewatch.config.base import Severity
from forewatch.config.detection import Capacity
from forewatch.config.models import Config

DISK = "system.filesystem.utilization"
DISK_ALERT = "DiskFullSoon"
CERTIFICATE = "check.certificate.left"
BUDGET = "objective.budget.left"

_DAY = 86400.0


class Words(NamedTuple):
    """`/var full in 3 h`, `at this growth /var is full on 14 Jan`."""

    soon: str
    later: str
    done: str


_FULL = Words("full", "is full", "is full")
_USED_UP = Words("used up", "is used up", "is used up")
_SATURATED = Words("saturated", "saturates", "is saturated")
_EXPIRES = Words("expires", "expires", "has expired")


@dataclass(frozen=True)
class Resource:
    """A kind of thing that can run out."""

    name: str
    metric: str
    alert: str
    thing: str
    """What it is called, with labels in braces: `inodes of {mountpoint}`."""
    limit: float | None = None
    limit_metric: str | None = None
    falling: bool = False
    """The limit is reached from above: what is measured is what is left."""
    countdown: bool = False
    """What is measured is the seconds left themselves: nothing to forecast."""
    match: tuple[Matcher, ...] = ()
    warn_within: float = _DAY
    severity: Severity = "warning"
    service: str | None = None
    words: Words = _USED_UP
    own: bool = False
    """From the configuration."""


BUILT_IN = (
    Resource("disk", DISK, DISK_ALERT, "{mountpoint}", 1.0, match=parse_matchers(['device!~"/dev/loop.*"']),
             words=_FULL),
    Resource("inodes", "system.filesystem.inodes.utilization", "InodesExhaustedSoon", "inodes of {mountpoint}", 1.0),
    Resource("memory", "system.memory.utilization", "MemoryExhaustedSoon", "memory", 1.0),
    Resource("swap", "system.paging.utilization", "SwapExhaustedSoon", "swap", 1.0),
    Resource("files", "system.open_file_descriptors", "FilesExhaustedSoon", "open files of the machine",
             limit_metric="system.open_file_descriptors.limit"),
    Resource("process-files", "process.open_file_descriptor.utilization", "FilesExhaustedSoon",
             "open files of {service} ({process})", 1.0),
    Resource("certificate", CERTIFICATE, "CertificateExpiredSoon", "certificate of {service}/{check}", 0.0,
             falling=True, countdown=True, warn_within=14 * _DAY, words=_EXPIRES),
    Resource("error-budget", BUDGET, "ErrorBudgetExhaustedSoon", "error budget of {service} ({objective})", 0.0,
             falling=True),
)  # fmt: skip


def resources(config: Config) -> list[Resource]:
    """Everything that is looked at: the configuration's own first."""
    return [*(_configured(one) for one in config.capacities), *BUILT_IN]


def _configured(capacity: Capacity) -> Resource:
    return Resource(
        capacity.name,
        capacity.metric,
        "".join(part.capitalize() for part in re.split(r"[._-]", capacity.name)) + "ExhaustedSoon",
        f"{capacity.name} of {{service}}",
        capacity.limit,
        capacity.limit_metric,
        match=tuple(parse_matchers(capacity.match)),
        warn_within=capacity.warn_within,
        severity=capacity.severity,
        service=capacity.service,
        words=_SATURATED,
        own=True,
    )
