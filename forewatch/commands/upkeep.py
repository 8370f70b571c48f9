"""`forewatch upkeep`: what wears out, leaks or drifts, and by when somebody should see to it."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from forewatch.commands.common import HomeOption, local, opened, out, table


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""

    @app.command()
    def upkeep(
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False, home: HomeOption = None
    ) -> None:
        """What wears out, leaks or drifts: the maintenance list, most urgent first, with dates and reasons."""
        # Imported here: numpy need not stay in the memory of `forewatch up`, which is this same program.
        from forewatch.reports.upkeep import maintenance_list

        with opened(home) as runtime:
            found = maintenance_list(runtime.store, runtime.clock.now())
        if as_json:
            print(json.dumps({"items": [one.as_json() for one in found.items], "unknown": found.unknown}, indent=2))
            return
        table(
            ("BY", "WHAT", "TO DO", "WHY"),
            ((local(one.by)[:10], one.what, one.todo, one.evidence) for one in found.items),
            "Nothing is wearing out, leaking or drifting, as far as can be seen.",
        )
        for text in found.unknown:
            out.print(text, markup=False)
