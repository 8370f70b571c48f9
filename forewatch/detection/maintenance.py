"""Predictive maintenance: what wears out, leaks or drifts, by which date somebody should see to it, and why.

Nothing here raises an alert: it is work for office hours, most urgent first.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from forewatch.alerting.alert import Labels
from forewatch.clock import iso, micros, seconds
from forewatch.detection.capacity import day
from forewatch.detection.exhaustion import exhaustion
from forewatch.detection.grid import LARGEST, Vector
from forewatch.detection.quantity import show
from forewatch.detection.slopes import theil_sen
from forewatch.detection.statistics import Sample, Samples, clean
from forewatch.detection.trend import daily, trend
from forewatch.units import format_bytes, format_duration

Kind = Literal["disk", "certificate", "restarts", "remedies", "leak", "errors"]

UPTIME, MEMORY, MEMORY_LIMIT = "process.uptime", "process.memory.usage", "system.memory.limit"
UP, CERTIFICATE = "check.up", "check.certificate.left"
READABLE, PASSED, WEAR, SECTORS = (f"system.disk.smart.{part}" for part in ("readable", "passed", "wear", "sectors"))
METRICS = (UPTIME, MEMORY, MEMORY_LIMIT, UP, CERTIFICATE, READABLE, PASSED, WEAR, SECTORS)
"""What is looked at."""

LOOKED_AT = 28 * 86400.0
FINE = 300.0
"""Seconds of a step of the samples of `UPTIME`; those of the others may be as wide as an hour."""

_DAY, _WEEK = 86400.0, 7 * 86400.0
_OFTEN = 3
"""Times within a week from which restarts are worth a look."""
_CERTIFICATE_SOON = 30 * _DAY
_WEAR_SOON = 180 * _DAY
_WORN = 0.9
_LEAK_SEEN_FOR = 2 * _DAY
_LEAK_WORTH = 0.02
"""Growth of a day below this share of what a process has is no leak worth speaking of."""
_LEAK_SOON = 60 * _DAY


@dataclass(frozen=True)
class Item:
    """Something to see to."""

    kind: Kind
    by: int
    """When it should be done, microseconds UTC."""
    what: str
    todo: str
    evidence: str

    def as_json(self) -> dict[str, str]:
        return {"kind": self.kind, "by": iso(self.by), "what": self.what, "todo": self.todo, "evidence": self.evidence}


@dataclass(frozen=True)
class Subject:
    """A series of one of `METRICS` and its samples of the last four weeks."""

    metric: str
    labels: Labels
    service: str
    samples: Samples
    whose: str = ""
    """Of a certificate's time left: the authority whose certificate it is; empty for the server's own."""


@dataclass(frozen=True)
class Upkeep:
    items: tuple[Item, ...]
    """Most urgent first."""
    unknown: tuple[str, ...] = field(default=())
    """What could not be looked at, and why."""


def upkeep(subjects: Iterable[Subject], acted: Mapping[tuple[str, str], Sequence[int]], now: int) -> Upkeep:
    """`acted`: when each remedy (service, runbook) acted in the last four weeks."""
    by_metric: dict[str, list[Subject]] = {}
    for one in subjects:
        since = now - micros(LOOKED_AT)
        seen = [(at, value) for at, value in clean(one.samples) if since <= at <= now and abs(value) < LARGEST]
        if seen:
            by_metric.setdefault(one.metric, []).append(replace(one, samples=seen))
    found = [
        *_disks(by_metric, now),
        *_certificates(by_metric.get(CERTIFICATE, ()), now),
        *_restarts(by_metric.get(UPTIME, ()), now),
        *_remedies(acted, now),
        *_leaks(by_metric, now),
        *_errors(by_metric.get(UP, ()), now),
    ]
    return Upkeep(tuple(sorted(found, key=lambda item: (item.by, item.what))), tuple(_unread(by_metric)))


def restarts(uptime: Samples) -> list[int]:
    """When a process began anew, by its uptime: each fall, those of neighbouring samples being one."""
    found: list[int] = []
    fell = False
    for (_, before), (at, after) in itertools.pairwise(uptime):
        if after < before and not fell:
            found.append(at)
        fell = after < before
    return found


def _disks(by_metric: Mapping[str, list[Subject]], now: int) -> Iterator[Item]:
    for one in by_metric.get(PASSED, ()):
        if one.samples[-1][1] < 1:
            said = f"its own SMART check failed, last read {day(one.samples[-1][0], now)}"
            yield Item("disk", now, _disk(one), "replace it now", said)
    for one in by_metric.get(WEAR, ()):
        worn = one.samples[-1][1]
        slope = theil_sen(*_arrays(one.samples)) if len(one.samples) > 2 else None
        left = (1 - worn) / slope.middle if slope is not None and slope.middle > 0 else None
        if worn >= _WORN or (left is not None and left <= _WEAR_SOON):
            by = now + micros(max(0.0, left if left is not None else _WEAR_SOON))
            pace = f", {slope.middle * 30 * _DAY * 100:.1f} % a month" if slope is not None and left is not None else ""
            yield Item("disk", by, _disk(one), "replace it", f"{show(worn, 'ratio')} of its life is used up{pace}")
    for one in by_metric.get(SECTORS, ()):
        first, last = one.samples[0], one.samples[-1]
        if last[1] > first[1]:
            more = f"{last[1] - first[1]:.0f} more broken sectors since {day(first[0], now)}, {last[1]:.0f} in all"
            yield Item("disk", now + micros(_WEEK), _disk(one), "replace it", more)


def _certificates(subjects: Iterable[Subject], now: int) -> Iterator[Item]:
    for one in subjects:
        at, left = one.samples[-1]
        by = at + micros(max(-1e9, min(left, 1e10)))
        if seconds(by - now) <= _CERTIFICATE_SOON:
            what = f"certificate of {one.service}/{one.labels.get('check', '?')}"
            how = "has expired" if by <= now else f"expires in {format_duration(seconds(by - now))}"
            it = f"that of its authority {one.whose}" if one.whose else "it"
            yield Item("certificate", by, what, "renew it", f"{it} {how}, on {day(by, now)}")


def _restarts(subjects: Iterable[Subject], now: int) -> Iterator[Item]:
    for one in subjects:
        yield from _often(
            "restarts", restarts(one.samples), f"process {one.labels.get('process', '?')} of {one.service}",
            "find out why it ends", "it restarted", seconds(now - one.samples[0][0]), now,
        )  # fmt: skip


def _remedies(acted: Mapping[tuple[str, str], Sequence[int]], now: int) -> Iterator[Item]:
    for (service, runbook), times in sorted(acted.items()):
        yield from _often(
            "remedies", sorted(at for at in times if at <= now), f"{runbook} on {service}",
            "mend what it heals again and again", "it acted", LOOKED_AT, now,
        )  # fmt: skip


def _often(kind: Kind, times: Sequence[int], what: str, todo: str, did: str, known: float, now: int) -> Iterator[Item]:
    recent = [at for at in times if seconds(now - at) <= _WEEK]
    if len(recent) < _OFTEN:
        return
    before = sum(1 for at in times if _WEEK < seconds(now - at) <= 2 * _WEEK)
    compared = f", {before} in the week before" if known >= 2 * _WEEK else ""
    # As often as in the last week, or since it began where that is less.
    pace = min(_WEEK, seconds(now - recent[0])) / len(recent)
    said = f"{did} {len(recent)} times in 7 days{compared}, last {day(recent[-1], now)}"
    yield Item(kind, max(now, recent[-1] + micros(pace)), what, todo, f"{said}: once in {format_duration(pace)}")


def _leaks(by_metric: Mapping[str, list[Subject]], now: int) -> Iterator[Item]:
    begun = {(one.service, one.labels.get("process")): restarts(one.samples) for one in by_metric.get(UPTIME, ())}
    whole = max((one.samples[-1][1] for one in by_metric.get(MEMORY_LIMIT, ())), default=None)
    for one in by_metric.get(MEMORY, ()):
        process = one.labels.get("process", "?")
        since = max(begun.get((one.service, process), ()), default=0)
        # The first hour after a start is warming up.
        seen = [sample for sample in one.samples if sample[0] > since + micros(3600.0 if since else 0.0)]
        if len(seen) < 3 or seconds(seen[-1][0] - seen[0][0]) < _LEAK_SEEN_FOR:
            continue
        slope = theil_sen(*_arrays(seen))
        size = seen[-1][1]
        if slope is None or slope.low <= 0 or slope.middle * _DAY < _LEAK_WORTH * size:
            continue
        said = f"{format_bytes(slope.middle * _DAY)} more a day since {day(seen[0][0], now)}, {format_bytes(size)} now"
        full = exhaustion(seen, whole, now) if whole is not None else None
        if full is not None:
            by, said = full.at, f"{said}: all of this machine's {format_bytes(whole or 0.0)} in {full.span(now)}"
        else:
            by = now + micros(min(size / slope.middle, _LEAK_SOON))
            said = f"{said}: twice that by {day(by, now)}"
        if seconds(by - now) <= _LEAK_SOON:
            yield Item("leak", by, f"memory of {process} of {one.service}", "restart it, find what it keeps", said)


def _errors(subjects: Iterable[Subject], now: int) -> Iterator[Item]:
    for one in subjects:
        # Means: in the median of a day hardly any check ever fails.
        failed = [(at, 1 - value) for at, value in daily(one.samples, now, np.mean)]
        found = trend(failed, now)
        if found is None or found.change <= 0:
            continue
        check = f"{one.service}/{one.labels.get('check', '?')}"
        lasts = _WEEK / found.change if found.kind == "line" else 0.0
        sentence = found.sentence(f"the share of failures of {check}", "ratio")
        yield Item("errors", now + micros(lasts), f"check {check}", "find out why it fails more often", sentence)


def _unread(by_metric: Mapping[str, list[Subject]]) -> Iterator[str]:
    newest: dict[str, Subject] = {}
    for one in by_metric.get(READABLE, ()):
        device = one.labels.get("device", "?")
        if device not in newest or newest[device].samples[-1][0] < one.samples[-1][0]:
            newest[device] = one
    latest = max((one.samples[-1][0] for one in newest.values()), default=0)
    for device, one in sorted(newest.items()):
        # What was told before disks were found, or of one that is gone, is old.
        if one.samples[-1][1] < 1 and seconds(latest - one.samples[-1][0]) < _DAY:
            what = "disks' own reports" if device == "all" else f"the disk {device}"
            yield f"{what}: not readable: {one.labels.get('reason', 'nobody said why')}"


def _disk(one: Subject) -> str:
    return f"disk {one.labels.get('device', '?')}"


def _arrays(samples: Sequence[Sample]) -> tuple[Vector, Vector]:
    first = samples[0][0]
    return np.array([seconds(at - first) for at, _ in samples]), np.array([value for _, value in samples])
