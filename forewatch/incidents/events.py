"""What can happen that needs a decision. Every event is stored, as plain JSON, before it is processed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from forewatch.alerting.alert import Labels


@dataclass(frozen=True)
class Event:
    source: ClassVar[str]

    def as_json(self) -> dict[str, Any]:
        """`{"type": ..., fields}`; `from_json` reads it back."""
        # Not `asdict`: it copies all that is in it, and an event may name thousands of alerts.
        return {"type": type(self).__name__, **vars(self)}


@dataclass(frozen=True)
class AlertRaised(Event):
    """A check, rule, forecast or part of our own is in trouble. Labels carry alertname, service and severity."""

    source: ClassVar[str] = "alert"
    labels: Labels
    annotations: Labels
    at: int
    """When the trouble was seen, which may lie before now."""
    values: dict[str, Any] = field(default_factory=dict)
    """What was measured, kept so that the decision can be explained and replayed."""
    sender: str = ""
    """The configured source it came from; empty for our own."""
    service: str | None = None
    """The service it belongs to, where that is not the label `service`."""
    identity: Labels | None = None
    """What makes it the same alert again, where that is not all its labels."""
    generator_url: str = ""
    until: int | None = None
    """It is over then unless heard of again. `timeout`: that is our patience, the sender named no end."""
    timeout: bool = False
    before: Labels | None = None
    """The labels under which it fired until now, where a new configuration gives it others: the episode goes on."""
    told_directly: dict[str, Any] = field(default_factory=dict)
    """Who was paged of it already, while the store took no decisions: notifier -> `id` and `at` of that page."""


@dataclass(frozen=True)
class AlertCleared(Event):
    """The same trouble is over. The labels decide which alert is meant.

    `unwatched`: not because all was seen to be well, but because nobody looks any more; `values["reason"]` says why.
    """

    source: ClassVar[str] = "alert"
    labels: Labels
    at: int
    values: dict[str, Any] = field(default_factory=dict)
    unwatched: bool = False
    sender: str = ""
    identity: Labels | None = None


@dataclass(frozen=True)
class AlertsRefreshed(Event):
    """Firing alerts were heard of again and nothing but their end has moved: fingerprint -> (until, timeout)."""

    source: ClassVar[str] = "alert"
    untils: dict[str, tuple[int | None, bool]]
    at: int


@dataclass(frozen=True)
class AlertTimedOut(Event):
    """Nothing was heard of a firing alert until its end."""

    source: ClassVar[str] = "alert"
    fingerprint: str
    at: int


@dataclass(frozen=True)
class AlertAcknowledged(Event):
    """Somebody acknowledged an alert in the tool it came from: its incident is acknowledged here too."""

    source: ClassVar[str] = "alert"
    identity: Labels
    actor: str
    at: int


@dataclass(frozen=True)
class ChangeReported(Event):
    """Somebody changed something (a deployment, a configuration): no alert, but a likely cause."""

    source: ClassVar[str] = "change"
    summary: str
    service: str | None
    sender: str
    at: int
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SilenceSet(Event):
    """A silence is made or replaced. `silence` as `silence_as_json` writes it; `replaces` ends at the same instant."""

    source: ClassVar[str] = "person"
    silence: dict[str, Any]
    actor: str
    at: int
    replaces: str | None = None


@dataclass(frozen=True)
class SilenceExpired(Event):
    """A person ends a silence now."""

    source: ClassVar[str] = "person"
    silence_id: str
    actor: str
    at: int


@dataclass(frozen=True)
class IncidentsMerged(Event):
    """A person says that two open incidents are one: `merged` goes into `incident_id`."""

    source: ClassVar[str] = "person"
    incident_id: str
    merged: str
    actor: str
    at: int


@dataclass(frozen=True)
class IncidentSplit(Event):
    """A person says that some alerts are another incident."""

    source: ClassVar[str] = "person"
    incident_id: str
    alert_ids: list[str]
    actor: str
    at: int


@dataclass(frozen=True)
class RunStarting(Event):
    """A run is about to act: may it still? Decided at the moment of acting, inside the transaction."""

    source: ClassVar[str] = "run"
    run_id: str
    flow_run_id: str
    at: int
    seen: list[dict[str, Any]] = field(default_factory=list)
    """What a look at the failing check and those of its dependencies saw just now, see `store.looks`."""


@dataclass(frozen=True)
class RunActed(Event):
    """A run's runbook is through its steps; now the service's own checks must turn green."""

    source: ClassVar[str] = "run"
    run_id: str
    outcome: str
    at: int
    flow_run_id: str | None = None
    """Who says so, where it is the run's own flow run: once another has taken the run over, it has no say."""


@dataclass(frozen=True)
class RunFailed(Event):
    """A run failed, was cancelled or never started; `reason` is a plain sentence."""

    source: ClassVar[str] = "run"
    run_id: str
    reason: str
    at: int
    cancelled: bool = False
    flow_run_id: str | None = None
    """Who says so, where it is the run's own flow run: once another has taken the run over, it has no say."""


@dataclass(frozen=True)
class TimerDue(Event):
    """A timer ran out.

    `start`: a dispatched run has not started; `verification`: it acted, is it healed? `group`: a notification group's
    tick; `digest`: what waits for a receiver leaves; `hold`: the hold of an incident's pages is over; `review`,
    `recheck`: look again at an alert nobody was told of; `reroute`: an alert has other routes now; `calm`: a flapping
    alert may have calmed down; `flap-down`: it may have stayed down; `remedy`: ask again for what was refused;
    `silence-start`, `silence-warning`, `silence-end`: a silence begins, is about to end, ended.
    """

    source: ClassVar[str] = "timer"
    timer_id: int
    kind: str
    subject: str
    at: int
    seen: list[dict[str, Any]] = field(default_factory=list)
    """Of a `review`, `recheck` or `remedy`: what a look at the alert's check and those of its dependencies saw."""


@dataclass(frozen=True)
class AutomationResumed(Event):
    """A person lets automation act again."""

    source: ClassVar[str] = "person"
    actor: str
    at: int


@dataclass(frozen=True)
class RemediesChanged(Event):
    """A configuration with other remedies for these services came into force: what fires there is asked anew."""

    source: ClassVar[str] = "configuration"
    services: list[str]
    version: int
    at: int


@dataclass(frozen=True)
class RoutesChanged(Event):
    """A configuration that leads these firing alerts to others came into force: who is on its routes hears of them."""

    source: ClassVar[str] = "configuration"
    alert_ids: list[str]
    version: int
    at: int


@dataclass(frozen=True)
class ShadowRehearsed(Event):
    """It was looked at whether a remedy in shadow could have run: what stood against it, and what was as it should."""

    source: ClassVar[str] = "remedy"
    alert_id: str
    runbook: str
    problems: list[str]
    found: list[str]
    at: int


@dataclass(frozen=True)
class HoldOver(Event):
    """Pages of an incident are held beyond their time, for its timer is late: who is about to send them has it decided
    first, so that they count as told."""

    source: ClassVar[str] = "delivery"
    incident_id: str
    at: int


@dataclass(frozen=True)
class Undelivered(Event):
    """A notification was given up: its receiver could not be reached for a day, or will never take it."""

    source: ClassVar[str] = "delivery"
    notification_id: str
    at: int


@dataclass(frozen=True)
class Acknowledged(Event):
    """A person takes an incident on; `incident_id` may be a notification, `NT-n`: then all that it was about."""

    source: ClassVar[str] = "person"
    incident_id: str
    actor: str
    at: int


@dataclass(frozen=True)
class ResolvedByHand(Event):
    source: ClassVar[str] = "person"
    incident_id: str
    actor: str
    reason: str
    at: int


@dataclass(frozen=True)
class Noted(Event):
    source: ClassVar[str] = "person"
    incident_id: str
    actor: str
    text: str
    at: int


@dataclass(frozen=True)
class RunRequested(Event):
    """A person starts a runbook, from the CLI or the Prefect UI."""

    source: ClassVar[str] = "person"
    runbook: str
    inputs: dict[str, Any]
    actor: str
    at: int
    service: str | None = None
    incident_id: str | None = None
    flow_run_id: str | None = None
    """Set where the flow run exists already (started in the Prefect UI): nothing is dispatched then."""


_TYPES: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        AlertRaised, AlertCleared, RunStarting, RunActed, RunFailed, TimerDue, Acknowledged, ResolvedByHand, Noted,
        RunRequested, AlertsRefreshed, AlertTimedOut, AlertAcknowledged, ChangeReported, SilenceSet, SilenceExpired,
        IncidentsMerged, IncidentSplit, Undelivered, HoldOver,
        AutomationResumed, RemediesChanged, RoutesChanged,
        ShadowRehearsed,
    )
}  # fmt: skip


def from_json(data: dict[str, Any]) -> Event:
    """The event `as_json` wrote. Raises KeyError for a type this version does not know."""
    fields = dict(data)
    return _TYPES[fields.pop("type")](**fields)
