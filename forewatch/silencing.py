"""Silences as people set and review them: what one would hide now, and what came of those there were."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from forewatch.alerting.alert import Alert
from forewatch.alerting.classification import labels_for_routing
from forewatch.alerting.matchers import Matcher, matches
from forewatch.alerting.silence import Silence, may_edit_in_place, silence_as_json, state_of
from forewatch.clock import micros
from forewatch.config.models import Config
from forewatch.deciding import decide_in
from forewatch.errors import NotFound
from forewatch.incidents.events import SilenceSet
from forewatch.incidents.outcome import Outcome
from forewatch.store import alerts, silences

REVIEWED = 30 * 86_400.0
"""Seconds a report looks back."""
ENDS_SOON = 86_400.0
"""Seconds before its end that a report names a silence."""


@dataclass(frozen=True)
class Used:
    """A silence and what it has hidden over its life; classifications are those of the alerts."""

    silence: Silence
    alerts: int = 0
    incidents: tuple[str, ...] = ()
    classifications: tuple[str, ...] = ()


@dataclass(frozen=True)
class Review:
    """The silences of a while. One that hid something and ends soon is in both lists."""

    hid: tuple[Used, ...]
    unused: tuple[Used, ...]
    """They began and have matched nothing so far."""
    ending: tuple[Used, ...]


def preview(conn: Connection, matchers: tuple[Matcher, ...]) -> list[Alert]:
    """The firing alerts that a silence with these matchers hides, by incident, oldest first."""
    wanted = {one.name: one.value for one in matchers if one.operator == "=" and one.value}
    found = [alert for alert in alerts.firing_where(conn, wanted) if matches(matchers, labels_for_routing(alert))]
    return sorted(found, key=lambda alert: (alert.incident_id or "", alert.starts_at, alert.id))


def put(conn: Connection, silence: Silence, *, config: tuple[int, Config], now: int) -> tuple[str, Outcome]:
    """Set a silence in an open decision; returns its id and what follows. With an id it is an edit, else a new one.

    An edit that tells the same story stays under its id; any other ends the old silence and begins one of its own.
    Raises NotFound for an id that is not known.
    """
    old = silences.get(conn, silence.id) if silence.id else None
    if silence.id and old is None:
        raise NotFound(f"there is no silence {silence.id} (forewatch silences list shows them)")
    replaces = None
    if old is None or not may_edit_in_place(old, silence, now):
        if old is not None and state_of(old, now) != "expired":
            replaces = old.id
        silence = replace(silence, id=str(uuid.uuid4()), starts_at=max(silence.starts_at, now))
    event = SilenceSet(silence_as_json(silence), actor=silence.created_by, at=now, replaces=replaces)
    return silence.id, decide_in(conn, event, config=config, now=now)


def review(conn: Connection, since: int, now: int) -> Review:
    """The silences in force at any moment since then: which hid incidents, which nothing, and which end soon."""
    hidden = silences.hidden(conn)
    found = []
    for silence in silences.listing(conn, ended_after=since):
        if silence.starts_at > now:
            continue
        rows = hidden.get(silence.id, [])
        found.append(
            Used(
                silence,
                alerts=sum(row.alerts for row in rows),
                incidents=tuple(dict.fromkeys(row.incident_id for row in rows if row.incident_id is not None)),
                classifications=tuple(sorted({row.classification for row in rows if row.classification is not None})),
            )
        )
    return Review(
        hid=tuple(used for used in found if used.incidents),
        unused=tuple(used for used in found if not used.alerts),
        ending=tuple(used for used in found if now <= used.silence.ends_at <= now + micros(ENDS_SOON)),
    )
