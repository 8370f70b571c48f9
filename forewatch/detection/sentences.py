"""How a rule's trouble reads: a sentence for each metric people know, a plain one for any other.

The statistic, the window and the threshold stand with the alert's values; a headline says what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from forewatch.config.models import CHECK_KINDS, Statistic
from forewatch.detection import mount_names
from forewatch.detection.mount_names import MOUNTS
from forewatch.detection.quantity import Unit, show, show_apart, unit_of_statistic
from forewatch.units import format_duration

Side = Literal["above", "below"]


@dataclass(frozen=True)
class Reading:
    """How one metric reads. `{value}`, `{rest}` (what is missing to 100%), `{service}`, `{window}` and the series'
    labels are filled in."""

    noun: str
    """What is measured, as the subject of a sentence."""
    wrong: str
    """What is wrong with a value beyond the threshold."""
    only: Side | None = None
    """The side of the threshold on which `wrong` is true; None: both."""
    of: tuple[Statistic, ...] = ("mean", "min", "max", "last", "p50", "p95", "p99")
    """The statistics of which `wrong` is true."""
    bound: bool = True
    """Whether the threshold is added."""
    unit: Unit | None = None
    """Where it is not the one the metric's name says."""
    hidden: tuple[str, ...] = ()
    """Labels that tell a person no more."""


READINGS: Mapping[str, Reading] = {
    "system.filesystem.utilization": Reading(
        "usage of {mountpoint}", "{mountpoint} is {value} full", hidden=("device", MOUNTS)
    ),
    "system.filesystem.inodes.utilization": Reading(
        "inode usage of {mountpoint}", "{mountpoint} has used {value} of its inodes", hidden=("device", MOUNTS)
    ),
    "system.filesystem.readonly": Reading(
        "the read-only state of {mountpoint}",
        "{mountpoint} has turned read-only",
        only="above",
        of=("last", "max"),
        bound=False,
        hidden=("device", MOUNTS),
    ),
    "system.memory.utilization": Reading("memory usage", "memory is {value} used"),
    "system.paging.utilization": Reading("swap usage", "swap is {value} used"),
    "system.cpu.utilization": Reading("CPU usage", "CPU is {value} busy"),
    "system.cpu.load_average.1m / system.cpu.logical.count": Reading(
        "load per CPU core", "load per CPU core is {value}", of=("ratio",), unit="count"
    ),
    "process.memory.usage": Reading("{service}'s memory usage", "{service} uses {value} of memory"),
    "process.cpu.utilization": Reading("{service}'s CPU usage", "{service} uses {value} of a CPU core"),
    "process.open_file_descriptor.utilization": Reading(
        "{service}'s file descriptor usage", "{service} has used {value} of its file descriptors"
    ),
    "process.count": Reading("{service}'s process count", "{service} has {value} processes"),
    "check.up": Reading(
        "{service}'s check success rate",
        "{rest} of {service}'s checks failed in {window}",
        only="below",
        of=("mean",),
        bound=False,
    ),
    "check.duration": Reading("{service}'s check duration", "{service} is slow: its checks take {value}", only="above"),
    "check.phase.duration": Reading(
        "the {phase} phase of {service}'s checks", "{service} is slow: {phase} takes {value}", only="above"
    ),
    "check.in_time.ratio": Reading(
        "the share of {service}'s checks in time", "{rest} of {service}'s checks were too slow", only="below"
    ),
    "check.certificate.left": Reading(
        "the time left on {service}'s certificate", "{service}'s certificate expires in {value}", only="below"
    ),
    "http.server.request.duration": Reading(
        "{service}'s response time", "{service} is slow: its response time is {value}", only="above"
    ),
    "http.server.request.failed / http.server.request.count": Reading(
        "{service}'s HTTP error rate", "{value} of {service}'s requests failed", only="above", of=("ratio",)
    ),
    "benchmark.errors.ratio": Reading(
        "{service}'s benchmark error rate", "{value} of {service}'s benchmark requests failed", only="above"
    ),
    "forewatch.cpu.utilization": Reading("Forewatch's CPU usage", "Forewatch uses {value} of a CPU core"),
    "forewatch.memory.usage": Reading("Forewatch's memory usage", "Forewatch uses {value} of memory"),
    "forewatch.tick.lag": Reading("the lag of {shift}", "{shift} is running {value} late", only="above"),
    "forewatch.outbox.oldest.age": Reading(
        "the age of the oldest unsent notification", "a notification has been waiting {value} to be sent", only="above"
    ),
    "forewatch.inbox.oldest.age": Reading(
        "the age of the oldest unprocessed event",
        "an incoming event has been waiting {value} to be processed",
        only="above",
    ),
    "forewatch.runs.oldest.age": Reading(
        "the age of the oldest waiting run", "a runbook run has been waiting {value} to start", only="above"
    ),
    "forewatch.collector.up": Reading(
        "the success rate of Forewatch's {collector} collector",
        "Forewatch's {collector} collector has failed for {window}",
        only="below",
        of=("max",),
        bound=False,
    ),
}

_OVER: Mapping[Statistic, str] = {
    "mean": "was {} on average over {}",
    "min": "was at least {} for {}",
    "max": "was at most {} for {}",
    "p50": "had a median of {} over {}",
    "p95": "had a p95 of {} over {}",
    "p99": "had a p99 of {} over {}",
    "rate": "was {} over {}",
    "sum": "added up to {} over {}",
    "count": "had {} values in {}",
    "ratio": "was {} over {}",
    "last": "is {}",
}
_BEYOND: Mapping[tuple[Statistic, Side], str] = {
    ("max", "above"): "reached {} within {}",
    ("min", "below"): "fell to {} within {}",
}
"""Where being beyond once is what counts."""
_SAID_ALREADY = {"service", "instance=default", *(f"check={kind}" for kind in CHECK_KINDS)}
"""Labels, alone or with a value, that tell one series from another for nobody."""


@dataclass(frozen=True)
class Watched:
    """The series an alert is about, by a statistic over a window."""

    metric: str
    per: str | None
    statistic: Statistic
    window: float
    labels: Mapping[str, str]
    service: str

    def beyond(self, value: float, side: Side, bound: float, *, of_forecast: bool = False) -> str:
        """`/srv/uploads is 95.4% full (above 90%)`; of other metrics `queue.depth was 120 on average over 5m, above
        100`."""
        number, limit = self._apart(value, bound)
        if of_forecast:
            limit = f"its forecast of {'at most' if side == 'above' else 'at least'} {limit}"
        reading = self._reading
        if reading is None or self.statistic not in reading.of or reading.only not in (None, side):
            return f"{self._subject} {self._was(number, side)}, {side} {limit}"
        told = self._filled(reading.wrong, number, value)
        beside = [f"{side} {limit}"] if reading.bound or of_forecast else []
        return _with(told, beside + self._others(reading.wrong))

    def against_band(self, value: float, low: float, high: float) -> str:
        """`queue.depth was 7 on average over 5m, outside its forecast of 10 to 20`."""
        where = "within" if low <= value <= high else "outside"
        band = f"{self._shown(low)} to {self._shown(high)}"
        return f"{self._subject} {self._was(self._shown(value))}, {where} its forecast of {band}"

    def back(self, value: float) -> str:
        """`usage of /srv/uploads is back at 40%`."""
        return self.did(f"is back at {self._shown(value)}")

    def usual_again(self, value: float) -> str:
        """`app's check duration is as usual again: 120ms`."""
        return self.did(f"is as usual again: {self._shown(value)}")

    def did(self, predicate: str) -> str:
        """What the series did, told of what it measures: `memory usage reaches 100% in 3h`."""
        return f"{self._subject} {predicate}"

    @property
    def _name(self) -> str:
        return f"{self.metric} / {self.per}" if self.per else self.metric

    @property
    def _reading(self) -> Reading | None:
        """How it reads, where the series has the labels that takes."""
        reading = READINGS.get(self._name)
        if reading is None:
            return None
        try:
            self._filled(reading.noun + reading.wrong)
        except KeyError:
            return None
        return reading

    @property
    def _subject(self) -> str:
        reading = self._reading
        noun = reading.noun if reading is not None else ""
        return _with(self._filled(noun) if noun else self._name, self._others(noun))

    def _filled(self, text: str, number: str = "", value: float = 0.0) -> str:
        unit, _ = self._unit
        rest = show(1 - value, unit)
        known = {"service": self.service, "window": format_duration(self.window), "value": number, "rest": rest}
        return text.format_map({**mount_names.named(self.labels), **known})

    def _others(self, said: str) -> list[str]:
        """The labels a sentence does not name that tell this series from others."""
        reading = self._reading
        hidden = _SAID_ALREADY.union(reading.hidden if reading is not None else ())
        return [
            f"{name} {text}"
            for name, text in sorted(self.labels.items())
            if not hidden & {name, f"{name}={text}"} and text != self.service and f"{{{name}}}" not in said
        ]

    def _was(self, number: str, side: Side | None = None) -> str:
        said = _BEYOND.get((self.statistic, side)) if side is not None else None
        return (said or _OVER[self.statistic]).format(number, format_duration(self.window))

    @property
    def _unit(self) -> tuple[Unit, str]:
        unit, suffix = unit_of_statistic(self.metric, self.statistic)
        reading = READINGS.get(self._name)
        return (reading.unit if reading is not None and reading.unit is not None else unit), suffix

    def _shown(self, value: float) -> str:
        unit, suffix = self._unit
        return show(value, unit) + suffix

    def _apart(self, value: float, bound: float) -> tuple[str, str]:
        unit, suffix = self._unit
        number, limit = show_apart(value, bound, unit)
        return number + suffix, limit + suffix


def _with(text: str, beside: list[str]) -> str:
    return f"{text} ({', '.join(beside)})" if beside else text
