"""What a check's results mean: its state over time, and the alert it raises and clears. Pure; `tasks` probes.

A `Monitor` is one thing to probe: a check of a service on one instance. `advance` folds each `ProbeResult` into its
`CheckState`; a transition is handed on as an `AlertRaised` or `AlertCleared` event named CheckFailing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from forewatch.alerting.alert import Labels
from forewatch.alerting.failures import HEADLINES, Failure, failure_of
from forewatch.config.models import Check, Config, Instance, Service
from forewatch.incidents.events import AlertCleared, AlertRaised

ALERT_NAME = "CheckFailing"
ADDRESS = "{address}"
DEFAULT_INSTANCE = "default"
"""The instance label of a service that names no instances."""

Status = Literal["up", "down", "unknown"]
Transition = Literal["failing", "otherwise", "recovered"]
"""`otherwise`: it fails on, in another way."""

OTHERWISE_AFTER = 2
"""Failures in a row of another kind after which a check that is down fails otherwise; `fails_after` where more."""


class CheckKey(NamedTuple):
    """What one state row is kept for; also the labels of the points `check.up` and `check.duration`."""

    service: str
    check: str
    instance: str

    def labels(self) -> dict[str, str]:
        return self._asdict()


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One probe's outcome. `duration` in seconds; `reason` in plain words, for a pass as for a failure."""

    ok: bool
    duration: float
    reason: str
    details: Mapping[str, Any] = field(default_factory=dict)
    """What was seen beside: `status`, `certificate_days`, `certificate_left` (seconds), `addresses`, `pid`, `exit`."""
    timed_out: bool = False
    """It failed by the clock alone: no answer in time, or one that came later than expected."""
    late: bool = False
    """And our own loop did not keep up meanwhile, so that it says nothing of the target: no verdict."""
    untimed: bool = False
    """Our own loop did not keep up meanwhile: `duration` is more ours than the target's, whatever the result."""


@dataclass(frozen=True, slots=True)
class CheckState:
    """Where a check stands. `unknown` until it passed once or failed `fails_after` times."""

    status: Status = "unknown"
    failures: int = 0
    """In a row; a pass sets it to 0."""
    successes: int = 0
    since: int = 0
    """When `status` became what it is, in microseconds."""
    at: int = 0
    """When the last result came in; 0 before the first."""
    reason: str = ""
    late: int = 0
    """Rounds in a row without a verdict, because this machine was too busy to hold them in time."""
    kind: Failure | None = None
    """How it fails, as its alert says; None while it does not, and after a shift took over."""
    others: int = 0
    """Failures of another kind in a row since."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A result with the state it led to: two points and a state row for the store. `at` in microseconds."""

    key: CheckKey
    at: int
    result: ProbeResult
    state: CheckState


@dataclass(frozen=True)
class Monitor:
    """One thing to probe. Equal monitors probe the same in the same way and raise the same alert."""

    key: CheckKey
    check: Check
    instance: Instance | None
    labels: Labels


def advance(state: CheckState, result: ProbeResult, check: Check, now: int) -> tuple[CheckState, Transition | None]:
    """Fold one result into a state.

    A check fails after `fails_after` failures in a row and recovers after `recovers_after` passes in a row. The first
    pass of an unknown check makes it `up` without a transition: there was no alert to clear. A late result is neither.
    """
    if result.late:
        reason = f"late: this machine is too busy to tell ({result.reason})"
        return replace(state, at=now, reason=reason, late=state.late + 1), None
    failures = 0 if result.ok else state.failures + 1
    successes = state.successes + 1 if result.ok else 0
    status = state.status
    if result.ok and (status == "unknown" or successes >= check.recovers_after):
        status = "up"
    elif not result.ok and failures >= check.fails_after:
        status = "down"
    since = state.since if status == state.status and state.since else now
    after = CheckState(status, failures, successes, since, now, result.reason, kind=state.kind, others=state.others)
    if status == "down" and not result.ok:
        kind = failure_of(result.reason)
        if status != state.status:
            return replace(after, kind=kind, others=0), "failing"
        known = state.kind if state.kind is not None else failure_of(state.reason)
        others = state.others + 1 if kind != known else 0
        if others >= max(OTHERWISE_AFTER, check.fails_after):
            return replace(after, kind=kind, others=0), "otherwise"
        return replace(after, kind=known, others=others), None
    if status == state.status:
        return after, None
    return replace(after, kind=None, others=0), "recovered" if state.status == "down" else None


def monitors(config: Config) -> list[Monitor]:
    """Everything to probe: a check that mentions `{address}` once an instance, any other check once."""
    return [
        Monitor(CheckKey(service.name, check.label, instance.name if instance else DEFAULT_INSTANCE), check, instance,
                check_labels(service, check, instance))
        for service in config.services
        for check in service.checks
        for instance in _instances(service, check)
    ]  # fmt: skip


def _instances(service: Service, check: Check) -> Iterable[Instance | None]:
    if service.instances and ADDRESS in " ".join(check.addressed):
        return service.instances
    return (None,)


def check_labels(service: Service, check: Check, instance: Instance | None) -> dict[str, str]:
    """The labels of a check's alert. What identifies it wins over labels written at the service and the instance."""
    return {
        **service.alert_labels,
        **(instance.labels if instance else {}),
        "alertname": ALERT_NAME,
        "service": service.name,
        "check": check.label,
        "instance": instance.name if instance else DEFAULT_INSTANCE,
        "severity": check.severity,
    }


def raised(
    monitor: Monitor, state: CheckState, result: ProbeResult, now: int, *, observer_late: bool = False
) -> AlertRaised:
    """The event of a check that began to fail. `observer_late`: our own loop ran late lately, so that no machine is to
    act on a time-out."""
    key = monitor.key
    where = "" if key.instance == DEFAULT_INSTANCE else f" on {key.instance}"
    # A check without a name of its own is named after its kind, which tells nobody more.
    check = f"{monitor.check.name} " if monitor.check.name else ""
    annotations = {
        "summary": f"{key.service} {HEADLINES[failure_of(result.reason)]}{where}: {check}{result.reason}",
        "reason": result.reason,
    }
    values = _values(state, result)
    if result.timed_out:
        values |= {"timed_out": True, "observer_late": observer_late}
    return AlertRaised(dict(monitor.labels), annotations, now, values)


def cleared(monitor: Monitor, state: CheckState, result: ProbeResult, now: int) -> AlertCleared:
    """The event of a check that passes again."""
    return AlertCleared(dict(monitor.labels), now, _values(state, result))


def relabelled(monitor: Monitor, state: CheckState, before: Labels, now: int) -> AlertRaised:
    """The event of a check that fails on under other labels."""
    event = raised(monitor, state, ProbeResult(False, 0.0, state.reason), state.since or now)
    return replace(event, before=dict(before))


def dropped(labels: Labels, now: int) -> AlertCleared:
    """The event of a failing check that is no longer configured."""
    return AlertCleared(dict(labels), now, {"reason": "no longer watched (last: down)"}, unwatched=True)


def _values(state: CheckState, result: ProbeResult) -> dict[str, Any]:
    return {
        "reason": result.reason,
        "failure": "" if result.ok else failure_of(result.reason),
        "duration": result.duration,
        "failures": state.failures,
        "successes": state.successes,
        "details": dict(result.details),
    }


def take_over(
    watched: Iterable[Monitor], states: Mapping[CheckKey, CheckState], firing: Iterable[Labels]
) -> tuple[dict[CheckKey, CheckState], list[Labels], dict[CheckKey, Labels]]:
    """The states a new watch starts from, the labels of alerts that nothing watched would ever clear, and of checks
    that fail under other labels than they have now, those.

    The alerts tell which checks are down, the state rows tell the rest: an alert is stored before its row, so after a
    crash the rows may lag behind. A row that says `down` without an alert counts as unknown, and is raised once more.
    """
    by_key = {monitor.key: monitor for monitor in watched}
    down: set[CheckKey] = set()
    orphans: list[Labels] = []
    moved: dict[CheckKey, Labels] = {}
    for labels in _of_checks(firing):
        key = CheckKey(labels["service"], labels["check"], labels["instance"])
        monitor = by_key.get(key)
        if monitor is None:
            orphans.append(labels)
            continue
        down.add(key)
        if dict(monitor.labels) == dict(labels):
            moved.pop(key, None)
        else:
            moved.setdefault(key, labels)
    taken: dict[CheckKey, CheckState] = {}
    for key in by_key:
        state = states.get(key, CheckState())
        if key in down and state.status != "down":
            state = replace(state, status="down", successes=0)
        elif key not in down and state.status == "down":
            state = replace(state, status="unknown")
        taken[key] = state
    return taken, orphans, moved


def _of_checks(firing: Iterable[Labels]) -> Iterator[Labels]:
    needed = {"service", "check", "instance"}
    return (labels for labels in firing if labels.get("alertname") == ALERT_NAME and needed <= set(labels))
