"""`forewatch up`, `forewatch login`."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from forewatch.commands.common import HomeOption, home_of
from forewatch.errors import NotFound
from forewatch.guard.logs import setup_logging
from forewatch.guard.sentry import flush, start_sentry
from forewatch.orchestration.settings import DEFAULT_PORT, DEFAULT_PREFECT_PORT, Settings


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""

    @app.command()
    def up(
        config: Annotated[Path, typer.Option(help="The configuration; written if it is not there.")] = Path(
            "forewatch.yaml"
        ),
        home: HomeOption = None,
        port: Annotated[int, typer.Option(help="Our own HTTP port.", min=1, max=65535)] = DEFAULT_PORT,
        prefect_port: Annotated[int, typer.Option(help="The Prefect server's port.", min=1, max=65535)] = (
            DEFAULT_PREFECT_PORT
        ),
    ) -> None:
        """Start everything and keep watch until Ctrl-C."""
        from forewatch.notifying.terminal import coloured, has_colours
        from forewatch.orchestration.supervisor import Supervisor

        def say(line: str) -> None:
            print(f"{datetime.now():%H:%M:%S} {line}", flush=True)

        def show(line: str) -> None:
            print(coloured(line) if has_colours(sys.stdout) else line, flush=True)

        setup_logging("supervisor", None)
        start_sentry("supervisor")
        settings = Settings(config=str(config.resolve()), port=port, prefect_port=prefect_port)
        try:
            sys.exit(asyncio.run(Supervisor(home_of(home), settings, say, show).run()))
        finally:
            flush()

    @app.command()
    def login(home: HomeOption = None) -> None:
        """Print the login of the Prefect UI."""
        from forewatch.orchestration.prefect_settings import keys

        place = home_of(home)
        if not place.keys.exists():
            raise NotFound(f"no login has been made in {place.root} yet; run: forewatch up")
        typer.echo(keys(place).login)
