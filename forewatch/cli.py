"""`forewatch ...`: thin. Every error we raise on purpose ends as one sentence and exit code 1; configuration as 2.

Only the module of the command that was typed is imported: all of them together take seconds.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from forewatch import __version__
from forewatch.commands import quick
from forewatch.errors import ConfigError, ForewatchError

COMMANDS = {
    "up": ("up", "login"),
    "checks": ("check", "schema", "probe"),
    "incidents": ("incidents", "why"),
    "causes": ("causes",),
    "anomalies": ("anomalies",),
    "replay": ("replay",),
    "routes": ("routes",),
    "silences": ("silences",),
    "maintenance": ("maintenance",),
    "sources": ("sources",),
    "runbooks": ("runbooks", "stop-automation"),
    "notify": ("notify",),
    "health": ("status", "doctor"),
    "objectives": ("objectives",),
    "detect": ("detect",),
    "forecast_csv": ("forecast",),
    "forecasts": ("forecasts",),
    "bench": ("bench",),
    "benchmarks": ("benchmarks",),
    "trends": ("trends", "deployments"),
    "backtest": ("backtest",),
    "upkeep": ("upkeep",),
    "backup": ("backup",),
}
"""Module of `forewatch.commands` -> the commands it registers, in the order of the help."""


quick.install()


class OnDemand(TyperGroup):
    """Imports the module of a command when the command is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All of them, imported: the help prints a line of each."""
        for module in COMMANDS:
            self._import(module)
        named = [name for names in COMMANDS.values() for name in names]
        return [*named, *(name for name in self.commands if name not in named)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        for module, names in COMMANDS.items():
            if cmd_name in names:
                self._import(module)
        return super().get_command(ctx, cmd_name)

    def _import(self, module: str) -> None:
        if COMMANDS[module][0] in self.commands:
            return
        part = typer.Typer()
        import_module(f"forewatch.commands.{module}").register(part)
        # Typer makes a group of what has several commands or a callback, and a bare command of anything else.
        part.callback()(_nothing)
        group: Any = typer.main.get_command(part)
        self.commands.update(group.commands)


def _nothing() -> None:
    """A callback, so that one command alone is a group too."""


app = typer.Typer(
    name="forewatch",
    cls=OnDemand,
    help="Watches services, sees trouble coming, fixes what it safely can, pages a person for the rest.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"forewatch {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What may stand before the command."""


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
