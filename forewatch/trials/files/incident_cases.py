"""Reading an incident that was recorded as files: a folder with its metrics and its alarm, below its scenario's graph.

    SCENARIO/graph.csv               square 0/1 table, a row calls the columns set in it
    SCENARIO/noissue/metrics.csv     a period without trouble
    SCENARIO/.../CASE/metrics.csv    the buckets round the incident
    SCENARIO/.../CASE/alarm.json     {"node", "metric", "timestamp"}: which service broke its objective, and when

`metrics.csv` has three header rows (service, metric, statistic), a row naming the index, then one row a bucket: Unix
seconds at its start and the values; an empty cell is no data. This is the form of the PetShop dataset. Nothing else in
the folders is read.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from forewatch.clock import micros
from forewatch.errors import ForewatchError
from forewatch.incidents.causes.graph import Graph
from forewatch.incidents.causes.ranking import KINDS, Alarm, Kind, Ranking
from forewatch.incidents.causes.telemetry import Floats, Telemetry
from forewatch.incidents.rootcause import Ranker

GRAPH, METRICS, ALARM = "graph.csv", "metrics.csv", "alarm.json"
NORMAL = "noissue"
BUCKET = 300.0
"""Seconds of a bucket where a file has only one."""
LARGEST = 1e15
_PERCENTILES = ("p50", "p90", "p95", "p99")
_NO_DATA = frozenset({"", "nan", "null", "none"})


@dataclass(frozen=True)
class Case:
    """Where the files of one case are. Finding them raises ForewatchError naming what is missing and where."""

    folder: Path
    scenario: Path

    @classmethod
    def at(cls, folder: Path) -> Case:
        if not folder.is_dir():
            raise ForewatchError(f"{folder} is not a folder; name one that holds {METRICS} and {ALARM}")
        for name in (METRICS, ALARM):
            if not (folder / name).is_file():
                raise ForewatchError(f"{folder} has no {name}; a case needs {METRICS} and {ALARM}")
        resolved = folder.resolve()
        for above in (resolved, *resolved.parents):
            if (above / GRAPH).is_file():
                return cls(folder, above)
        raise ForewatchError(f"there is no {GRAPH} in {folder} or above it; put the scenario's dependency graph there")


class Reader:
    """Ranks cases; graphs and normal periods are read, and fitted, once a scenario."""

    def __init__(self, baseline: str | None = None, root: Path | None = None) -> None:
        """`baseline` names the scenario whose normal period stands in for a missing one: a folder, or its name below
        or beside `root`."""
        self._baseline, self._root = baseline, root
        self._rankers: dict[Path, Ranker] = {}

    def rank(self, case: Case) -> Ranking:
        """The ranking of a case. Raises ForewatchError for a file that is missing or not in the form."""
        ranker = self._rankers.get(case.scenario)
        if ranker is None:
            graph = read_graph(case.scenario / GRAPH)
            ranker = self._rankers[case.scenario] = Ranker(graph, read_metrics(self._normal(case)))
        alarm = read_alarm(case.folder / ALARM)
        if alarm.service not in ranker.graph.place:
            raise ForewatchError(
                f"{case.folder / ALARM}: node {alarm.service} is not in {case.scenario / GRAPH}; add it there"
            )
        return ranker.rank(read_metrics(case.folder / METRICS), [alarm])

    def _normal(self, case: Case) -> Path:
        own = case.scenario / NORMAL / METRICS
        if own.is_file():
            return own
        if self._baseline is None:
            raise ForewatchError(
                f"{case.scenario} has no {NORMAL}/{METRICS}, the period without trouble; "
                "name a scenario that stands in for it with --baseline"
            )
        beside = [] if self._root is None else [self._root, self._root.resolve().parent]
        for folder in (*beside, case.scenario.parent, Path()):
            found = folder / self._baseline / NORMAL / METRICS
            if found.is_file():
                return found
        raise ForewatchError(f"--baseline {self._baseline}: no scenario of that name has a {NORMAL}/{METRICS}")


def cases_below(root: Path) -> Iterator[tuple[str, Path]]:
    """The folder of every case below one, in the order of their ids, which are paths relative to it. Raises
    ForewatchError where there is none."""
    if not root.is_dir():
        raise ForewatchError(f"{root} is not a folder; name one that holds cases")
    folders = sorted({file.parent for name in (METRICS, ALARM) for file in root.rglob(name)})
    folders = [folder for folder in folders if folder.name != NORMAL]
    if not folders:
        raise ForewatchError(f"there is no case below {root}: no folder with {METRICS} and {ALARM}")
    for folder in folders:
        yield folder.relative_to(root).as_posix(), folder


def read_graph(path: Path) -> Graph:
    """A square table of 0 and 1: its first row and first column name the services. Raises ForewatchError."""
    rows = _rows(path)
    names = [name.strip() for name in rows[0][1:]]
    if not names:
        raise ForewatchError(f"{path}: row 1 names no services; it should be the head of a square table")
    if twice := next((name for number, name in enumerate(names) if name in names[:number]), None):
        raise ForewatchError(f"{path}: row 1 names {twice} twice")
    depends_on: dict[str, list[str]] = {name: [] for name in names}
    seen: set[str] = set()
    for number, row in enumerate(rows[1:], 2):
        _same_length(path, number, row, rows[0])
        caller = row[0].strip()
        if caller not in depends_on:
            raise ForewatchError(f"{path}: row {number} is of {caller!r}, which row 1 does not name")
        seen.add(caller)
        for name, cell in zip(names, row[1:], strict=True):
            if _number(path, number, cell) not in (0.0, 1.0) and cell.strip():
                raise ForewatchError(f"{path}: row {number} has {cell.strip()!r} under {name}; it should be 0 or 1")
            if cell.strip() and float(cell):
                depends_on[caller].append(name)
    missing = [name for name in names if name not in seen]
    if missing:
        raise ForewatchError(f"{path}: there is no row of {missing[0]}, which row 1 names; the table should be square")
    return Graph(names, depends_on)


def read_metrics(path: Path) -> Telemetry:
    """Latency, requests and availability of each service over time. Raises ForewatchError naming file and row."""
    rows = _rows(path)
    if len(rows) < 5:
        raise ForewatchError(
            f"{path} ends at row {len(rows)}; four rows of heads and at least one of values belong in it"
        )
    for number, row in enumerate(rows[1:], 2):
        if number != 4:
            _same_length(path, number, row, rows[0])
    values = np.array(
        [[_number(path, number, cell) for cell in row] for number, row in enumerate(rows[4:], 5)], dtype=np.float64
    )
    for number, start in enumerate(values[:, 0], 5):
        if not 0 < start < LARGEST:
            raise ForewatchError(f"{path}: row {number} begins with {rows[number - 1][0]!r}; Unix seconds belong there")
    values = values[np.argsort(values[:, 0], kind="stable")]
    starts = values[:, 0]
    if (np.diff(starts) == 0).any():
        twice = starts[1:][np.diff(starts) == 0][0]
        raise ForewatchError(f"{path} has two rows for {twice:.0f}; a bucket may stand in it once")
    columns: dict[tuple[str, str, str], int] = {}
    for number, head in enumerate(zip(*rows[:3], strict=True)):
        service, metric, statistic = (cell.strip() for cell in head)
        if (service, metric, statistic) in columns:
            raise ForewatchError(f"{path}: row 1 has two columns of {service} {metric} {statistic}")
        if number:
            columns[service, metric, statistic] = number
    services = tuple(dict.fromkeys(service for service, _, _ in columns))
    additive = any(metric == "latency" and statistic == "Average" for _, metric, statistic in columns)

    def matrix(metric: str, *statistics: str) -> Floats:
        found = np.full((len(services), len(values)), np.nan)
        for row, service in enumerate(services):
            for statistic in statistics:
                if (service, metric, statistic) in columns:
                    found[row] = values[:, columns[service, metric, statistic]]
                    break
        return found

    return Telemetry(
        services,
        np.array([micros(start) for start in starts], dtype=np.int64),
        float(np.diff(starts).min()) if len(starts) > 1 else BUCKET,
        requests=matrix("requests", "Sum"),
        latency=matrix("latency", *(("Average",) if additive else _PERCENTILES)),
        success=matrix("availability", "Average") / 100.0,
        additive=additive,
    )


def read_alarm(path: Path) -> Alarm:
    """Which service broke which objective, and when. Raises ForewatchError."""
    try:
        read: Any = json.loads(path.read_text(encoding="utf-8"))
        service, metric, timestamp = read["node"], read["metric"], float(read["timestamp"])
    except (OSError, ValueError) as error:
        raise ForewatchError(f"{path} cannot be read: {error}") from error
    except (KeyError, TypeError) as error:
        raise ForewatchError(f"{path} needs node, metric and timestamp (Unix seconds); not so: {error}") from error
    if metric not in KINDS:
        raise ForewatchError(f"{path}: metric is {metric!r}; it should be {' or '.join(KINDS)}")
    if not (isinstance(service, str) and 0 < timestamp < LARGEST):
        raise ForewatchError(f"{path}: node should be a name and timestamp Unix seconds, not {service!r}, {timestamp}")
    kind: Kind = metric
    return Alarm(service, kind, micros(timestamp))


def _rows(path: Path) -> list[list[str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise ForewatchError(f"{path} cannot be read: {error}") from error
    while rows and not rows[-1]:
        rows.pop()
    if not rows:
        raise ForewatchError(f"{path} is empty")
    return rows


def _same_length(path: Path, number: int, row: list[str], head: list[str]) -> None:
    if len(row) != len(head):
        raise ForewatchError(f"{path}: row {number} has {len(row)} cells, row 1 has {len(head)}; all should be as long")


def _number(path: Path, number: int, cell: str) -> float:
    text = cell.strip()
    if text.lower() in _NO_DATA:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not 0 <= value < LARGEST:
        raise ForewatchError(f"{path}: row {number} has {text!r}; a number from 0 on or an empty cell belongs there")
    return value
