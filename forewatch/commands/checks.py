"""`forewatch check`, `forewatch probe`, `forewatch schema`."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from forewatch import registry
from forewatch.commands.common import HomeOption, home_of, out, table
from forewatch.config.check import check_file
from forewatch.config.json_schema import config_schema
from forewatch.config.loader import load_files, parse
from forewatch.config.runbook_names import runbook_names
from forewatch.errors import ForewatchError
from forewatch.orchestration.settings import Settings
from forewatch.runs.form_check import RunbookCheck
from forewatch.runtime import open_runtime
from forewatch.units import format_duration


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""

    @app.command()
    def check(
        file: Annotated[Path | None, typer.Argument(help="The configuration; default forewatch.yaml.")] = None,
        config: Annotated[Path | None, typer.Option(help="The configuration, as an option.")] = None,
        strict: Annotated[bool, typer.Option("--strict", help="Treat warnings as errors.")] = False,
    ) -> None:
        """Check a configuration: exit 0, or 2 with a line for each error. Warnings are printed too."""
        if file is not None and config is not None and file != config:
            raise ForewatchError(f"check takes one configuration, and {file} and {config} are two")
        path = file or config or Path("forewatch.yaml")
        found = check_file(path, runbook_names, RunbookCheck())
        errors = [*found.problems, *found.faults]
        if lines := [*errors, *found.warnings]:
            print("\n".join(lines), file=sys.stderr)
        if errors or (strict and found.warnings):
            sys.exit(2)
        out.print(f"{path} is valid.")

    @app.command()
    def schema() -> None:
        """Print the configuration's JSON Schema, for completion and checks in an editor."""
        typer.echo(json.dumps(config_schema(), indent=2, ensure_ascii=False))

    @app.command()
    def probe(
        target: Annotated[str | None, typer.Argument(help="SERVICE or SERVICE/CHECK; default all.")] = None,
        config: Annotated[Path | None, typer.Option(help="The configuration; default: the one in force.")] = None,
        home: HomeOption = None,
    ) -> None:
        """Run checks now and print each result; exit 1 if one fails."""
        settings = Settings.read(home_of(home))
        path = config or (Path(settings.config) if settings is not None else Path("forewatch.yaml"))
        configured = parse(load_files(path))
        calls_in = any(check.heartbeat for service in configured.services for check in service.checks)
        runs = open_runtime(home_of(home)) if calls_in and home_of(home).decisions_db.exists() else None
        try:
            rows = asyncio.run(registry.load("probe_now")(configured, target, runtime=runs))
        finally:
            if runs is not None:
                runs.store.close()
        table(
            ("SERVICE", "CHECK", "INSTANCE", "RESULT", "TOOK", "REASON"),
            (
                (
                    row.service,
                    row.check,
                    row.instance,
                    "ok" if row.result.ok else "FAILS",
                    format_duration(row.result.duration),
                    row.result.reason,
                )
                for row in rows
            ),
            "The configuration has no checks.",
        )
        if not all(row.result.ok for row in rows):
            sys.exit(1)
