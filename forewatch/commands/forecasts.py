"""`forewatch forecasts ...`."""

from __future__ import annotations

from typing import Annotated

import typer

from forewatch.clock import micros, seconds
from forewatch.commands.common import HomeOption, local, opened, out, table
from forewatch.detection.horizons import HORIZONS, Reach
from forewatch.detection.quantity import show
from forewatch.reports.forecasts import SeriesForecast, find_series, horizon_of, name_of, series_forecasts
from forewatch.store import series
from forewatch.store.forecasts import Forecast
from forewatch.units import format_duration

SHOWN = 50
"""Series printed unless asked for more."""
STEPS_SHOWN = 12


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="What is coming, and how good the forecasts have been so far.", no_args_is_help=True)
    app.add_typer(group, name="forecasts")

    @group.command("list")
    def listing(
        text: Annotated[str, typer.Argument(metavar="[TEXT]", help="Part of a series' name.")] = "",
        limit: Annotated[int, typer.Option(min=1, help="How many series to print.")] = SHOWN,
        home: HomeOption = None,
    ) -> None:
        """What each series is expected to do: first those that run out, then those with poor forecasts."""
        with opened(home) as runtime, runtime.store.read_metrics() as conn:
            now = runtime.clock.now()
            every = [one for one in series.all_series(conn) if text in name_of(one)]
            found = sorted(series_forecasts(conn, every, now), key=_rank)
        table(
            ("ID", "NOW", "IN AN HOUR", "IN A DAY", "HELD", "RUNS OUT", "SERIES"),
            (
                (
                    one.series.id,
                    one.said(one.value) or "no data",
                    one.end_of("hour") or "not yet",
                    one.end_of("day") or "not yet",
                    held(one, "hour"),
                    _in(one.exhausted_at, now),
                    one.name,
                )
                for one in found[:limit]
            ),
            f"No series has {text} in its name." if text else "Nothing is measured yet.",
        )
        if len(found) > limit:
            out.print(f"\n{len(found) - limit} more: narrow the list by part of a name, or raise --limit.")

    @group.command("show")
    def show_one(
        which: Annotated[str, typer.Argument(metavar="SERIES", help="Its number, name, or metric.")],
        horizon: Annotated[str, typer.Option(help="hour, day, week or month: print its steps.")] = "",
        home: HomeOption = None,
    ) -> None:
        """One series: each horizon with its band, how often the band held, and what is not known yet."""
        reach = horizon_of(horizon) if horizon else None
        with opened(home) as runtime, runtime.store.read_metrics() as conn:
            now = runtime.clock.now()
            [one] = series_forecasts(conn, [find_series(conn, which)], now)
        out.print(f"{one.series.id} {one.name}: {one.said(one.value) or 'no data'} now.\n", markup=False)
        _show_horizons(one)
        if one.unknown:
            out.print(f"\nNot known yet: {', '.join(one.unknown)}.", markup=False)
        if one.exhausted_at is not None:
            out.print(f"\nUsed up in {_in(one.exhausted_at, now)}, {local(one.exhausted_at)}.", markup=False)
        for failing in one.demoted:
            out.print(
                f"\nThe bands of its {failing} fail (they held {one.trust[failing].said}): "
                "alerts that rest on them are tickets, and page nobody.",
                markup=False,
            )
        if reach is not None:
            out.print()
            _show_steps(one, reach)


def held(one: SeriesForecast, reach: Reach) -> str:
    """How often the bands held: `94.1% of 20`, with a word where that is too little."""
    trust = one.trust[reach]
    if trust.coverage is None:
        return ""
    failing = ", fails" if trust.demoted else ""
    return f"{show(trust.coverage, 'ratio')} of {trust.scored}{failing}"


def _show_horizons(one: SeriesForecast) -> None:
    rows = []
    for horizon in HORIZONS:
        reach = horizon.name
        made = one.made.get(reach)
        if made is None:
            rows.append((reach, "not yet", "", held(one, reach), "", one.not_yet[reach]))
        else:
            expected, _, band = one.end_of(reach).partition(" (")
            rows.append((reach, expected, band.rstrip(")"), held(one, reach), local(made.made_at), made.model))
    table(("HORIZON", "AT ITS END", "95 % BAND", "HELD", "MADE", "MODEL"), rows, "")


def _show_steps(one: SeriesForecast, reach: Reach) -> None:
    made = one.made.get(reach)
    if made is None:
        out.print(f"No forecast of the {reach} yet: {one.not_yet[reach]}.", markup=False)
        return
    table(
        ("FROM", "EXPECTED", "LOWER", "UPPER"),
        (
            (local(made.start + index * micros(made.step)), *(one.said(part[index]) for part in _parts(made)))
            for index in range(0, len(made.mean), max(1, len(made.mean) // STEPS_SHOWN))
        ),
        "",
    )


def _parts(made: Forecast) -> tuple[tuple[float, ...], ...]:
    return tuple(made.mean), tuple(made.lower), tuple(made.upper)


def _rank(one: SeriesForecast) -> tuple[bool, int, bool, bool, str]:
    """What runs out first, then what fails, then what is forecast, then the rest, by name."""
    runs_out = one.exhausted_at
    return (runs_out is None, runs_out or 0, not one.demoted, "hour" not in one.made, one.name)


def _in(at: int | None, now: int) -> str:
    return "" if at is None else format_duration(max(0.0, seconds(at - now)))
