"""A series as a CSV file with the columns `timestamp` and `value`, and results beside it.

* The first line names the columns; others than those two are passed over, their order is free, `,` `;` and tab part
  them.
* `timestamp` is ISO 8601 (`2026-11-03T09:04:05Z`, with any offset; without one it is UTC) or the epoch in seconds,
  milliseconds, microseconds or nanoseconds, told apart by their size.
* An empty `value` (or `nan`, `null`) says that nothing was measured then. Anything else that is no finite number is
  refused, and so is what is larger than any metric: what is guessed at would be a wrong answer.
* Rows stay in the order of the file. One that is older than a row before it is kept and marked as late: sorting it in
  would let the past know the future. A file of which more than half is late or double is refused: it runs backwards, or
  holds several series.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from forewatch.detection.grid import Vector
from forewatch.errors import ForewatchError
from forewatch.guard.safe_files import whole
from forewatch.trials.files.instants import Instants, shown

LARGEST = 1e300
"""No metric is larger, and sums of what is smaller can still be counted with."""

_LONGEST_LINE = 1_000_000  # characters
_NOTHING = frozenset({"", "nan", "null", "none", "na", "n/a"})


class SeriesError(ForewatchError):
    """A file that is no series: names the file, the line (the first is 1) and the remedy."""


@dataclass(frozen=True)
class Rows:
    """A series as its file has it, in the order of the file."""

    path: Path
    timestamps: Sequence[str]
    """As they were written."""
    at: NDArray[np.int64]
    """Microseconds UTC."""
    values: Vector
    """NaN where nothing was measured."""
    lines: NDArray[np.int64]
    """The line of the file each row ends on, from 1."""
    notes: Sequence[str] = field(default_factory=tuple)
    """What a person should know of how it was read, a sentence each."""

    def __len__(self) -> int:
        return len(self.timestamps)

    @property
    def late(self) -> NDArray[np.bool_]:
        """Rows older than one before them."""
        newest = np.maximum.accumulate(self.at)
        return np.asarray(self.at < newest)

    @property
    def doubled(self) -> NDArray[np.bool_]:
        """Rows of the same moment and value as the row before."""
        same = (self.at[1:] == self.at[:-1]) & _equal(self.values[1:], self.values[:-1])
        return np.concatenate([np.zeros(min(1, len(self)), bool), same])

    def samples(self, among: NDArray[np.bool_] | None = None) -> list[tuple[int, float]]:
        """What was measured as (microseconds, value), oldest first; of several at one moment the last counts."""
        known = np.isfinite(self.values)
        if among is not None:
            known &= among
        latest = dict(zip(self.at[known].tolist(), self.values[known].tolist(), strict=True))
        return sorted(latest.items())


def read_series(path: Path) -> Rows:
    """The series in a file. Raises SeriesError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _parse(path, file)
    except UnicodeDecodeError as error:
        raise SeriesError(f"{path}:{_undecodable(path)}: is not UTF-8 text: save it as CSV in UTF-8") from error
    except OSError as error:
        raise SeriesError(f"{path}: cannot be read: {error.strerror or error}") from error


def write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a file that appears only when it is whole; NaN becomes an empty cell. Raises SeriesError."""
    if path.is_dir():
        raise SeriesError(f"{path}: is a folder: name a file to write")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(head)
            writer.writerows(["" if cell != cell else cell for cell in row] for row in rows)
    except OSError as error:
        raise SeriesError(f"{path}: cannot be written: {error.strerror or error}") from error


def _parse(path: Path, file: TextIO) -> Rows:
    lines = _lines(path, file)
    first = next(lines, None)
    if first is None:
        raise SeriesError(f"{path}: is empty: it needs a first line `timestamp,value` and rows below it")
    delimiter = next((mark for mark in (",", ";", "\t") if mark in first), ",")
    [head, *_] = [*csv.reader([first], delimiter=delimiter), []]
    time_column, value_column = (_column(path, head, name) for name in ("timestamp", "value"))
    instants = Instants()
    timestamps: list[str] = []
    at: list[int] = []
    values: list[float] = []
    numbers: list[int] = []
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line = 1
    try:
        for row in reader:
            line = reader.line_num + 1
            if not row:
                continue
            try:
                text, said = row[time_column], row[value_column]
            except IndexError:
                raise SeriesError(
                    f"{path}:{line}: has {len(row)} of {len(head)} columns: give each row a timestamp and a value"
                ) from None
            try:
                moment = instants.read(text)
                value = _number(said)
            except ValueError as error:
                raise SeriesError(f"{path}:{line}: {error}") from None
            timestamps.append(text)
            at.append(moment)
            values.append(value)
            numbers.append(line)
    except csv.Error as error:
        raise SeriesError(f"{path}:{line + 1}: is no CSV: {error}") from error
    if not timestamps:
        raise SeriesError(f"{path}: has no rows below its first line")
    rows = Rows(path, timestamps, np.array(at, np.int64), np.array(values), np.array(numbers, np.int64))
    _refuse_disorder(rows)
    return Rows(path, timestamps, rows.at, rows.values, rows.lines, tuple(_notes(rows, instants)))


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    """The file's lines, none of which fills the memory."""
    number = 0
    while line := file.readline(_LONGEST_LINE):
        number += 1
        if len(line) >= _LONGEST_LINE:
            raise SeriesError(f"{path}:{number}: is longer than {_LONGEST_LINE:,} characters: is it a CSV file?")
        if "\0" in line:
            raise SeriesError(f"{path}:{number}: holds a NUL byte: save it as CSV in UTF-8")
        yield line


def _undecodable(path: Path) -> int:
    """The first line that is no UTF-8: a decoder's own position is that of a block."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 1


def _column(path: Path, head: Sequence[str], name: str) -> int:
    found = [place for place, cell in enumerate(head) if cell.strip().lower() == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise SeriesError(f"{path}:1: has {len(found)} columns called {name}: leave one of them")
    has = ", ".join(shown(cell) for cell in head[:8]) or "nothing"
    raise SeriesError(f"{path}:1: has no column {name}, only {has}: the first line must name timestamp and value")


def _number(text: str) -> float:
    stripped = text.strip()
    try:
        # Python takes 1_000 for a number; nobody who writes CSV does.
        value = float(stripped) if "_" not in stripped else math.nan
    except ValueError:
        value = math.nan
    if math.isnan(value):
        if stripped.lower() in _NOTHING:
            return math.nan
        raise ValueError(f"value {shown(text)} is not a number: write it like 1234.5, or leave it empty")
    if abs(value) > LARGEST:
        what = "infinite" if math.isinf(value) else f"beyond {LARGEST:g}"
        raise ValueError(f"value {shown(text)} is {what}: leave it empty where nothing was measured")
    return value


def _refuse_disorder(rows: Rows) -> None:
    if len(rows) < 2:
        return
    late = rows.late
    again = np.zeros(len(rows), bool)
    again[1:] = rows.at[1:] == rows.at[:-1]
    if np.count_nonzero(late | again) * 2 <= len(rows):
        return
    first = int(np.flatnonzero(late | again)[0])
    said, remedy = (
        ("are older than a row before them", "sort the rows by time, oldest first")
        if np.count_nonzero(late) >= np.count_nonzero(again)
        else ("repeat the moment of the row before", "keep one series in a file")
    )
    count = max(np.count_nonzero(late), np.count_nonzero(again))
    raise SeriesError(f"{rows.path}:{rows.lines[first]}: {count} of {len(rows)} rows {said}: {remedy}")


def _notes(rows: Rows, instants: Instants) -> Iterator[str]:
    for marked, said in (
        (rows.late, "older than a row before"),
        (rows.doubled, "the same as the row before"),
        (np.isnan(rows.values), "without a value"),
    ):
        if count := int(np.count_nonzero(marked)):
            verb = "is" if count == 1 else "are"
            line = rows.lines[int(np.flatnonzero(marked)[0])]
            yield f"{rows.path}: {count} of {len(rows)} rows {verb} {said}, the first on line {line}"
    if instants.zoned and instants.naive:
        yield f"{rows.path}: timestamps without a time zone are read as UTC, next to {instants.zoned} that have one"


def _equal(left: Vector, right: Vector) -> NDArray[np.bool_]:
    return np.asarray((left == right) | (np.isnan(left) & np.isnan(right)))
