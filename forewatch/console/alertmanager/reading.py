"""What the API shows of alerts: which are firing, who is notified, and why somebody is not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from forewatch.alerting.alert import Alert
from forewatch.alerting.classification import labels_for_routing
from forewatch.alerting.matchers import Matcher, matches, parse_matcher, remark
from forewatch.alerting.routing import Route, routes_of
from forewatch.alerting.suppression import Withheld
from forewatch.clock import iso, micros
from forewatch.config.models import Config
from forewatch.console.alertmanager.answers import Refusal
from forewatch.intake.posted_alerts import RESOLVE_AFTER
from forewatch.store import alerts, silences, withheld

log = logging.getLogger(__name__)

ALL = "..."


@dataclass(frozen=True)
class Wanted:
    """Which alerts a client asks for."""

    filter: tuple[Matcher, ...] = ()
    active: bool = True
    silenced: bool = True
    inhibited: bool = True
    muted: bool = True
    receiver: Matcher | None = None
    receiver_matchers: tuple[Matcher, ...] = ()

    def told(self, names: Iterable[str]) -> bool:
        """Whether any of some receivers is one that is asked for."""
        return any(self.is_told(name) for name in names)

    def is_told(self, name: str) -> bool:
        labels = {"receiver": name, "name": name}
        return (self.receiver is None or self.receiver.matches(labels)) and matches(self.receiver_matchers, labels)


@dataclass
class Shown:
    """An alert with what hushes it: silences and alerts by id, and the names of what mutes it."""

    alert: Alert
    routes: list[Route]
    silenced_by: list[str] = field(default_factory=list)
    inhibited_by: list[str] = field(default_factory=list)
    muted_by: list[str] = field(default_factory=list)

    @property
    def receivers(self) -> list[str]:
        return list(dict.fromkeys(name for route in self.routes for name in route.notify))

    def as_json(self, now: int) -> dict[str, Any]:
        alert = self.alert
        hushed = self.silenced_by or self.inhibited_by or self.muted_by
        return {
            "annotations": alert.annotations,
            "endsAt": iso(alert.until if alert.until is not None else now + micros(RESOLVE_AFTER)),
            "fingerprint": alert.fingerprint,
            "receivers": [{"name": name} for name in self.receivers],
            "startsAt": iso(alert.starts_at),
            "status": {
                "inhibitedBy": self.inhibited_by,
                "mutedBy": self.muted_by,
                "silencedBy": self.silenced_by,
                "state": "suppressed" if hushed else "active",
            },
            "updatedAt": iso(alert.updated_at),
            "generatorURL": alert.generator_url,
            "labels": alert.labels,
        }


def matchers_of(texts: Sequence[str]) -> tuple[Matcher, ...]:
    """One matcher a text, as Alertmanager has it. Raises Refusal 400 with a sentence."""
    try:
        found = tuple(parse_matcher(text) for text in texts)
    except ValueError as error:
        raise Refusal(400, f"bad matcher format: {error}") from None
    for text in texts:
        _remark(text)
    return found


@lru_cache(maxsize=256)
def _remark(text: str) -> None:
    """Once for a text, since dashboards ask all the time."""
    if (said := remark(text)) is not None:
        log.warning("a filter: %s", said)


def receiver_of(pattern: str) -> Matcher | None:
    """Raises Refusal 400 for a pattern RE2 does not take."""
    try:
        return Matcher("receiver", "=~", pattern) if pattern else None
    except ValueError as error:
        raise Refusal(400, f"failed to parse receiver param: {error}") from None


def find(conn: Connection, config: Config, wanted: Wanted, now: int) -> list[Shown]:
    """The alerts that fire and are asked for, by fingerprint."""
    equal = {matcher.name: matcher.value for matcher in wanted.filter if matcher.operator == "=" and matcher.value}
    held = withheld.all_firing(conn)
    fingerprint = _fingerprints(conn)
    found = []
    for alert in alerts.firing_where(conn, equal):
        if (alert.until is not None and alert.until < now) or not matches(wanted.filter, alert.labels):
            continue
        shown = Shown(alert, routes_of(config, alert))
        if not wanted.told(shown.receivers):
            continue
        labels = labels_for_routing(alert)
        shown.silenced_by = [silence.id for silence in silences.matching(conn, labels, now)]
        _explain(shown, held.get(alert.id, ()), fingerprint)
        if _is_wanted(shown, wanted):
            found.append(shown)
    return sorted(found, key=lambda shown: shown.alert.fingerprint)


def groups(found: list[Shown], wanted: Wanted, now: int) -> list[dict[str, Any]]:
    """The same alerts as people are told of them: by route and labels, or with their incident."""
    grouped: dict[tuple[tuple[tuple[str, str], ...], str, str], list[Shown]] = {}
    for shown in found:
        for route in shown.routes:
            labels = tuple(sorted(_group_labels(route, shown.alert).items()))
            for name in route.notify:
                if wanted.is_told(name):
                    grouped.setdefault((labels, name, route.name), []).append(shown)
    return [
        {"alerts": [one.as_json(now) for one in members], "labels": dict(labels), "receiver": {"name": name}}
        for (labels, name, _), members in sorted(grouped.items(), key=lambda item: item[0])
    ]


def _group_labels(route: Route, alert: Alert) -> Mapping[str, str]:
    if route.group_by is None:
        return {"incident": alert.incident_id} if alert.incident_id is not None else {}
    if ALL in route.group_by:
        return alert.labels
    return {name: alert.labels[name] for name in route.group_by if name in alert.labels}


def _explain(shown: Shown, held: Iterable[Withheld], fingerprint: Callable[[str], str]) -> None:
    for one in held:
        for reason in one.reasons:
            match reason.kind:
                case "silence":
                    continue  # looked up as it is now
                case "inhibition" | "dependency":
                    _add(shown.inhibited_by, fingerprint(reason.by))
                case _:
                    if reason.by not in shown.silenced_by:
                        _add(shown.muted_by, reason.by)


def _add(names: list[str], name: str) -> None:
    if name not in names:
        names.append(name)


def _is_wanted(shown: Shown, wanted: Wanted) -> bool:
    if not wanted.active and not (shown.silenced_by or shown.inhibited_by or shown.muted_by):
        return False
    return (
        (wanted.silenced or not shown.silenced_by)
        and (wanted.inhibited or not shown.inhibited_by)
        and (wanted.muted or not shown.muted_by)
    )


def _fingerprints(conn: Connection) -> Callable[[str], str]:
    """What an alert is called by outside, from its id here."""
    known: dict[str, str] = {}

    def fingerprint(alert_id: str) -> str:
        if alert_id not in known:
            alert = alerts.get(conn, alert_id)
            known[alert_id] = alert.fingerprint if alert is not None else alert_id
        return known[alert_id]

    return fingerprint
