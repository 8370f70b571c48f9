"""`forewatch incidents ...`, `forewatch why`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forewatch.commands.common import (
    HomeOption,
    carry_out,
    incidents_table,
    local,
    looked_at,
    opened,
    out,
    person,
    started_home,
    table,
)
from forewatch.errors import NotFound
from forewatch.incidents.events import Acknowledged, Event, IncidentsMerged, IncidentSplit, Noted, ResolvedByHand
from forewatch.store import glance

if TYPE_CHECKING:
    from forewatch.incidents.outcome import Outcome

IncidentArgument = Annotated[str, typer.Argument(help="INC-n")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Incidents: what people respond to.", no_args_is_help=True)
    app.add_typer(group, name="incidents")

    @group.command("list")
    def listing(
        every: Annotated[bool, typer.Option("--all", help="Include resolved incidents.")] = False,
        limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
        home: HomeOption = None,
    ) -> None:
        """Open incidents, newest first, with how many services each affects and since when."""
        there = started_home(home)
        with looked_at(there, there.decisions_db) as conn:
            found = glance.incidents(conn, open_only=not every, limit=limit)
        incidents_table(found, "No open incidents." if not every else "No incidents.")

    @group.command()
    def show(incident: IncidentArgument, home: HomeOption = None) -> None:
        """One incident: its alerts, why anybody is not notified of them, and its timeline."""
        from forewatch.incidents import wording
        from forewatch.reports.explanation import incident_story

        with opened(home) as runtime, runtime.store.read() as conn:
            story = incident_story(conn, incident)
        if story is None:
            raise NotFound(f"there is no incident {incident} (forewatch incidents list shows them)")
        found = story.incident
        out.print(f"{found.id} {found.status}, {found.severity}: {found.title}", markup=False)
        services = f"service{'s' if len(story.services) > 1 else ''} {', '.join(story.services)}"
        out.print(f"{services}, opened {local(found.opened_at)}", markup=False)
        if found.acknowledged_by:
            out.print(f"acknowledged by {found.acknowledged_by}, {local(found.acknowledged_at)}", markup=False)
        if found.resolution:
            out.print(f"resolved {local(found.resolved_at)}: {found.resolution}", markup=False)
        out.print()
        table(
            ("ALERT", "STATE", "SEVERITY", "CLASSIFICATION", "SERVICE", "SINCE", "WHAT"),
            (
                (
                    alert.id,
                    (state := story.state_of(alert)).name,
                    alert.severity,
                    alert.classification,
                    alert.service,
                    local(alert.starts_at),
                    wording.summary(alert) + (f" ({state.why})" if state.why else ""),
                )
                for alert in story.alerts
            ),
            "It has no alerts.",
        )
        out.print()
        table(
            ("AT", "KIND", "WHO", "WHAT"),
            ((local(entry.at), entry.kind, entry.actor, entry.text) for entry in story.timeline),
            "Nothing on its timeline.",
        )

    @group.command()
    def ack(incident: IncidentArgument, home: HomeOption = None) -> None:
        """Acknowledge an incident; NT-n acknowledges everything a digest or a notice of a group told."""
        from forewatch.incidents.outcome import PutIncident

        outcome = _decide(home, lambda now: Acknowledged(incident, person(), now))
        taken = [change.incident.id for change in outcome.changes if isinstance(change, PutIncident)]
        out.print(f"{', '.join(taken) or 'Nothing of ' + incident} is acknowledged.")

    @group.command()
    def resolve(
        incident: IncidentArgument,
        reason: Annotated[str, typer.Option(help="What it was.")] = "",
        home: HomeOption = None,
    ) -> None:
        """Resolve an incident."""
        _decide(home, lambda now: ResolvedByHand(incident, person(), reason, now))
        out.print(f"{incident} is resolved.")

    @group.command()
    def note(incident: IncidentArgument, text: str, home: HomeOption = None) -> None:
        """Add a line to an incident's timeline."""
        _decide(home, lambda now: Noted(incident, person(), text, now))
        out.print(f"Noted on {incident}.")

    @group.command()
    def merge(
        into: Annotated[str, typer.Argument(help="INC-n, the one that stays open")],
        other: Annotated[str, typer.Argument(help="INC-n, whose alerts, runs and notifications it takes over")],
        home: HomeOption = None,
    ) -> None:
        """Merge two open incidents."""
        _decide(home, lambda now: IncidentsMerged(into, other, person(), now))
        out.print(f"{other} is merged into {into}.", markup=False)

    @group.command()
    def split(
        incident: IncidentArgument,
        alert: Annotated[list[str], typer.Argument(help="AL-n, the alerts to move")],
        home: HomeOption = None,
    ) -> None:
        """Move some alerts of an open incident to an incident of their own."""
        from forewatch.incidents.outcome import PutIncident

        chosen = list(dict.fromkeys(alert))
        outcome = _decide(home, lambda now: IncidentSplit(incident, chosen, person(), now))
        new = next(
            change.incident.id
            for change in outcome.changes
            if isinstance(change, PutIncident) and change.incident.id != incident
        )
        out.print(f"{', '.join(chosen)} {'is' if len(chosen) == 1 else 'are'} {new} now.", markup=False)

    @app.command()
    def why(
        subject: Annotated[str, typer.Argument(help="AL-n, INC-n, NT-n, RUN-n, a fingerprint, a silence, a group.")],
        home: HomeOption = None,
    ) -> None:
        """Why something happened or did not: the decisions behind it, in plain sentences."""
        from forewatch.reports.explanation import why as explain

        with opened(home) as runtime, runtime.store.read() as conn:
            for line in explain(conn, subject):
                out.print(line, markup=False)


def _decide(home: Path | None, event: Callable[[int], Event]) -> Outcome:
    with opened(home) as runtime:
        return carry_out(runtime, event)
