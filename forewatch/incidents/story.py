"""The story of an incident: all that happened, as people read it on its page, in the Prefect UI and afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from forewatch.alerting.alert import Alert
from forewatch.alerting.notification import Notification
from forewatch.clock import iso, seconds
from forewatch.incidents import telling
from forewatch.incidents.incident import Incident
from forewatch.remedy.run import Run
from forewatch.units import format_duration


class Line(Protocol):
    """An entry of the timeline."""

    @property
    def at(self) -> int: ...
    @property
    def actor(self) -> str: ...
    @property
    def text(self) -> str: ...


class Step(Protocol):
    """A step of a run, from its receipt."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def intent_at(self) -> int: ...
    @property
    def done_at(self) -> int | None: ...
    @property
    def error(self) -> str | None: ...


@dataclass(frozen=True)
class Story:
    """All that is stored of an incident, each list oldest first; `steps` by run id."""

    incident: Incident
    timeline: Sequence[Line] = ()
    alerts: Sequence[Alert] = ()
    runs: Sequence[Run] = ()
    steps: Mapping[str, Sequence[Step]] = field(default_factory=dict)
    notifications: Sequence[Notification] = ()


def as_markdown(story: Story, links: Mapping[str, str] | None = None) -> str:
    """A head, then a table each of the timeline, alerts, runs, their steps and notifications.

    `links`: address by id (`RUN-4`) or by name (`Prefect`). A linked id heads its row as a link, names are listed last.
    """
    links = links or {}
    parts = [
        _head(story.incident),
        _table("Timeline", ("when", "after", "who", "what"), [_line(story.incident, line) for line in story.timeline]),
        _table(
            "Alerts",
            ("alert", "severity", "status", "lasted", "what"),
            [
                (_linked(a.id, links), a.severity, a.status, _span(a.starts_at, a.ends_at), telling.summary(a))
                for a in story.alerts
            ],
        ),
        _table(
            "Runs",
            ("run", "runbook", "state", "verified", "outcome"),
            [(_linked(r.id, links), r.runbook, r.state, r.verified or "", r.outcome or "") for r in story.runs],
        ),
        _table(
            "Steps",
            ("run", "step", "kind", "state", "took", "error"),
            [
                (run, step.name, step.kind, step.state, _span(step.intent_at, step.done_at), step.error or "")
                for run, taken in story.steps.items()
                for step in taken
            ],
        ),
        _table(
            "Notifications",
            ("notification", "kind", "to", "state", "sent", "error"),
            [
                (
                    _linked(n.id, links),
                    n.kind,
                    n.notifier,
                    n.state,
                    iso(n.sent_at) if n.sent_at else "",
                    n.last_error or "",
                )
                for n in story.notifications
            ],
        ),
        "\n".join(f"- [{_cell(name)}]({url})" for name, url in links.items() if name not in _ids(story)),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _ids(story: Story) -> set[str]:
    return {*(a.id for a in story.alerts), *(r.id for r in story.runs), *(n.id for n in story.notifications)}


def _head(incident: Incident) -> str:
    lasted = _span(incident.opened_at, incident.resolved_at)
    end = f"{incident.resolution}, after {lasted}" if incident.resolution else incident.status
    return (
        f"# {incident.id}: {_cell(incident.title)}\n\n"
        f"**{incident.severity}** on **{incident.service}**, opened {iso(incident.opened_at)}: {_cell(end)}."
    )


def _line(incident: Incident, line: Line) -> tuple[str, ...]:
    # A clock set back makes this negative; then that is the truth to show.
    after = format_duration(seconds(line.at - incident.opened_at))
    return iso(line.at), after, line.actor, line.text


def _table(title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    lines = [columns, ("---",) * len(columns), *([_cell(cell) for cell in row] for row in rows)]
    return f"## {title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """Text that cannot break out of its cell."""
    return " ".join(text.split()).replace("|", "\\|")


def _linked(id: str, links: Mapping[str, str]) -> str:
    return f"[{id}]({links[id]})" if id in links else id


def _span(start: int, end: int | None) -> str:
    return format_duration(max(0.0, seconds(end - start))) if end is not None else ""
