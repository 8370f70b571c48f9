"""`forewatch forecast`."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Annotated

import typer

from forewatch.clock import iso
from forewatch.commands.common import out
from forewatch.errors import ForewatchError
from forewatch.units import format_duration, parse_duration


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""

    @app.command()
    def forecast(
        csv: Annotated[Path, typer.Option(help="A series: columns timestamp and value.")],
        target: Annotated[Path, typer.Option("--out", help="Where to write the forecast.")],
        horizon: Annotated[str, typer.Option(help="How far beyond the last row (24h), up to 31d.")] = "24h",
        limit: Annotated[float | None, typer.Option(help="Say when the series reaches this value.")] = None,
        falling: Annotated[bool, typer.Option("--falling", help="The limit is reached from above.")] = False,
        png: Annotated[Path | None, typer.Option(help="Draw the series and its forecast.")] = None,
    ) -> None:
        """Forecast a series with a 95 % band, and say when it reaches a limit."""
        # Loads numpy, which no other command should wait for.
        from forewatch.detection.grid import LARGEST
        from forewatch.trials.files.forecast import forecast_rows, limit_sentence, write_forecast
        from forewatch.trials.files.plot import Picture, draw
        from forewatch.trials.files.series_csv import read_series

        span = _horizon(horizon)
        if limit is not None and not math.isfinite(limit):
            raise ForewatchError(f"--limit {limit}: is not a number a series can reach")
        if csv.exists() and target.exists() and csv.samefile(target):
            raise ForewatchError(f"{target}: is the series itself: write the forecast somewhere else")
        rows = read_series(csv)
        for note in rows.notes:
            print(note, file=sys.stderr)
        found = forecast_rows(rows, span)
        if found.left_out:
            said = f"{found.left_out:,} of {len(rows):,} rows have a value beyond {LARGEST:g}"
            print(f"{csv}: {said} and are left out", file=sys.stderr)
        count = write_forecast(target, found)
        made = found.forecast
        steps = f"{count:,} step{'' if count == 1 else 's'} of {format_duration(made.step)}"
        out.print(f"{target}: {steps} up to {iso(made.end)[:16]}Z, by {made.model}.", markup=False)
        for unknown in made.unknown:
            out.print(f"Not known yet: {unknown}.", markup=False)
        if limit is not None:
            out.print(limit_sentence(found, limit, falling=falling), markup=False)
        if png is not None:
            draw(png, Picture(csv.name, at=rows.at, values=rows.values, forecast=made, limit=limit))


def _horizon(text: str) -> float:
    from forewatch.trials.files.forecast import LONGEST_HORIZON

    try:
        span = parse_duration(text)
    except ValueError as error:
        raise ForewatchError(f"--horizon {error}") from None
    if not 0 < span <= LONGEST_HORIZON:
        raise ForewatchError(f"--horizon {text}: must be longer than nothing and at most 31d")
    return span
