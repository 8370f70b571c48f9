"""Forecasts of real series one day ahead: the bars that were reached, with room for what differs between machines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks._day_ahead import Task, tasks
from forewatch.detection.models import fit
from forewatch.detection.quantity import Range

DATA = Path(__file__).parents[3] / ".." / "shared" / "data" / "anomaly"

pytestmark = [
    pytest.mark.unit,
    pytest.mark.filterwarnings("error"),
    pytest.mark.skipif(not DATA.is_dir(), reason="the labelled development series (shared/data/anomaly) are not here"),
]


def result(task: Task) -> tuple[float, float, float]:
    """Our error and that of "as the day before", both scaled, and the share of the day inside the band."""
    steps, there = len(task.came), ~np.isnan(task.came)
    made = fit(task.history, within=Range(0.0), steps=steps).predict(steps)
    came = task.came[there]
    ours = np.mean(np.abs(np.array(made.mean)[there] - came)) / task.scale
    naive = np.mean(np.abs(task.history.values[-steps:][there] - came)) / task.scale
    slack = 1e-5 * np.abs(came)
    lower, upper = np.array(made.lower)[there], np.array(made.upper)[there]
    return float(ours), float(naive), float(np.mean((came >= lower - slack) & (came <= upper + slack)))


def test_a_day_ahead_is_forecast_better_than_by_the_day_before_and_within_its_band():
    ours, naive, inside = np.array([result(task) for task in tasks(DATA, 2)]).T
    assert len(ours) > 60
    assert np.median(ours) < 0.78
    assert np.median(ours) < 0.85 * np.median(naive)
    assert 0.93 <= np.mean(inside) <= 0.98
    assert np.quantile(inside, 0.1) >= 0.82
