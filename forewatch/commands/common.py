"""What all commands share: where the state folder is, opening it, printing tables, ending with a sentence."""

from __future__ import annotations

import getpass
import sqlite3
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.cells import cell_len, set_cell_size
from rich.console import Console

from forewatch.clock import to_datetime
from forewatch.errors import NotFound, StoreUnavailable
from forewatch.home import Home
from forewatch.orchestration.settings import Settings
from forewatch.store import glance

if TYPE_CHECKING:
    # Each is imported where it is needed: what only prints a table does not wait for the store and its libraries.
    from forewatch.incidents.events import Event
    from forewatch.incidents.outcome import Outcome
    from forewatch.runtime import Runtime

out = Console(highlight=False, soft_wrap=True)

GAP = "  "
"""Between two columns."""
NARROWEST = 30
"""Characters of the last column below which a narrow terminal wraps as it likes."""

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="The state folder; default $FOREWATCH_HOME or ./.forewatch.")
]


def home_of(folder: Path | None) -> Home:
    """The state folder a command works on."""
    return Home(folder.resolve()) if folder is not None else Home.from_env()


@contextmanager
def opened(folder: Path | None) -> Iterator[Runtime]:
    """The runtime of a state folder. Raises NotFound where no Forewatch was ever started on it."""
    from forewatch import runtime

    there = runtime.open_runtime(started_home(folder))
    try:
        yield there
    finally:
        there.store.close()


def started_home(folder: Path | None) -> Home:
    """The state folder a command reads. Raises NotFound where no Forewatch was ever started on it."""
    home = home_of(folder)
    if not home.decisions_db.exists():
        raise NotFound(
            f"there is no Forewatch in {home.root}; run `forewatch up` first, or name its folder with --home"
        )
    return home


@contextmanager
def looked_at(home: Home, file: Path) -> Iterator[sqlite3.Connection]:
    """One view of a file of the store for `forewatch.store.glance`. Where SQLite refuses, the store itself is opened,
    whose sentence says what is wrong with it."""
    try:
        with glance.looking(file) as conn:
            yield conn
    except sqlite3.Error as error:
        from forewatch.runtime import open_runtime

        open_runtime(home).store.close()
        raise StoreUnavailable(f"{file} cannot be read: {error}") from error


def carry_out(runtime: Runtime, event: Callable[[int], Event]) -> Outcome:
    """Decide what a person asks for now, and wake all who may have work from it. Raises what `decide` does."""
    from forewatch.deciding import decide

    asked = event(runtime.clock.now())
    outcome = decide(runtime.store, asked, config=runtime.configuration.current(), now=runtime.clock.now)
    ring_all(runtime)
    return outcome


def ring_all(runtime: Runtime) -> None:
    """Wake who sends notifications and looks at timers, and who starts runs."""
    from forewatch.bell import ring

    ring(runtime.home, "page-people")
    ring(runtime.home, "worker")


def settings_of(home: Home) -> Settings:
    """Ports and addresses. Raises NotFound where none were ever written."""
    settings = Settings.read(home)
    if settings is None:
        raise NotFound(f"no Forewatch has run on {home.root} yet; run: forewatch up")
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


def incidents_table(found: Iterable[dict[str, Any]], empty: str) -> None:
    """Incidents as `glance.incidents` has them."""
    keys = ("id", "status", "severity", "service", "services")
    table(
        ("INCIDENT", "STATUS", "SEVERITY", "SERVICE", "SERVICES", "SINCE", "TITLE"),
        ((*(row[key] for key in keys), local(row["opened_at"]), row["title"]) for row in found),
        empty,
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Print rows below their heads, or the sentence for none. A column without any content is left out.

    The last column takes what it needs: wrapped below itself in a terminal, on one line for a program that reads.
    """
    cells = [[_shown(cell) for cell in row] for row in rows]
    if not cells:
        out.print(empty, markup=False)
        return
    filled = [index for index in range(len(columns)) if any(row[index] for row in cells)]
    lines = [[columns[index] for index in filled], *([row[index] for index in filled] for row in cells)]
    widths = [max(cell_len(line[place]) for line in lines) for place in range(len(filled) - 1)]
    indent = sum(widths) + len(GAP) * len(widths)
    written = []
    for line in lines:
        begin = "".join(set_cell_size(cell, width) + GAP for cell, width in zip(line, widths, strict=False))
        last = textwrap.wrap(line[-1], max(out.width - indent, NARROWEST)) if out.is_terminal else [line[-1]]
        written.append((begin + f"\n{' ' * indent}".join(last)).rstrip())
    out.print(written[0], markup=False, style="bold")
    # In one piece: rich takes a tenth of a millisecond for each call, and there may be thousands of rows.
    out.out("\n".join(written[1:]))


def _shown(cell: object) -> str:
    """On one line, without characters that could steer a terminal: much of it comes from outside."""
    text = str(cell)
    return text if text.isprintable() else "".join(one if one.isprintable() else " " for one in text)
