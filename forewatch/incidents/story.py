"""The story of an incident: all that happened, as people read it on its page, in the Prefect UI and afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from forewatch.alerting.alert import Alert
from forewatch.alerting.notification import Notification
from forewatch.alerting.suppression import Withheld
from forewatch.clock import iso, seconds
from forewatch.incidents import wording
from forewatch.incidents.alert_state import AlertState, state_of
from forewatch.incidents.incident import Incident
from forewatch.remedy.run import Run
from forewatch.units import format_duration


class Line(Protocol):
    """An entry of the timeline."""

    @property
    def at(self) -> int: ...
    @property
    def kind(self) -> str: ...
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
    """All that is stored of an incident, each list oldest first; `steps` by run id, `withheld` by alert id."""

    incident: Incident
    timeline: Sequence[Line] = ()
    alerts: Sequence[Alert] = ()
    runs: Sequence[Run] = ()
    steps: Mapping[str, Sequence[Step]] = field(default_factory=dict)
    notifications: Sequence[Notification] = ()
    withheld: Mapping[str, Sequence[Withheld]] = field(default_factory=dict)

    @property
    def services(self) -> list[str]:
        """The incident's own, then the others it has alerts of."""
        return list(dict.fromkeys((self.incident.service, *(alert.service for alert in self.alerts))))

    def state_of(self, alert: Alert) -> AlertState:
        """How one of its alerts stands."""
        return state_of(alert, self.withheld.get(alert.id, ()))


OURSELVES = "forewatch"
"""The actor of what Forewatch did by itself; every other one is named."""


def as_markdown(story: Story, links: Mapping[str, str] | None = None) -> str:
    """A head, then lists of the timeline, the alerts, the runs with their steps, and the notifications.

    Lists, since the Prefect UI cuts the long cells of a table. `links`: address by id (`RUN-4`) or by name (`Prefect`).
    A linked id heads its entry as a link, names are listed last.
    """
    links = links or {}
    parts = [
        _head(story.incident),
        _list("Timeline", [_line(story.incident, line) for line in story.timeline]),
        _list("Alerts", [_alert(alert, story.state_of(alert), links) for alert in story.alerts]),
        _list("Runs", [entry for run in story.runs for entry in _run(run, story.steps.get(run.id, ()), links)]),
        _list("Notifications", [_notification(told, links) for told in story.notifications]),
        _list("See also", [f"- [{_text(name)}]({url})" for name, url in links.items() if name not in _ids(story)]),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _ids(story: Story) -> set[str]:
    return {*(a.id for a in story.alerts), *(r.id for r in story.runs), *(n.id for n in story.notifications)}


def _head(incident: Incident) -> str:
    lasted = _span(incident.opened_at, incident.resolved_at)
    end = f"{incident.resolution}, after {lasted}" if incident.resolution else incident.status
    return (
        f"# {incident.id}: {_text(incident.title)}\n\n"
        f"**{incident.severity}** on **{incident.service}**, opened {iso(incident.opened_at)}: {_text(end)}."
    )


def _line(incident: Incident, line: Line) -> str:
    # A clock set back makes this negative; then that is the truth to show.
    after = format_duration(seconds(line.at - incident.opened_at))
    who = "" if line.actor == OURSELVES else f"*{_text(line.actor)}*: "
    return f"- **{iso(line.at)[11:-1]}** (+{after}) {who}{_text(line.text)}"


def _alert(alert: Alert, state: AlertState, links: Mapping[str, str]) -> str:
    lasted = f" after {span}" if (span := _span(alert.starts_at, alert.ends_at)) else ""
    why = f": {_text(state.why)}" if state.why else ""
    return (
        f"- {_linked(alert.id, links)}, {alert.severity}, {alert.classification}: {_text(wording.summary(alert))} "
        f"({state.name}{lasted}{why})"
    )


def _run(run: Run, steps: Sequence[Step], links: Mapping[str, str]) -> list[str]:
    judged = f", **{run.verified}**" if run.verified else ""
    outcome = f": {_text(run.outcome)}" if run.outcome else ""
    return [f"- {_linked(run.id, links)} {run.runbook}, {run.state}{judged}{outcome}", *map(_step, steps)]


def _step(step: Step) -> str:
    acts = step.kind == "act"
    kind = "changes something" if acts else "only looks"
    # A step that only looks is written down once it has looked: there is no telling how long it took.
    took = f" in {span}" if acts and (span := _span(step.intent_at, step.done_at)) else ""
    error = f": {_text(step.error)}" if step.error else ""
    return f"  - {step.name} ({kind}): {step.state}{took}{error}"


def _notification(told: Notification, links: Mapping[str, str]) -> str:
    sent = f" at {iso(told.sent_at)[11:-1]}" if told.sent_at else ""
    error = f" ({_text(told.last_error)})" if told.last_error else ""
    return f"- {_linked(told.id, links)}, a {told.kind} to {_text(told.notifier)}: {told.state}{sent}{error}"


def _list(title: str, entries: Sequence[str]) -> str:
    return f"## {title}\n\n" + "\n".join(entries) if entries else ""


def _text(text: str) -> str:
    """Text that stays on its line and makes no table."""
    return " ".join(text.split()).replace("|", "\\|")


def _linked(id: str, links: Mapping[str, str]) -> str:
    return f"[{id}]({links[id]})" if id in links else id


def _span(start: int, end: int | None) -> str:
    return format_duration(max(0.0, seconds(end - start))) if end is not None else ""
