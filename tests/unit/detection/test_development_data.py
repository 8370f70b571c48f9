"""Forecasts of real operations series: the share of what came that lay in the band, from origins never fitted on."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from forewatch.clock import from_datetime
from forewatch.detection.band import Forecast
from forewatch.detection.forecast import forecast, score

DATA = Path(__file__).parents[3] / ".." / "shared" / "data" / "anomaly"
SERIES = (
    "realAWSCloudwatch/grok_asg_anomaly.csv",
    "realAWSCloudwatch/elb_request_count_8c0756.csv",
    "realKnownCause/ec2_request_latency_system_failure.csv",
    "realTraffic/occupancy_t4013.csv",
    "realTweets/Twitter_volume_IBM.csv",
)

pytestmark = [
    pytest.mark.unit,
    pytest.mark.filterwarnings("error"),
    pytest.mark.skipif(not DATA.is_dir(), reason="the labelled development series (shared/data/anomaly) are not here"),
]


def read(name: str) -> list[tuple[int, float]]:
    with (DATA / name).open() as file:
        rows = list(csv.DictReader(file))
    return [
        (from_datetime(datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC)), float(row["value"]))
        for row in rows
    ]


def test_bands_hold_on_real_series():
    shares = []
    for name in SERIES:
        rows = read(name)
        for origin in np.linspace(len(rows) * 0.4, len(rows) - 20, 8).astype(int):
            made = forecast(rows[:origin], rows[origin - 1][0] + 1)
            if isinstance(made, Forecast) and (result := score(made, rows[origin : origin + 100])):
                shares.append(result[0])
    assert len(shares) > 30
    assert np.mean(shares) > 0.90
