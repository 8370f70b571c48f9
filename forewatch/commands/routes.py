"""`forewatch routes ...`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Connection

from forewatch.clock import SystemClock
from forewatch.commands.common import HomeOption, home_of, opened, out
from forewatch.commands.replay import read_config
from forewatch.config.models import Config
from forewatch.errors import ForewatchError
from forewatch.orchestration.settings import Settings
from forewatch.store import alerts
from forewatch.store.memory import in_memory
from forewatch.trials.routing.routes_check import check_routes
from forewatch.trials.routing.who_is_told import told_lines, tree_lines, who_is_told

ConfigOption = Annotated[Path | None, typer.Option(help="The configuration; default: the one in force.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Who is notified of which alerts.", no_args_is_help=True)
    app.add_typer(group, name="routes")

    @group.command()
    def show(config: ConfigOption = None, home: HomeOption = None) -> None:
        """The routing tree, one line a route."""
        for line in tree_lines(_config(config, home)):
            out.print(line, markup=False)

    @group.command()
    def test(
        labels: Annotated[list[str], typer.Argument(help="NAME=VALUE of each label.")],
        config: ConfigOption = None,
        home: HomeOption = None,
    ) -> None:
        """Who would be notified now of an alert with these labels, and why."""
        written = labels_of(labels)
        with _asked(config, home) as (conn, settings, now):
            # As an alert of ours would carry them; what is written wins.
            given = {**settings.alert_labels(written.get("service", "")), **written}
            if added := {name: value for name, value in given.items() if name not in written}:
                names = ", ".join(f"{name}={value}" for name, value in added.items())
                out.print(f"With the labels of {given['service']}: {names}", markup=False)
            told = who_is_told(conn, settings, given, now)
            firing = alerts.firing(conn, told.alert.fingerprint)
        for line in told_lines(told, settings):
            out.print(line, markup=False)
        if firing is not None:
            out.print(f"{firing.id} of {firing.incident_id} fires with these labels: see forewatch why {firing.id}.")

    @group.command()
    def check(
        file: Annotated[Path, typer.Argument(help="A YAML list of labels and who is to be notified.")],
        config: ConfigOption = None,
        home: HomeOption = None,
    ) -> None:
        """Check the routes against a file of expectations: exit 0, or 1 with a line for each failure."""
        found = check_routes(file, _config(config, home))
        if found.failures:
            print("\n".join(found.failures), file=sys.stderr)
            out.print(f"{len(found.failures)} failures in {found.count} expectations.")
            sys.exit(1)
        out.print(f"All {found.count} expectations hold.")


def labels_of(written: Sequence[str]) -> dict[str, str]:
    """`service=shop`, quoted or not. Raises ForewatchError for what is no label."""
    labels = {}
    for pair in written:
        name, equals, value = pair.partition("=")
        if not name or not equals or name.endswith("!") or value.startswith("~"):
            raise ForewatchError(f"{pair}: write NAME=VALUE, such as service=shop")
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        if value:
            labels[name] = value
    if not labels:
        raise ForewatchError("an alert needs at least one label with a value, such as service=shop")
    return labels


@contextmanager
def _asked(config: Path | None, home: Path | None) -> Iterator[tuple[Connection, Config, int]]:
    """(store, configuration, now): the ones of a Forewatch that was started; else an empty store."""
    if home_of(home).decisions_db.exists():
        with opened(home) as runtime, runtime.store.read() as conn:
            settings = read_config(config) if config is not None else runtime.configuration.current()[1]
            yield conn, settings, runtime.clock.now()
    else:
        with in_memory() as conn:
            yield conn, _config(config, home), SystemClock().now()


def _config(path: Path | None, home: Path | None) -> Config:
    if path is None:
        settings = Settings.read(home_of(home))
        path = Path(settings.config) if settings is not None else Path("forewatch.yaml")
    return read_config(path)
