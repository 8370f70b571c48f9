"""`forewatch notify test`."""

from __future__ import annotations

import asyncio

import typer

from forewatch import registry
from forewatch.commands.common import HomeOption, opened, out


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Notifiers: the channels to people.", no_args_is_help=True)
    app.add_typer(group, name="notify")

    @group.command()
    def test(name: str, home: HomeOption = None) -> None:
        """Send a test notification through one notifier."""
        with opened(home) as runtime:
            _, config = runtime.configuration.current()
            receipt = asyncio.run(registry.load("test_notifier")(config, name, runtime.home))
        out.print(f"{name} accepted it: {receipt.detail}", markup=False)
