"""`forewatch replay`."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from forewatch import __version__
from forewatch.clock import from_datetime, iso, micros
from forewatch.commands.common import HomeOption, opened, out
from forewatch.config.defaults import effective
from forewatch.config.loader import load_files, parse
from forewatch.config.models import Config
from forewatch.config.runbook_names import runbook_names
from forewatch.errors import ForewatchError
from forewatch.runtime import Runtime
from forewatch.trials.replay.replay import Report, replay_history
from forewatch.trials.whatif.rerun import suppose
from forewatch.units import parse_duration


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""

    @app.command()
    def replay(
        since: Annotated[str, typer.Option(help="How long back (30d), or from when (2026-11-03T09:00).")] = "30d",
        until: Annotated[str, typer.Option(help="Up to when; default now.")] = "",
        config: Annotated[
            Path | None, typer.Option(help="Another configuration: print what it would have changed.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
        home: HomeOption = None,
    ) -> None:
        """Repeat the stored decisions: exit 0 if each comes out the same, else 1 with the differences."""
        other = read_config(config) if config is not None else None
        with opened(home) as runtime:
            now = runtime.clock.now()
            begins, ends = moment("--since", since, now), moment("--until", until, now) if until else now
            if begins > ends:
                raise ForewatchError(f"--since {since} is after --until {until or 'now'}")
            if other is not None:
                _suppose(runtime, other, begins, ends, as_json)
            else:
                _replay(runtime, begins, ends, as_json)


def read_config(path: Path) -> Config:
    """The configuration of a file, with what is implied. Raises ConfigError."""
    return effective(parse(load_files(path), known_runbooks=runbook_names))


def moment(option: str, text: str, now: int) -> int:
    """A while ago, or an instant: in this machine's own time zone unless it names one."""
    try:
        return now - micros(parse_duration(text))
    except ValueError:
        pass
    try:
        return from_datetime(datetime.fromisoformat(text).astimezone())
    except (ValueError, OverflowError, OSError):
        raise ForewatchError(f"{option} {text}: neither a while ago (30d) nor a moment (2026-11-03T09:00)") from None


def _replay(runtime: Runtime, since: int, until: int, as_json: bool) -> None:
    began = time.perf_counter()
    report = replay_history(runtime.store, since=since, until=until)
    rate = report.replayed / max(time.perf_counter() - began, 1e-9)
    if as_json:
        out.print_json(json.dumps(_as_json(report, rate)))
    else:
        for line in _lines(report, rate):
            out.print(line, markup=False)
    if report.different:
        sys.exit(1)


def _suppose(runtime: Runtime, config: Config, since: int, until: int, as_json: bool) -> None:
    found = suppose(runtime.store, config, since=since, until=until)
    if found is None:
        out.print_json("null") if as_json else out.print(
            "Nothing has been observed yet, so there is nothing to replay."
        )
    elif as_json:
        out.print_json(json.dumps(found.as_json()))
    else:
        for line in found.lines():
            out.print(line, markup=False)


def _as_json(report: Report, rate: float) -> dict[str, Any]:
    return {
        "observations": report.observations,
        "same": report.same,
        "different": report.different,
        "cannot_tell": report.cannot_tell,
        "differences": report.differences,
        "history_begins": report.begins,
        "decisions_per_second": round(rate, 1),
    }


def _lines(report: Report, rate: float) -> list[str]:
    if not report.observations:
        return ["Nothing was observed in this time, so there is nothing to replay."]
    counted = f"{report.observations:,} observations, {report.same + report.different:,} decisions"
    said = "all the same" if not report.different else f"{report.different:,} of them different"
    lines = [f"{counted}, {said} ({rate:,.0f} decisions/s)."]
    if report.cannot_tell and report.begins is not None:
        lines.append(
            f"Of {report.cannot_tell:,} observations it cannot be told: "
            f"they began before the history, which goes back to {iso(report.begins)}."
        )
    if others := sorted(report.code_versions - {__version__}):
        lines.append(f"Some were decided by Forewatch {', '.join(others)}, and now by {__version__}.")
    lines += report.differences
    if report.different > len(report.differences):
        lines.append(f"And {report.different - len(report.differences):,} more.")
    return lines
