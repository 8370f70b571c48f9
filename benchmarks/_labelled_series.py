"""Labelled operations series and their scorer, where a folder holds them.

The scorer is a program beside the data (`score/nab_score.py`, the published formula of the Numenta Anomaly Benchmark);
it is loaded from there and not part of this project.
"""

from __future__ import annotations

import csv
import importlib.util
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DAY = 86_400.0

CORPORA = {"NAB": "labels_nab.json", "Microsoft": "labels_ms.json"}


@dataclass(frozen=True)
class Labelled:
    key: str
    at: NDArray[np.int64]
    """Microseconds UTC."""
    values: NDArray[np.float64]
    step: float
    """The usual spacing, in seconds."""
    warmup: int
    """Two days or 750 rows, whichever is less."""


def scorer(folder: Path) -> ModuleType:
    """The scorer that belongs to the series. Raises FileNotFoundError where there is none."""
    path = folder / ".." / ".." / "score" / "nab_score.py"
    if not path.is_file():
        raise FileNotFoundError(f"no scorer at {path}: it belongs beside the labelled series")
    spec = importlib.util.spec_from_file_location("nab_score", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(folder: Path, corpus: str) -> list[Labelled]:
    """The series of a corpus, by their labels' keys."""
    return [_one(folder, key) for key in json.loads((folder / CORPORA[corpus]).read_text())]


def scored(nab: ModuleType, folder: Path, corpus: str, scores: dict[str, NDArray[np.float64]]) -> list[Any]:
    """The scorer's own view of the series of `scores`, to be evaluated by it."""
    labels = json.loads((folder / CORPORA[corpus]).read_text())
    return [
        nab.Series(one.key, one.at.astype("datetime64[us]"), scores[one.key], labels[one.key])
        for one in read(folder, corpus)
        if one.key in scores
    ]


def _one(folder: Path, key: str) -> Labelled:
    with (folder / key).open(newline="") as file:
        rows = [(row["timestamp"], float(row["value"])) for row in csv.DictReader(file)]
    instants = [datetime.fromisoformat(when).replace(tzinfo=UTC) for when, _ in rows]
    at = np.array([round(instant.timestamp() * 1e6) for instant in instants], np.int64)
    spacing = np.diff(at)
    # The head alone says how far rows are apart: the rest is not known yet.
    step = float(np.median(spacing[spacing > 0][:100])) / 1e6
    return Labelled(key, at, np.array([value for _, value in rows]), step, min(750, round(2 * _DAY / step)))
