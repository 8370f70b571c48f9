"""`forewatch trends`, `forewatch deployments ...`: how series moved from week to week, and with each deployment."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from forewatch.clock import from_datetime, iso, micros
from forewatch.commands.bars import bar
from forewatch.commands.common import HomeOption, carry_out, local, opened, out, person, table
from forewatch.errors import ForewatchError, NotFound
from forewatch.incidents.events import ChangeReported
from forewatch.store import changes
from forewatch.units import parse_duration

if TYPE_CHECKING:
    from forewatch.reports.trends import Trend

_LOOKED_BACK = 90 * 86_400.0


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""

    @app.command()
    def trends(
        service: Annotated[str | None, typer.Option(help="Only of this service.")] = None,
        metric: Annotated[
            str | None, typer.Option(help="Of this metric, * standing for anything; default answer times and errors.")
        ] = None,
        weeks: Annotated[int, typer.Option(min=2, max=52, help="Weeks to look back.")] = 4,
        as_json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.")] = False,
        home: HomeOption = None,
    ) -> None:
        """Median and p95 week by week and at each deployment, and whether a change is more than chance."""
        from forewatch.reports.trends import adjusted, chosen, trend_of

        with opened(home) as runtime:
            now = runtime.clock.now()
            with runtime.store.read() as conn:
                markers = changes.between(conn, now - micros(weeks * 7 * 86_400.0), now + 1)
            with runtime.store.read_metrics() as conn:
                picked = chosen(conn, service, metric)
                found = [trend_of(conn, one, markers, now, weeks) for one in bar(picked, len(picked), "series")]
        found = adjusted([one for one in found if one.weeks])
        if as_json:
            print(json.dumps([asdict(one) for one in found], indent=2))
            return
        _show(found)

    group = typer.Typer(help="Deployments, reported by sources or recorded by hand.", no_args_is_help=True)
    app.add_typer(group, name="deployments")

    @group.command()
    def mark(
        service: Annotated[str, typer.Argument(help="What was deployed.")],
        version: Annotated[str, typer.Argument(help="Its version.")],
        at: Annotated[str, typer.Option(help="When: 2026-11-03T22:00, or 10m for ten minutes ago; default now.")] = "",
        comment: Annotated[str, typer.Option(help="What is new.")] = "",
        home: HomeOption = None,
    ) -> None:
        """Record a deployment: a likely cause of what follows, and a point to compare at."""
        with opened(home) as runtime:
            if runtime.configuration.current()[1].service(service) is None:
                raise NotFound(f"there is no service {service} in the configuration")
            moment = _moment(at, runtime.clock.now())
            text = f"{service} {version} was deployed" + (f": {comment}" if comment else "")
            details = {"version": version, "comment": comment}
            carry_out(runtime, lambda _: ChangeReported(text, service, person(), moment, details))
        out.print(f"{text}, {local(moment)}.", markup=False)

    @group.command("list")
    def listing(
        service: Annotated[str | None, typer.Option(help="Only of this service.")] = None, home: HomeOption = None
    ) -> None:
        """The changes of the last 90 days, newest first."""
        with opened(home) as runtime, runtime.store.read() as conn:
            now = runtime.clock.now()
            found = changes.between(conn, now - micros(_LOOKED_BACK), now + 1)[::-1]
        table(
            ("AT", "SERVICE", "WHAT", "REPORTED BY"),
            (
                (local(one.at), one.service or "", one.summary, one.sender)
                for one in found
                if service is None or one.service == service
            ),
            "No change was reported in the last 90 days (forewatch deployments mark SERVICE VERSION).",
        )


def _show(found: Sequence[Trend]) -> None:
    table(
        ("SERIES", "WEEK OF", "MEDIAN", "P95", "CHANGE", "P"),
        (
            (one.name if number == 0 else "", local(week.at)[:10], week.left, week.right, week.change, week.chance)
            for one in found
            for number, week in enumerate(one.shown_weeks())
        ),
        "Nothing of these was measured.",
    )
    steps = [(one, step) for one in found for step in one.shown_steps()]
    if found:
        out.print()
        table(
            ("AT", "WHAT", "SERIES", "BEFORE", "AFTER", "CHANGE", "P"),
            (
                (local(step.at)[:16], step.what, one.name, step.left, step.right, step.change, step.chance)
                for one, step in steps
            ),
            "No deployment in these weeks has a day of data on each side (forewatch deployments mark SERVICE VERSION).",
        )
        out.print(
            "\nP: how likely such a change is by chance, comparing days and corrected for the number of comparisons.",
            markup=False,
        )
    for one in found:
        if one.heading:
            out.print(f"\n{one.heading}.", markup=False)


def _moment(text: str, now: int) -> int:
    """When it was. Raises ForewatchError for what is no moment, or is still to come."""
    if not text:
        return now
    try:
        at = now - micros(parse_duration(text))
    except ValueError:
        try:
            at = from_datetime(datetime.fromisoformat(text).astimezone())
        except (ValueError, OverflowError, OSError):
            raise ForewatchError(f"--at {text}: neither a while ago (10m) nor a moment (2026-11-03T22:00)") from None
    if at > now:
        raise ForewatchError(f"--at {text}: that is in the future ({iso(at)})")
    return at
