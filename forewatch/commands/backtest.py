"""`forewatch backtest`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from forewatch.commands.bars import bar
from forewatch.commands.common import HomeOption, opened, out, table
from forewatch.commands.replay import moment, read_config
from forewatch.commands.routes import labels_of
from forewatch.errors import ForewatchError
from forewatch.store.series import Series
from forewatch.trials.backtest.report import Report
from forewatch.units import parse_duration


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""

    @app.command()
    def backtest(
        target: Annotated[str, typer.Argument(help="The name of a rule's alert, or a metric.")],
        labels: Annotated[list[str] | None, typer.Argument(help="Only series with these labels, NAME=VALUE.")] = None,
        since: Annotated[str, typer.Option(help="How long back (30d), or from when (2026-11-03T09:00).")] = "30d",
        until: Annotated[str, typer.Option(help="Up to when; default now.")] = "",
        config: Annotated[Path | None, typer.Option(help="Take the rule from this configuration.")] = None,
        false_alarms: Annotated[
            float | None,
            typer.Option(min=0.001, max=1000, help="False alarms a month of the detector; default: as configured."),
        ] = None,
        tolerance: Annotated[
            str, typer.Option(help="How near an alert must be to an incident to count as its own.")
        ] = "15m",
        at_most: Annotated[str, typer.Option(help="How long it may take; what it has to leave out is named.")] = "10m",
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
        home: HomeOption = None,
    ) -> None:
        """Replay stored data through a rule or the anomaly detector: exit 0, or 1 if there is no data."""
        # Loads statsmodels, which no other command should wait for.
        from forewatch.trials.backtest.backtest import backtest as run

        other = read_config(config) if config is not None else None
        deadline = time.monotonic() + _span("--at-most", at_most)

        def steps(series: Sequence[Series]) -> Iterable[Series]:
            return bar(series, len(series), "Replaying")

        with opened(home) as runtime:
            now = runtime.clock.now()
            begins, ends = moment("--since", since, now), moment("--until", until, now) if until else now
            if begins >= ends:
                raise ForewatchError(f"--since {since} is not before --until {until or 'now'}")
            report = run(
                runtime.store,
                other or runtime.configuration.current()[1],
                target,
                since=begins,
                until=ends,
                tolerance=_span("--tolerance", tolerance),
                labels=labels_of(labels) if labels else None,
                false_alarms=false_alarms,
                steps=steps,
                over=lambda: time.monotonic() > deadline,
            )
        if as_json:
            out.print_json(json.dumps(report.as_json()))
        else:
            _show(report)
        if not report.trials:
            sys.exit(1)


def _show(report: Report) -> None:
    for line in report.summary():
        out.print(line, markup=False)
    if not report.trials:
        return
    if rows := report.alert_rows():
        out.print()
        table(("START", "END", "VALUE", "INCIDENT", "SERIES"), rows, "")
        if left_out := report.left_out():
            out.print(f"And {left_out:,} before these.")
    out.print()
    table(("SETTING", "ALERTS", "PRECISION", "RECALL", "DELAY", "NOISE/WEEK", ""), report.trial_rows(), "")


def _span(option: str, text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ForewatchError(f"{option} {error}") from None
