"""The anomaly score of series in files: one file, or a folder tree of them spread over processes.

Strictly causal: the scores of a row rest on the rows up to it and on the options alone. The detector's step is the
median spacing of the first rows, all of which lie in the warm-up and score 0.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forewatch.clock import micros, seconds
from forewatch.detection.anomaly import Detector
from forewatch.detection.grid import Vector
from forewatch.errors import ForewatchError
from forewatch.trials.files.series_csv import Rows, SeriesError, read_series, write_csv

HEAD = ("timestamp", "value", "anomaly_score", "expected", "lower", "upper")
WARMUP_SPAN = 2 * 86400.0
"""Seconds of a series before it is judged, or `WARMUP_ROWS` rows of it where that is less."""
WARMUP_ROWS = 750
SPACING_ROWS = 24
"""Rows the spacing is read from; the default warm-up is never shorter."""

_USUAL_STEP = 300.0
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Scored:
    """A series and what was said of each of its rows; NaN where nothing was expected yet."""

    rows: Rows
    score: Vector
    expected: Vector
    lower: Vector
    upper: Vector
    detector: Detector
    """As it is after the last row."""


def score_rows(rows: Rows, *, warmup: int | None = None, compact: bool = False) -> Scored:
    """Score every row in the order of the file.

    `compact` ranks as the product does, in half of the room and a little coarser.

    A late row, one without a value and an exact repetition teach the detector nothing: the first two score 0, the last
    what its original did.
    """
    fresh = ~(rows.late | rows.doubled | np.isnan(rows.values))
    at, values = rows.at[fresh], rows.values[fresh]
    detector = _detector(at, warmup, compact)
    scores = detector.update_many(at, values)
    place = np.cumsum(fresh) - 1
    known = (fresh | (rows.doubled & ~rows.late & ~np.isnan(rows.values))) & (place >= 0)

    def spread(found: Vector, otherwise: float) -> Vector:
        column = np.full(len(rows), otherwise)
        column[known] = found[place[known]]
        return column

    return Scored(
        rows,
        spread(scores.score, 0.0),
        spread(scores.expected, np.nan),
        spread(scores.lower, np.nan),
        spread(scores.upper, np.nan),
        detector,
    )


def detect_file(source: Path, target: Path, *, warmup: int | None = None, compact: bool = False) -> Scored:
    """Score the series of a file into another one, row by row. Raises SeriesError."""
    scored = score_rows(read_series(source), warmup=warmup, compact=compact)
    columns = (scored.rows.values, scored.score, scored.expected, scored.lower, scored.upper)
    write_csv(target, HEAD, zip(scored.rows.timestamps, *(column.tolist() for column in columns), strict=True))
    return scored


@dataclass(frozen=True)
class Done:
    """A file of a folder: `error` says why it could not be scored."""

    name: Path
    rows: int
    notes: Sequence[str]
    error: str = ""


def files_of(folder: Path, target: Path) -> list[Path]:
    """The CSV files below a folder, relative to it, the largest first. Raises SeriesError where there are none."""
    if not folder.is_dir():
        raise SeriesError(f"{folder}: is no folder: name one that holds CSV files")
    inside, outside = folder.resolve(), target.resolve()
    if outside == inside or inside in outside.parents or outside in inside.parents:
        raise SeriesError(f"{target}: lies in {folder}, or around it: write the results somewhere else")
    found = [path for path in folder.rglob("*.csv") if path.is_file() and not path.name.startswith(".")]
    if not found:
        raise SeriesError(f"{folder}: holds no file that ends on .csv")
    return [path.relative_to(folder) for path in sorted(found, key=lambda path: (-path.stat().st_size, path))]


def detect_folder(
    folder: Path,
    target: Path,
    names: Sequence[Path],
    *,
    warmup: int | None = None,
    compact: bool = False,
    jobs: int | None = None,
) -> Iterator[Done]:
    """Score files of a folder into the same places below another, and say of each when it is done.

    Raises ForewatchError where a process was killed; what was written by then is whole.
    """
    work = partial(_one, folder, target, warmup, compact)
    jobs = min(jobs or processors(), len(names))
    if jobs <= 1:
        yield from map(work, names)
        return
    with (
        _one_thread_each(),
        ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        waiting: dict[Future[Done], Path] = {pool.submit(work, name): name for name in names}
        try:
            for future in as_completed(waiting):
                yield future.result()
        except BrokenProcessPool as error:
            raise ForewatchError(
                f"a process that scored files of {folder} was killed: is there memory enough? Try fewer --jobs"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _one(folder: Path, target: Path, warmup: int | None, compact: bool, name: Path) -> Done:
    try:
        scored = detect_file(folder / name, target / name, warmup=warmup, compact=compact)
    except SeriesError as error:
        return Done(name, 0, (), str(error))
    return Done(name, len(scored.rows), tuple(scored.rows.notes))


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Children begin with one thread of linear algebra each: their number is the parallelism."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _detector(at: NDArray[np.int64], warmup: int | None, compact: bool) -> Detector:
    """One for a series that begins like this. With a warm-up of its own the spacing is read from no row beyond it."""
    looked_at = SPACING_ROWS if warmup is None else max(2, min(SPACING_ROWS, warmup))
    gaps = np.diff(at[:looked_at])
    gaps = gaps[gaps > 0]
    step = seconds(int(statistics.median_low(gaps.tolist()))) if len(gaps) else _USUAL_STEP
    if warmup is None:
        warmup = max(SPACING_ROWS, min(WARMUP_ROWS, micros(WARMUP_SPAN) // max(1, micros(step))))
    return Detector(step, warmup=max(2, warmup), compact=compact)
