"""The course of a history by its decisions: what was when. Instants are seconds from the beginning.

Only for histories in which nobody set the clock: the records know wall time alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ledger import Ledger
from simulated_world import NINE_O_CLOCK, Hindrance, Received, World

from forewatch.alerting.alert import Alert
from forewatch.alerting.fingerprint import fingerprint
from forewatch.clock import micros, seconds
from forewatch.config.models import Config

T = TypeVar("T")

APART = 1e-7
"""Seconds that keep decisions of one instant in their order."""


class Course(Generic[T]):
    """The values something had, each from an instant on."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.values: list[T] = []

    def add(self, at: float, value: T) -> None:
        self.times.append(at)
        self.values.append(value)

    def at(self, when: float) -> T | None:
        """The value at an instant; what begins at it counts."""
        index = bisect_right(self.times, when)
        return self.values[index - 1] if index else None

    def before(self, position: int) -> T | None:
        return self.values[position - 1] if position else None


@dataclass(frozen=True)
class Notice:
    """A notification as it was decided; `tried` is when it was first tried to send, with this content."""

    id: str
    decided: float
    tried: float
    notifier: str
    kind: str
    incident_ids: tuple[str, ...]
    names: frozenset[str]
    content: dict[str, Any]

    @property
    def says_resolved(self) -> bool:
        """Whether it says that an incident is RESOLVED, not merely over."""
        return self.kind == "resolved" and self.content.get("ended", "resolved") == "resolved"


@dataclass(frozen=True)
class Hold:
    """A page that waits for a remedy, at most until an instant."""

    notifier: str
    names: frozenset[str]
    since: float
    until: float


def named_in(kind: str, alert_id: str | None, content: dict[str, Any]) -> frozenset[str]:
    """The firing alerts that a notification names, though its text may show fewer."""
    if "named" in content:
        return frozenset(content["named"])
    listed = {one["id"] for one in content.get("alerts", ()) if one["status"] == "firing"}
    return frozenset(listed | ({alert_id} if alert_id is not None and kind in ("page", "update", "report") else set()))


@dataclass
class Run:
    """A run that was allowed to act."""

    id: str
    at: float
    alert: Alert
    service: str
    saw: dict[tuple[str, str], bool | None]
    """(service, check) -> what the look before acting saw; None, or nothing, where it got no answer."""


@dataclass
class Chronicle:
    now: float
    configs: Course[Config] = field(default_factory=Course)
    alerts: defaultdict[str, Course[Alert]] = field(default_factory=lambda: defaultdict(Course))
    withheld: defaultdict[tuple[str, str], Course[list[dict[str, Any]]]] = field(
        default_factory=lambda: defaultdict(Course)
    )
    """(alert id, route) -> reasons; none where it is not withheld any more."""
    incidents: defaultdict[str, Course[dict[str, Any]]] = field(default_factory=lambda: defaultdict(Course))
    silences: defaultdict[str, Course[dict[str, Any]]] = field(default_factory=lambda: defaultdict(Course))
    flapping: defaultdict[str, Course[float | None]] = field(default_factory=lambda: defaultdict(Course))
    """Fingerprint -> since when it flaps; None where it does not."""
    notices: list[Notice] = field(default_factory=list)
    """What was sent, or tried, in this order."""
    holds: list[Hold] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    unclear: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Alert id -> when a remedy waited to see whether a service it stands on fails."""
    events: dict[int, tuple[float, dict[str, Any]]] = field(default_factory=dict)
    """Observation -> when it was decided, and the event."""
    order: list[tuple[float, int, set[str]]] = field(default_factory=list)
    """(when, observation, ids of the incidents that changed or whose alerts did), decision by decision."""
    direct: defaultdict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    """(fingerprint, notifier) -> when a page without the store was tried."""
    hindrances: list[Hindrance] = field(default_factory=list)

    @classmethod
    def of(cls, world: World, ledger: Ledger) -> Chronicle:
        told = cls(world.loop.time(), hindrances=world.hindrances)
        for at, config in world.configured:
            told.configs.add(at, config)
        for attempt in world.attempts.values():
            if attempt.notification.id.startswith("NT-direct"):
                mark = fingerprint(attempt.notification.content["alert"]["labels"])
                told.direct[mark, attempt.notifier].append(attempt.at)
            else:
                told.notices.append(_notice(attempt))
        for decision in ledger.decisions:
            told._decided(decision, ledger)
        return told

    def hindered(self, what: str, at: float) -> bool:
        return any(one.what == what and one.since <= at < one.until for one in self.hindrances)

    def firing_of(self, services: set[str], at: float) -> list[Alert]:
        found = []
        for course in self.alerts.values():
            alert = course.at(at)
            if alert is not None and alert.status == "firing" and alert.service in services:
                found.append(alert)
        return found

    def _decided(self, decision: Any, ledger: Ledger) -> None:
        at = instant(decision.at) + len(self.order) * APART
        event = ledger.observations[decision.seq].event
        self.events[decision.seq] = at, event
        touched: set[str] = set()
        for change in decision.changes:
            match change["type"]:
                case "PutAlert":
                    alert = Alert(**change["alert"])
                    self.alerts[alert.id].add(at, alert)
                    touched.add(str(alert.incident_id))
                case "PutIncident":
                    self.incidents[change["incident"]["id"]].add(at, change["incident"])
                    touched.add(change["incident"]["id"])
                case "PutWithheld":
                    one = change["withheld"]
                    self.withheld[one["alert_id"], one["route"]].add(at, one["reasons"])
                case "PutSilence":
                    self.silences[change["silence"]["id"]].add(at, change["silence"])
                case "PutFlap":
                    since = change["flap"]["flapping_since"]
                    self.flapping[change["flap"]["fingerprint"]].add(at, None if since is None else instant(since))
                case "DropFlap":
                    self.flapping[change["fingerprint"]].add(at, None)
        for reason in decision.reasons:
            if reason["code"] == "dependency-unclear":
                for subject in reason["subjects"]:
                    self.unclear[subject].append(at)
        for effect in decision.effects:
            if effect["type"] == "Notify" and effect["held"]:
                names = named_in(effect["kind"], effect["alert_id"], effect["content"])
                self.holds.append(Hold(effect["notifier"], names, at, instant(effect["not_before"])))
        self.order.append((at, decision.seq, touched))
        if event["type"] == "RunStarting" and any(one["code"] == "run-started" for one in decision.reasons):
            run = ledger.runs[event["run_id"]]
            course = self.alerts.get(str(run.alert_id))
            alert_then = course.at(at) if course is not None else None
            if alert_then is not None and run.remedy is not None:
                saw = {(one["service"], one["check"]): one["ok"] for one in event.get("seen", ())}
                self.runs.append(Run(run.id, at, alert_then, str(run.service), saw))


def _notice(attempt: Received) -> Notice:
    sent = attempt.notification
    incidents = [sent.incident_id] if sent.incident_id else sent.content.get("incidents", [])
    if "receiver" in sent.content:
        # A notice of a group tells of alerts, whatever these are part of.
        incidents = []
    return Notice(
        id=sent.id,
        decided=instant(sent.created_at),
        tried=attempt.at,
        notifier=attempt.notifier,
        kind=sent.kind,
        incident_ids=tuple(one["id"] if isinstance(one, dict) else one for one in incidents),
        names=named_in(sent.kind, sent.alert_id, sent.content),
        content=sent.content,
    )


def instant(wall: int) -> float:
    """Seconds from the beginning to a wall time."""
    return seconds(wall - NINE_O_CLOCK)


def wall(at: float) -> int:
    """The wall time of an instant."""
    return NINE_O_CLOCK + micros(at)
