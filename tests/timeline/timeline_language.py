"""Timelines: what is pushed when, and which notices are wanted when. A specification of alerting that reads as one.

    line = Timeline(group_wait=1, group_interval=4)
    line.push(at(1), alert("Slow", instance="a").active(1))
    line.want(between(2, 2.5), notice(firing=[alert("Slow", instance="a")], reason="first notification"))
    line.check(simulated(line))

In the manner of Alertmanager's acceptance tests. Times are seconds from the beginning. The same line can be played on a
simulated Forewatch (`playing.simulated`) and to a real Alertmanager (`real_alertmanager.played`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Window:
    begins: float
    ends: float

    def __str__(self) -> str:
        return f"between {self.begins:g} and {self.ends:g} s"


def at(seconds: float) -> float:
    return seconds


def between(begins: float, ends: float) -> Window:
    return Window(begins, ends)


@dataclass(frozen=True)
class TimelineAlert:
    labels: Mapping[str, str]
    begins: float = 0.0
    ends: float | None = None

    def active(self, begins: float, ends: float | None = None) -> TimelineAlert:
        """From when it fires, and until when where that is known."""
        return replace(self, begins=begins, ends=ends)

    @property
    def name(self) -> str:
        return ",".join(f"{name}={value}" for name, value in sorted(self.labels.items()))


def alert(alertname: str, **labels: str) -> TimelineAlert:
    return TimelineAlert({"alertname": alertname, "severity": "critical", **labels})


@dataclass(frozen=True)
class TimelineNotice:
    """`firing` and `resolved` are names of alerts; an empty `reason` is any."""

    firing: frozenset[str]
    resolved: frozenset[str]
    reason: str = ""
    kind: str = ""

    @property
    def status(self) -> str:
        return "firing" if self.firing else "resolved"

    def fits(self, wanted: TimelineNotice) -> bool:
        same = self.firing == wanted.firing and self.resolved == wanted.resolved
        return same and all(
            not mine or not theirs or mine == theirs
            for mine, theirs in ((self.reason, wanted.reason), (self.kind, wanted.kind))
        )

    def __str__(self) -> str:
        told = [f"{name} fires" for name in sorted(self.firing)] + [f"{name} is over" for name in sorted(self.resolved)]
        return f"{self.kind or self.status} ({self.reason or 'any reason'}): {'; '.join(told) or 'nothing'}"


def notice(
    *,
    firing: Iterable[TimelineAlert] = (),
    resolved: Iterable[TimelineAlert] = (),
    reason: str = "",
    kind: str = "",
) -> TimelineNotice:
    return TimelineNotice(frozenset(one.name for one in firing), frozenset(one.name for one in resolved), reason, kind)


@dataclass(frozen=True)
class Got:
    """A notice that arrived."""

    at: float
    notice: TimelineNotice


@dataclass(frozen=True)
class Push:
    at: float
    alerts: tuple[TimelineAlert, ...]


@dataclass(frozen=True)
class SetSilence:
    at: float
    matchers: Mapping[str, str]
    until: float


@dataclass
class Timeline:
    """One specification. Times of the route in seconds; `config` is what else the configuration says."""

    group_by: Sequence[str] | None = ("alertname",)
    group_wait: float = 1.0
    group_interval: float = 4.0
    repeat_interval: float = 3600.0
    inhibitions: Sequence[Mapping[str, Any]] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    length: float = 20.0
    steps: list[Push | SetSilence] = field(default_factory=list)
    wanted: list[tuple[Window, TimelineNotice]] = field(default_factory=list)

    def push(self, when: float, *alerts: TimelineAlert) -> None:
        """These are posted then."""
        self.steps.append(Push(when, alerts))

    def silence(self, when: float, *, until: float, **matchers: str) -> None:
        self.steps.append(SetSilence(when, matchers, until))

    def want(self, when: Window, wanted: TimelineNotice) -> None:
        self.wanted.append((when, wanted))

    def want_at(self, got: Got) -> None:
        """What another one sent is wanted at the same time."""
        self.want(Window(got.at, got.at), got.notice)

    def check(self, got: Sequence[Got], *, tolerance: float = 0.0) -> None:
        """Every wanted notice came in its time, and nothing else did. Raises AssertionError that shows both."""
        left = list(got)
        missing = []
        for window, wanted in self.wanted:
            found = next(
                (
                    one
                    for one in left
                    if window.begins - tolerance <= one.at <= window.ends + tolerance and one.notice.fits(wanted)
                ),
                None,
            )
            if found is None:
                missing.append(f"wanted {window}: {wanted}")
            else:
                left.remove(found)
        unwanted = [f"not wanted at {one.at:.2f} s: {one.notice}" for one in left]
        came = [f"came at {one.at:.2f} s: {one.notice}" for one in got]
        wrong = [*missing, *unwanted]
        assert not wrong, "\n".join([*wrong, "all of them:", *came])
