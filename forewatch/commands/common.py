"""What all commands share: where the state folder is, opening it, printing tables, ending with a sentence."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from forewatch.clock import to_datetime
from forewatch.errors import NotFound
from forewatch.home import Home
from forewatch.orchestration.settings import Settings
from forewatch.runtime import Runtime, open_runtime

out = Console(highlight=False, soft_wrap=True)

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="The state folder; default $FOREWATCH_HOME or ./.forewatch.")
]


def home_of(folder: Path | None) -> Home:
    """The state folder a command works on."""
    return Home(folder.resolve()) if folder is not None else Home.from_env()


@contextmanager
def opened(folder: Path | None) -> Iterator[Runtime]:
    """The runtime of a state folder. Raises NotFound where no Forewatch was ever started on it."""
    home = home_of(folder)
    if not home.decisions_db.exists():
        raise NotFound(
            f"there is no Forewatch in {home.root}; run `forewatch up` first, or name its folder with --home"
        )
    runtime = open_runtime(home)
    try:
        yield runtime
    finally:
        runtime.store.close()


def settings_of(runtime: Runtime) -> Settings:
    """Ports and addresses. Raises NotFound where none were ever written."""
    settings = Settings.read(runtime.home)
    if settings is None:
        raise NotFound(f"no Forewatch has run on {runtime.home.root} yet; run: forewatch up")
    return settings


def person() -> str:
    """Who acts, for the record."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


def local(at: int | None) -> str:
    """An instant in this terminal's own time zone; empty for none."""
    if at is None:
        return ""
    moment: datetime = to_datetime(at).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Print rows below their heads, or the sentence for none."""
    drawn = Table(*columns, box=None, pad_edge=False, header_style="bold")
    count = 0
    for row in rows:
        drawn.add_row(*[str(cell) for cell in row])
        count += 1
    out.print(drawn if count else empty, markup=False)
