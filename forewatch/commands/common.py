"""What all commands share: where the state folder is, opening it, printing tables, ending with a sentence."""

from __future__ import annotations

import getpass
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.cells import cell_len, set_cell_size
from rich.console import Console

from forewatch.bell import ring
from forewatch.clock import to_datetime
from forewatch.deciding import decide
from forewatch.errors import NotFound
from forewatch.home import Home
from forewatch.incidents.events import Event
from forewatch.incidents.outcome import Outcome
from forewatch.orchestration.settings import Settings
from forewatch.runtime import Runtime, open_runtime

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


def carry_out(runtime: Runtime, event: Callable[[int], Event]) -> Outcome:
    """Decide upon what a person asks for now, and wake all who may have work from it. Raises what `decide` does."""
    now = runtime.clock.now()
    outcome = decide(runtime.store, event(now), config=runtime.configuration.current(), now=now)
    ring_all(runtime)
    return outcome


def ring_all(runtime: Runtime) -> None:
    """Wake who sends notifications and looks at timers, and who starts runs."""
    ring(runtime.home, "page-people")
    ring(runtime.home, "worker")


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
    for number, line in enumerate(lines):
        begin = "".join(set_cell_size(cell, width) + GAP for cell, width in zip(line, widths, strict=False))
        last = textwrap.wrap(line[-1], max(out.width - indent, NARROWEST)) if out.is_terminal else [line[-1]]
        text = f"\n{' ' * indent}".join(last)
        out.print((begin + text).rstrip(), markup=False, style="bold" if number == 0 else None)


def _shown(cell: object) -> str:
    """On one line, without characters that could steer a terminal: much of it comes from outside."""
    return "".join(character if character.isprintable() else " " for character in str(cell))
