"""`forewatch objectives`: how the services' objectives stand."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from forewatch.commands.common import HomeOption, opened, table
from forewatch.errors import NotFound
from forewatch.reports.objectives import COLUMNS, standing
from forewatch.series.objective_answers import service_objectives

EMPTY = "No service has objectives; docs/operations/objectives.md shows how to write one."


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""

    @app.command()
    def objectives(
        service: Annotated[str | None, typer.Argument(help="Only those of this service.", show_default=False)] = None,
        as_json: Annotated[bool, typer.Option("--json", help="All figures, as JSON.")] = False,
        home: HomeOption = None,
    ) -> None:
        """How objectives stand: what was reached, what is left of the error budgets, and for how long."""
        with opened(home) as runtime:
            _, config = runtime.configuration.current()
            if service is not None and config.service(service) is None:
                raise NotFound(f"there is no service {service} in the configuration")
            kept = [one for one in service_objectives(config) if service in (None, one.service.name)]
            found = standing(runtime.store, config, kept, runtime.clock.now())
        if as_json:
            print(json.dumps([one.as_json() for one in found], indent=2, ensure_ascii=False))
            return
        rows = [one.as_row() for one in found]
        table([column.upper() for column in COLUMNS], ([row[column] for column in COLUMNS] for row in rows), EMPTY)
