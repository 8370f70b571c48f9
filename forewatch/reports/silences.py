"""Silences as people set and review them: what one would hide now, and what came of those there were."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from forewatch.alerting.alert import Alert
from forewatch.alerting.classification import labels_for_routing
from forewatch.alerting.matchers import Matcher, matches
from forewatch.alerting.silence import Silence
from forewatch.clock import micros
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
