"""Which alert, run, notification and incident of the world as it was is which of the world as it would have been."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from forewatch.alerting.alert import Alert
from forewatch.clock import micros
from forewatch.incidents.incident import Incident
from forewatch.incidents.outcome import Notify, Outcome, PutAlert, PutIncident, PutRun, PutWithheld
from forewatch.remedy.run import Run

AT_MOST_APART = 900.0
"""Seconds between two notifications that still are the same one, told earlier or later."""

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Told:
    """A notification, the alerts it is about (their keys), and when it was written."""

    notice: Notify
    about: frozenset[Key]
    at: int


@dataclass
class Side:
    """All that came to be in one world, in order."""

    alerts: dict[str, Alert] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    told: dict[str, Told] = field(default_factory=dict)
    hushed: dict[str, str] = field(default_factory=dict)
    """Alert id -> why nobody was told of it, as last said."""
    _ever: dict[str, dict[str, None]] = field(default_factory=dict)
    _at_first: dict[str, list[str]] = field(default_factory=dict)

    def note(self, outcome: Outcome, now: int) -> None:
        """Keep what an outcome brought about."""
        for change in outcome.changes:
            match change:
                case PutAlert(alert):
                    self._note_alert(alert)
                case PutIncident(incident):
                    self.incidents[incident.id] = incident
                case PutRun(run):
                    self.runs[run.id] = run
                case PutWithheld(withheld) if withheld.reasons:
                    self.hushed[withheld.alert_id] = "; ".join(reason.text for reason in withheld.reasons)
                case _:
                    pass
        for effect in outcome.effects:
            if isinstance(effect, Notify):
                self.told[effect.id] = Told(effect, frozenset(self._about(effect)), now)

    def _about(self, notice: Notify) -> Iterator[Key]:
        ids = [notice.alert_id, *(alert.get("id") for alert in notice.content.get("alerts", ()))]
        if notice.run_id is not None and notice.run_id in self.runs:
            ids.append(self.runs[notice.run_id].alert_id)
        found = [self.alerts[one] for one in ids if one in self.alerts]
        if not found and notice.incident_id is not None:
            found = self.alerts_of(notice.incident_id)
        yield from map(trouble_key, found)

    def alerts_of(self, incident_id: str) -> list[Alert]:
        """The alerts that ever were an incident's."""
        return [self.alerts[one] for one in self._ever.get(incident_id, ())]

    def born_in(self, incident_id: str) -> list[str]:
        """The alerts that came into an incident by themselves, not by the hand of a person."""
        return self._at_first.get(incident_id, [])

    def _note_alert(self, alert: Alert) -> None:
        if alert.incident_id is not None:
            if alert.id not in self.alerts:
                self._at_first.setdefault(alert.incident_id, []).append(alert.id)
            self._ever.setdefault(alert.incident_id, {})[alert.id] = None
        self.alerts[alert.id] = alert


def trouble_key(alert: Alert) -> Key:
    """What an alert is about, whatever a configuration calls its severity."""
    return tuple(sorted((name, value) for name, value in alert.labels.items() if name != "severity"))


def alert_key(alert: Alert) -> Key:
    """One episode of it."""
    return (*trouble_key(alert), alert.starts_at)


class Pairs:
    """Grows with both worlds; asks for nothing that is not known yet."""

    def __init__(self, was: Side, would: Side) -> None:
        self._was, self._would = was, would
        self.alerts: dict[str, str] = {}
        self.incidents: dict[str, str] = {}
        self.runs: dict[str, str] = {}
        self.notices: dict[str, str] = {}
        self._seen: dict[tuple[bool, str], int] = {}
        self._open: dict[tuple[bool, str], dict[Key, list[str]]] = {}

    def look(self) -> None:
        """Pair what has come to be since the last look."""
        kinds = {"alerts": self.alerts, "incidents": self.incidents, "runs": self.runs, "told": self.notices}
        for name, pairs in kinds.items():
            for old in (True, False):
                for one in self._new(old, name):
                    self._settle(old, name, one, pairs)

    def unpaired(self, name: str) -> tuple[list[str], list[str]]:
        """Of `alerts`, `runs` or `told`: the ids that only the one, and that only the other world has, in order."""
        pairs = {"alerts": self.alerts, "runs": self.runs, "told": self.notices}[name]
        there = [one for one in getattr(self._was, name) if one not in pairs]
        taken = set(pairs.values())
        return there, [one for one in getattr(self._would, name) if one not in taken]

    def incident(self, incident_id: str) -> str | None:
        """The one that was opened by the same, else the one most of its alerts belong to there; None without any."""
        if incident_id in self.incidents:
            return self.incidents[incident_id]
        mine = [one.id for one in self._was.alerts_of(incident_id) if one.incident_id == incident_id]
        ids = [self._would.alerts[self.alerts[one]].incident_id for one in mine if one in self.alerts]
        found = [self._would.incidents[one] for one in ids if one in self._would.incidents]
        best = max(found, key=lambda one: (one.open, ids.count(one.id), one.opened_at), default=None)
        return best.id if best is not None else None

    def _new(self, old: bool, name: str) -> list[str]:
        ids = getattr(self._side(old), name)
        begin = self._seen.get((old, name), 0)
        if begin == len(ids):
            return []
        self._seen[old, name] = len(ids)
        return list(islice(ids, begin, None))

    def _settle(self, old: bool, name: str, one: str, pairs: dict[str, str]) -> None:
        """Pair it with what waits for it in the other world, or let it wait."""
        key = self._key(old, name, one)
        others = self._open.setdefault((not old, name), {}).setdefault(key, [])
        for other in list(others):
            there, here = (one, other) if old else (other, one)
            if name == "told" and self._too_far(there, here):
                others.remove(other)
            elif name != "told" or self._about_the_same(there, here):
                others.remove(other)
                pairs[there] = here
                return
        self._open.setdefault((old, name), {}).setdefault(key, []).append(one)

    def _key(self, old: bool, name: str, one: str) -> Key:
        side = self._side(old)
        match name:
            case "alerts":
                return alert_key(side.alerts[one])
            case "incidents":
                incident = side.incidents[one]
                return (incident.opened_at, incident.service, incident.group_key)
            case "runs":
                run = side.runs[one]
                alert = side.alerts.get(run.alert_id or "")
                return (run.kind, run.runbook, run.service, alert_key(alert) if alert is not None else None)
            case _:
                notice = side.told[one].notice
                return (notice.notifier, notice.kind, notice.severity)

    def _side(self, old: bool) -> Side:
        return self._was if old else self._would

    def _too_far(self, there: str, here: str) -> bool:
        return abs(self._was.told[there].at - self._would.told[here].at) > micros(AT_MOST_APART)

    def _about_the_same(self, there: str, here: str) -> bool:
        was, would = self._was.told[there], self._would.told[here]
        return bool(was.about & would.about) or (not was.about and not would.about)
