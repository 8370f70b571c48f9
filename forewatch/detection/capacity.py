"""What can run out: which series, against which limit, and what is said of it.

Built in are file systems, inodes, memory, swap, open files of the machine and of services' processes, certificates and
error budgets; `capacities` of the configuration adds pools and quotas. One of those takes the place of what is built in
on the series it matches.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from forewatch.alerting.alert import Labels
from forewatch.alerting.fingerprint import fingerprint
from forewatch.alerting.matchers import matches
from forewatch.clock import micros, seconds, to_datetime
from forewatch.config.models import Config
from forewatch.detection import mount_names
from forewatch.detection.band import NotYet
from forewatch.detection.exhaustion import Exhaustion, exhaustion
from forewatch.detection.quantity import show, unit_of
from forewatch.detection.resources import DISK, DISK_ALERT, Resource, resources
from forewatch.detection.rules import HOST
from forewatch.detection.statistics import Sample, Samples, clean
from forewatch.detection.trust import known_by
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.units import format_duration

_DAY = 86400.0
_CALM = 1.5
"""A warning ends once it will last this many times as long as it warns ahead, so that it does not flap at the edge."""
_AT_LEAST = 1800.0
_LATER = 3 * _DAY
"""Beyond, a day of the calendar says more than a span, and by today's growth is said with it."""
_COUNTDOWN_GOOD_FOR = 2 * _DAY


class Measured(Protocol):
    """A series, as far as it matters here."""

    @property
    def metric(self) -> str: ...
    @property
    def labels(self) -> Labels: ...
    @property
    def service(self) -> str: ...


S = TypeVar("S", bound=Measured)


@dataclass(frozen=True)
class Watch(Generic[S]):
    """A series that can run out, and its limit or the series that holds it."""

    series: S
    resource: Resource
    limit: float | None
    limit_series: S | None = None
    of_service: Labels = field(default_factory=dict)
    """The labels of the service its alert belongs to."""

    @property
    def labels(self) -> dict[str, str]:
        """Of its alert: what makes it the same one next time."""
        resource = self.resource
        named = {} if resource.metric == DISK and resource.alert == DISK_ALERT else {"capacity": resource.name}
        service = resource.service or self.series.service or HOST
        return {
            **self.of_service,
            **self.series.labels,
            **named,
            "alertname": resource.alert,
            "service": service,
            "severity": resource.severity,
        }

    @property
    def thing(self) -> str:
        labels = _Blank(
            mount_names.named(self.series.labels), service=self.resource.service or self.series.service or HOST
        )
        return self.resource.thing.format_map(labels)


@dataclass(frozen=True)
class Outlook(Generic[S]):
    """How a watched series stands; `expected` None: it is not running out."""

    watch: Watch[S]
    value: float
    limit: float
    expected: Exhaustion | None

    def sentence(self, now: int) -> str:
        """When it runs out, and where it stands: one line for a page or a table."""
        thing, words = self.watch.thing, self.watch.resource.words
        if self.expected is None:
            return f"{thing} is not running out: {self._stands()}"
        if self.expected.at <= now:
            return f"{thing} {words.done}: {self._stands()}"
        left, on = self.expected.left(now), day(self.expected.at, now)
        if self.watch.resource.countdown:
            return f"{thing} {words.soon} in {self.expected.span(now).partition(',')[0]}, on {on}"
        if left < _LATER:
            return f"{thing} {words.soon} in {self.expected.span(now)}, about {on}: {self._stands()}"
        latest = day(self.expected.upper, now) if self.expected.upper is not None else "never"
        between = f"80 % interval {day(self.expected.lower, now)} to {latest}"
        return f"at this growth {thing} {words.later} on {on}, {between}: {self._stands()}"

    def _stands(self) -> str:
        unit = unit_of(self.watch.series.metric)
        if self.watch.resource.countdown:
            return f"{format_duration(self.value)} left"
        if self.watch.resource.falling:
            return f"now {show(self.value, unit)} left"
        if unit == "ratio" and self.limit == 1.0:
            return f"now {show(self.value, unit)} used"
        return f"now {show(self.value, unit)} of {show(self.limit, unit)}"

    def values(self) -> dict[str, Any]:
        """What was measured and forecast, kept with the alert."""
        found: dict[str, Any] = {"value": self.value, "limit": self.limit}
        if self.expected is not None:
            found |= {"full_at": self.expected.at, "not_before": self.expected.lower}
            found |= {"not_after": self.expected.upper, "method": self.expected.method}
        return found


class _Blank(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


def watches(config: Config, all_series: Iterable[S]) -> list[Watch[S]]:
    """Every series that can run out, with its limit. One whose limit nobody measures is not among them."""
    by_metric: dict[str, list[S]] = {}
    for one in all_series:
        by_metric.setdefault(one.metric, []).append(one)
    labels = {service.name: service.alert_labels for service in config.services}
    found: list[Watch[S]] = []
    taken: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    for resource in resources(config):
        limits = {_key(one.labels): one for one in by_metric.get(resource.limit_metric or "", ())}
        for one in by_metric.get(resource.metric, ()):
            key = (one.metric, _key(one.labels))
            if not matches(resource.match, one.labels) or (not resource.own and key in taken):
                continue
            if resource.own:
                taken.add(key)
            of_service = labels.get(resource.service or one.service or HOST, {})
            if resource.limit is not None:
                found.append(Watch(one, resource, resource.limit, of_service=of_service))
            elif (holds := limits.get(key[1])) is not None:
                found.append(Watch(one, resource, None, holds, of_service))
    return found


def outlook_of(watch: Watch[S], samples: Samples, limit_samples: Samples, now: int) -> Outlook[S] | NotYet:
    """When the watched series runs out; NotYet where that cannot be known, with the reason.

    `samples` of up to two weeks. `limit_samples` where the limit is a series: its newest value counts.
    """
    seen = [one for one in clean(samples) if one[0] <= now]
    if not seen:
        return NotYet("has no data")
    limit = watch.limit
    if limit is None:
        limit = max((one for one in clean(limit_samples) if one[0] <= now), default=(0, None))[1]
    if limit is None:
        return NotYet(f"nobody measures its limit ({watch.resource.limit_metric})")
    at, value = seen[-1]
    silent = seconds(now - at)
    if watch.resource.countdown:
        if silent > _COUNTDOWN_GOOD_FOR:
            return NotYet(f"has no data for {format_duration(silent)}")
        # Microseconds have no room for dates a hundred thousand years away.
        end = at + micros(min(max(value, -1e11), 1e11))
        return Outlook(watch, value, limit, Exhaustion(end, end, end, "countdown"))
    if silent > max(900.0, 3 * _spacing(seen)):
        return NotYet(f"has no data for {format_duration(silent)}")
    expected = exhaustion(seen, limit, now, falling=watch.resource.falling)
    if expected is None and seconds(at - seen[0][0]) < _AT_LEAST:
        return NotYet(f"needs {format_duration(_AT_LEAST)} of data, has {format_duration(seconds(at - seen[0][0]))}")
    return Outlook(watch, value, limit, expected)


def capacity_events(
    watched: Iterable[Watch[S]], outlooks: Iterable[Outlook[S]], firing: Mapping[str, Labels], now: int
) -> list[AlertRaised | AlertCleared]:
    """Warnings of what runs out soon, ends of those that do not any more, and of those nobody measures now.

    `watched` is everything there is, `outlooks` what was looked at this time: what cannot be forecast now is no reason
    to end a warning. `firing` is fingerprint -> labels of our own alerts, of which it knows its own.
    """
    kept = {fingerprint(watch.labels) for watch in watched}
    events = [event for one in outlooks if (event := _event(one, fingerprint(one.watch.labels) in firing, now))]
    gone = [known_by(labels, mark) for mark, labels in firing.items() if mark not in kept and _ours(labels)]
    reason = {"reason": "this is no longer measured, or no longer a capacity of the configuration"}
    return [*events, *(AlertCleared(labels, now, reason, unwatched=True) for labels in gone)]


def day(at: int, now: int) -> str:
    """A moment as people say it, UTC: `14 Jan`, with the time within three days, with the year in another one."""
    moment, today = to_datetime(at), to_datetime(now)
    said = f"{moment.day} {moment:%b}" + (f" {moment.year}" if moment.year != today.year else "")
    return said + (f" {moment:%H:%M} UTC" if abs(seconds(at - now)) < _LATER else "")


def _event(outlook: Outlook[S], firing: bool, now: int) -> AlertRaised | AlertCleared | None:
    watch, expected = outlook.watch, outlook.expected
    within = watch.resource.warn_within
    if not firing and expected is not None and expected.left(now) <= within:
        return AlertRaised(watch.labels, {"summary": outlook.sentence(now)}, now, outlook.values())
    if firing and (expected is None or expected.left(now) > _CALM * within):
        return AlertCleared(watch.labels, now, {**outlook.values(), "reason": outlook.sentence(now)})
    return None


def _ours(labels: Labels) -> bool:
    name = labels.get("alertname", "")
    return name == DISK_ALERT or ("capacity" in labels and name.endswith("Soon"))


def _key(labels: Labels) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def _spacing(seen: Sequence[Sample]) -> float:
    gaps = sorted(later[0] - earlier[0] for earlier, later in itertools.pairwise(seen))
    return seconds(gaps[len(gaps) // 2]) if gaps else 0.0
