"""`forewatch backup`: copies of the stores now, beside the nightly ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forewatch.commands.common import HomeOption, opened, out
from forewatch.units import format_bytes


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""

    @app.command()
    def backup(
        to: Annotated[Path | None, typer.Option("--to", help="Default backups/ of the state folder.")] = None,
        home: HomeOption = None,
    ) -> None:
        """Copy the three stores while Forewatch runs, and check each copy."""
        from forewatch.store.backup import make

        with opened(home) as runtime:
            made = make(runtime.store, runtime.clock.now(), to.resolve() if to is not None else None)
        for path in made:
            out.print(f"{path}  {format_bytes(path.stat().st_size)}", markup=False)
