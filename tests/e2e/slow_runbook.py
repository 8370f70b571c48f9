"""A runbook with a step that is over at once and one that takes its time, to be killed in the middle of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness import Forewatch, wait_for

from forewatch.store import runs

SLOW_RUNBOOK = '''
import asyncio
import os
from pathlib import Path

from forewatch.runbook import runbook, step


@step(timeout=60)
async def first(folder: str) -> str:
    with (Path(folder) / "first").open("a") as file:
        file.write("done\\n")
    return "first"


@step(timeout=60, repeatable=True)
async def slow(folder: str, seconds: float) -> str:
    with (Path(folder) / "slow").open("a") as file:
        file.write(f"{os.getpid()}\\n")
    await asyncio.sleep(seconds)
    return "slow"


@step(timeout=60)
async def unclear(folder: str) -> str:
    with (Path(folder) / "unclear").open("a") as file:
        file.write(f"{os.getpid()}\\n")
    await asyncio.sleep(4)
    return "unclear"


@runbook(title="Take its time")
async def take_time(folder: str, clear: bool = True, seconds: float = 4.0) -> str:
    """Two steps: one that is over at once, one that takes its time.

    Args:
        folder: Where each step leaves a line.
        clear: Whether the slow step may be done again.
        seconds: How long it takes then.
    """
    await first(folder)
    return await (slow(folder, seconds) if clear else unclear(folder))
'''


def install(folder: Path) -> None:
    """Write it to `books/`, which the configuration names under `runbook_folders`."""
    (folder / "books").mkdir()
    (folder / "books" / "take_time.py").write_text(SLOW_RUNBOOK, encoding="utf-8")


def start_slowly(forewatch: Forewatch, folder: Path, *, clear: bool, seconds: float = 4.0) -> str:
    """Have it started, and wait until its slow step is under way. Its run's id."""
    folder.mkdir()
    inputs = (f"folder={folder}", f"clear={str(clear).lower()}", f"seconds={seconds}")
    arguments = [part for pair in inputs for part in ("--with", pair)]
    said = forewatch.cli("runbooks", "run", "take-time", "--no-wait", *arguments)
    assert said.returncode == 0, said.stdout + said.stderr
    try:
        # How soon a run starts is for a benchmark to say: what these tests are about begins with the slow step.
        wait_for("the slow step", (folder / ("slow" if clear else "unclear")).exists, 90)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{forewatch.tail()}") from error
    return said.stdout.split()[0]


def run_of(forewatch: Forewatch, run_id: str) -> Any:
    """The run as it is stored now."""
    with forewatch.runtime() as runtime, runtime.store.read() as conn:
        return runs.get(conn, run_id)


def ended(forewatch: Forewatch, run_id: str) -> Any:
    """The run once it is over, None before that."""
    run = run_of(forewatch, run_id)
    return run if run.finished_at is not None else None
