"""`forewatch ...`: thin. Every error we raise on purpose ends as one sentence and exit code 1; configuration as 2."""

from __future__ import annotations

import sys

import typer

from forewatch import __version__
from forewatch.commands import (
    anomalies,
    backtest,
    bench,
    benchmarks,
    causes,
    checks,
    detect,
    forecast_csv,
    forecasts,
    health,
    incidents,
    maintenance,
    notify,
    objectives,
    replay,
    routes,
    runbooks,
    silences,
    sources,
    trends,
    up,
    upkeep,
)
from forewatch.errors import ConfigError, ForewatchError

app = typer.Typer(
    name="forewatch",
    help="Watches services, sees trouble coming, fixes what it safely can, pages a person for the rest.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for part in (
    up,
    checks,
    incidents,
    causes,
    anomalies,
    replay,
    routes,
    silences,
    maintenance,
    sources,
    runbooks,
    notify,
    health,
    objectives,
    detect,
    forecast_csv,
    forecasts,
    bench,
    benchmarks,
    trends,
    backtest,
    upkeep,
):
    part.register(app)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Entry point of the `forewatch` command."""
    try:
        app()
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except ForewatchError as error:
        print(f"forewatch: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
