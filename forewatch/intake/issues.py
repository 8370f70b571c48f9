"""An issue of an error tracker, Sentry's or Bugsink's, and the alert it is.

The alert is the issue's id within the source, so that a webhook and the issues API speak of the same one. It fires
until the issue is resolved, archived, muted or deleted there: a tracker says when an issue is over, so there is no
time-out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from forewatch.config.sources import Source
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.intake.limits import labels_within
from forewatch.intake.sources.making import (
    cleared,
    id_of,
    optional_text,
    raised,
    when,
    within,
)

SEVERITIES = {
    "fatal": "critical", "error": "critical", "warning": "warning", "info": "info", "debug": "info",
    "50": "critical", "40": "critical", "30": "warning", "20": "info", "10": "info",
}  # fmt: skip
"""By level, in words or as Python's logging numbers them. An issue whose level we do not know counts as critical, as an
error would."""
RESOLVED = "resolved"
IGNORED = "ignored"
"""Archived, or muted."""
OPEN = "open"
"""Not over, where the tracker says no more than that."""
ONGOING = "ongoing"
"""Not over, and no news either: Sentry calls an issue so a week after it was new, regressed or escalating."""
NEWS = ("new", "regressed", "escalating")


@dataclass(frozen=True)
class Issue:
    """`state` is one of NEWS, OPEN, ONGOING, RESOLVED, IGNORED."""

    id: str
    title: str
    first_seen: int
    last_seen: int
    level: str = ""
    key: str = ""
    """What people call it: SHOP-12."""
    project: str = ""
    culprit: str = ""
    url: str = ""
    environment: str = ""
    state: str = OPEN
    events: int = 0
    users: int | None = None

    @property
    def over(self) -> bool:
        return self.state in (RESOLVED, IGNORED)


def sentry_issue(data: Mapping[str, Any], now: int, read: Callable[[object], int | None] = when) -> Issue:
    """An issue as Sentry's API and webhooks have it; `read` says what a time is. Raises ValueError naming the field."""
    status, substatus = optional_text(data, "status"), optional_text(data, "substatus")
    users = data.get("userCount")
    return Issue(
        id=id_of(data, "id", "issue."),
        title=optional_text(data, "title"),
        first_seen=read(data.get("firstSeen")) or now,
        last_seen=read(data.get("lastSeen")) or now,
        level=optional_text(data, "level"),
        key=optional_text(data, "shortId"),
        project=project_of(data),
        culprit=optional_text(data, "culprit"),
        url=optional_text(data, "permalink") or optional_text(data, "web_url"),
        state=status if status in (RESOLVED, IGNORED) else substatus if substatus in (*NEWS, ONGOING) else OPEN,
        events=whole(data.get("count")),
        users=users if isinstance(users, int) and not isinstance(users, bool) else None,
    )


def project_of(data: Mapping[str, Any]) -> str:
    """The slug of a project that is given as an object, or as its name or number alone."""
    project = within(data, "project")
    return optional_text(project, "slug") or optional_text(project, "name") or optional_text(data, "project")


def whole(value: object) -> int:
    """A count, which Sentry writes as text; 0 for what is none."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def identity_of(sender: str, issue_id: str) -> dict[str, str]:
    """What makes it the same alert again."""
    return {"source": sender, "issue": issue_id}


def issue_raised(
    source: Source,
    issue: Issue,
    now: int,
    why: str,
    annotations: Mapping[str, object] | None = None,
    *,
    values: Mapping[str, Any] | None = None,
    service_from: Mapping[str, str] | None = None,
) -> AlertRaised:
    """The alert of an issue. `why`: new, regressed, escalating, or nothing where only a rule of the tracker knows."""
    tool = "Bugsink" if source.bugsink is not None else "Sentry"
    labels = {
        "alertname": f"{tool}Issue",
        "severity": SEVERITIES.get(issue.level.lower(), "critical"),
        "level": issue.level,
        "project": issue.project,
        "issue": issue.key or issue.id,
        "environment": issue.environment,
        "classification": "errors",
    }
    return raised(
        source,
        labels_within(labels),
        {
            "summary": issue.title or f"{tool} issue {issue.key or issue.id}",
            "why": f"{why} in {tool}" if why else "",
            "culprit": issue.culprit,
            "events": issue.events or "",
            "users": "" if issue.users is None else issue.users,
            **(annotations or {}),
        },
        now,
        identity=identity_of(source.name, issue.id),
        # A regressed issue was first seen long ago; the trouble is that it is seen now.
        at=issue.first_seen if why == "new" else issue.last_seen,
        values={"events": issue.events, **({} if issue.users is None else {"users": issue.users}), **(values or {})},
        generator_url=issue.url,
        service_from=service_from,
    )


def issue_cleared(sender: str, issue_id: str, now: int, reason: str, *, unwatched: bool = False) -> AlertCleared:
    """The issue is over, or (`unwatched`) nobody looks any more. `sender` is the name of its source."""
    identity = identity_of(sender, issue_id)
    event = cleared(sender, identity, now, identity=identity, values={"reason": reason})
    return replace(event, unwatched=unwatched)
