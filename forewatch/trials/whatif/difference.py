"""What another configuration would have changed: alerts, incidents, who was told, and what nobody can know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from forewatch.alerting.alert import Alert
from forewatch.alerting.routing import routes_of
from forewatch.clock import iso, seconds
from forewatch.config.models import Config
from forewatch.incidents import wording
from forewatch.incidents.deciding.sending import CALLED
from forewatch.remedy.run import Run
from forewatch.remedy.verification import HEALED, NOT_HEALED
from forewatch.trials.whatif.pairs import Pairs, Side, Told
from forewatch.units import format_duration

NOTICEABLE = 1.0
"""Seconds by which a notification must be earlier or later to be worth a line."""

_ENDS = {HEALED: ", which healed it,", NOT_HEALED: ", which did not heal it,"}


@dataclass(frozen=True)
class Item:
    """One thing that is only in one of the worlds. `id` is of the history, empty for what is not in it."""

    id: str
    at: int
    text: str

    def __str__(self) -> str:
        return f"{iso(self.at)}  {self.text}"


@dataclass
class Difference:
    """`lost` was and would not have been; `gained` the other way round. Notifications are by notifier."""

    observations: int
    begins: int
    ends: int
    whole: bool
    alerts_lost: list[Item] = field(default_factory=list)
    alerts_gained: list[Item] = field(default_factory=list)
    incidents_missed: list[Item] = field(default_factory=list)
    incidents_added: list[Item] = field(default_factory=list)
    incidents_joined: list[Item] = field(default_factory=list)
    incidents_parted: list[Item] = field(default_factory=list)
    told_lost: dict[str, list[Item]] = field(default_factory=dict)
    told_gained: dict[str, list[Item]] = field(default_factory=dict)
    told_moved: dict[str, list[Item]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether both worlds are the same, as far as can be told."""
        return not any(value for name, value in vars(self).items() if name.partition("_")[0] in _PARTS)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """For people."""
        span = f"{self.observations} observations from {iso(self.begins)} to {iso(self.ends)}"
        said = [f"{span}: {'nothing would have been different.' if self.empty else 'this would have been different.'}"]
        for title, items in (
            ("Alerts that would not have been", self.alerts_lost),
            ("Alerts that would have been as well", self.alerts_gained),
            ("Incidents that would have been missed", self.incidents_missed),
            ("Incidents that would have been opened as well", self.incidents_added),
            ("Incidents that would have been one", self.incidents_joined),
            ("Incidents that would have been several", self.incidents_parted),
        ):
            said += _part(title, items)
        for title, by_notifier in (
            ("would not have been notified", self.told_lost),
            ("would have been notified as well", self.told_gained),
            ("would have been notified at another time", self.told_moved),
        ):
            for notifier in sorted(by_notifier):
                said += _part(f"{notifier} {title}", by_notifier[notifier])
        if self.unknown:
            said += ["", "What the history cannot tell:", *(f"  {text}." for text in self.unknown)]
        return said


_PARTS = {"alerts", "incidents", "told"}


def difference(
    was: Side,
    would: Side,
    pairs: Pairs,
    config: Config,
    unknown: Iterable[str],
    *,
    observations: int,
    begins: int,
    ends: int,
    whole: bool,
) -> Difference:
    """Compare both worlds, of which everything from `begins` on counts."""
    found = Difference(observations, begins, ends, whole, unknown=list(unknown))
    _alerts(found, was, would, pairs)
    _incidents(found, was, would, pairs)
    _told(found, was, would, pairs, config)
    _runs(found, was, would, pairs)
    if not whole:
        found.unknown.append(f"what began before {iso(begins)}, where the history begins")
    return found


def _alerts(found: Difference, was: Side, would: Side, pairs: Pairs) -> None:
    lost, gained = pairs.unpaired("alerts")
    for ids, side, items, named in (
        (lost, was, found.alerts_lost, True),
        (gained, would, found.alerts_gained, False),
    ):
        for one in (side.alerts[id] for id in ids):
            if one.starts_at >= found.begins:
                items.append(Item(one.id if named else "", one.starts_at, _called(one, named)))


def _incidents(found: Difference, was: Side, would: Side, pairs: Pairs) -> None:
    """By the alerts each came into being with; what people merged and split is theirs in both worlds."""
    born = {alert: incident for incident in would.incidents for alert in would.born_in(incident)}
    backwards: dict[str, list[str]] = {}
    for one in was.incidents.values():
        alerts = [pairs.alerts[alert] for alert in was.born_in(one.id) if alert in pairs.alerts]
        there = list(dict.fromkeys(born[alert] for alert in alerts if alert in born))
        for id in there:
            backwards.setdefault(id, []).append(one.id)
        if one.opened_at < found.begins:
            continue
        if not there and was.born_in(one.id):
            found.incidents_missed.append(Item(one.id, one.opened_at, f"{one.id} ({one.severity}): {one.title}"))
        elif len(there) > 1:
            text = f"{one.id} ({one.title}) would have been {len(there)}"
            found.incidents_parted.append(Item(one.id, one.opened_at, text))
    for other in would.incidents.values():
        here = backwards.get(other.id, [])
        if other.opened_at < found.begins or not would.born_in(other.id):
            continue
        if not here:
            found.incidents_added.append(Item("", other.opened_at, f"{other.severity}, {other.service}: {other.title}"))
        elif len(here) > 1:
            text = f"{', '.join(here)} would have been one: {other.title}"
            found.incidents_joined.append(Item(here[0], other.opened_at, text))


def _told(found: Difference, was: Side, would: Side, pairs: Pairs, config: Config) -> None:
    lost, gained = pairs.unpaired("told")
    for id in lost:
        one = was.told[id]
        if one.at >= found.begins:
            because = _why_not(one, was, would, pairs, config)
            _add(found.told_lost, one, id, f"{id}, {_kind(one)}: {one.notice.content['title']}{because}")
    for id in gained:
        one = would.told[id]
        if one.at >= found.begins:
            _add(found.told_gained, one, "", f"{_kind(one)}: {one.notice.content['title']}")
    for there, here in pairs.notices.items():
        one, other = was.told[there], would.told[here]
        apart = seconds(other.notice.not_before - one.notice.not_before)
        if one.at >= found.begins and abs(apart) >= NOTICEABLE:
            when = f"{format_duration(abs(apart))} {'later' if apart > 0 else 'earlier'}"
            _add(found.told_moved, one, there, f"{there}, {_kind(one)}, {when}: {one.notice.content['title']}")


def _why_not(one: Told, was: Side, would: Side, pairs: Pairs, config: Config) -> str:
    """Why its alert would not have been told so: hushed, or routed elsewhere."""
    alert_id = one.notice.alert_id
    if alert_id is None:
        return ""
    if alert_id not in pairs.alerts:
        return " (the alert would not have been)"
    other = would.alerts[pairs.alerts[alert_id]]
    if other.id in would.hushed and alert_id not in was.hushed:
        return f" ({would.hushed[other.id]})"
    routes = routes_of(config, other)
    if all(one.notice.notifier not in route.notify for route in routes):
        names = ", ".join(route.name for route in routes)
        notifiers = ", ".join(dict.fromkeys(name for route in routes for name in route.notify)) or "nobody"
        return f" ({names} notifies {notifiers})"
    return ""


def _runs(found: Difference, was: Side, would: Side, pairs: Pairs) -> None:
    """Runs that only one world has: how the other would have gone on with or without them is not known."""
    there, here = pairs.unpaired("runs")
    for run in (was.runs[id] for id in there):
        if run.created_at >= found.begins:
            end = _ENDS.get(run.verified or "", "")
            found.unknown.append(
                f"{_sent(run.id, run)}{end} would not have been sent: how long {run.incident_id or 'its trouble'} "
                "would have lasted without it"
            )
    for run in (would.runs[id] for id in here):
        if run.created_at >= found.begins:
            found.unknown.append(
                f"{_sent('a run', run)} would have been sent {iso(run.created_at)}: how it would have ended"
            )


def _sent(name: str, run: Run) -> str:
    return f"{name} ({run.runbook}) for {run.service or 'no service'}"


def _called(alert: Alert, named: bool) -> str:
    name = wording.named(alert) if named else alert.name or "an alert without a name"
    return f"{name}, {alert.severity}, {alert.service}: {wording.summary(alert)}"


def _kind(one: Told) -> str:
    return f"{CALLED[one.notice.kind]} ({one.notice.severity})"


def _add(by_notifier: dict[str, list[Item]], one: Told, id: str, text: str) -> None:
    by_notifier.setdefault(one.notice.notifier, []).append(Item(id, one.at, text))


def _part(title: str, items: list[Item]) -> list[str]:
    if not items:
        return []
    return ["", f"{title} ({len(items)}):", *(f"  {item}" for item in sorted(items, key=lambda item: item.at))]
