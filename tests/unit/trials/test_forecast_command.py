"""`forewatch forecast`: a series in a file, its future, and when it reaches a limit."""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from forewatch.cli import app
from forewatch.errors import ForewatchError

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("error")]

FIRST = 1_793_664_000
"""2026-11-03T00:00:00Z"""


def write(path: Path, column: np.ndarray, step: int = 300) -> Path:
    rows = [f"{FIRST + k * step},{float(value)}" for k, value in enumerate(column)]
    path.write_text("timestamp,value\n" + "\n".join(rows) + "\n")
    return path


def daily(days: int, growth: float = 0.0) -> np.ndarray:
    """A day's rhythm and a growth a day, at five minutes."""
    k = np.arange(days * 288)
    noise = np.random.default_rng(3).normal(0, 0.5, len(k))
    return 40 + 10 * np.sin(k * 2 * np.pi / 288) + growth * k / 288 + noise


def forecast(*words: object) -> str:
    ended = CliRunner().invoke(app, ["forecast", *map(str, words)])
    assert ended.exit_code == 0, ended.output or ended.exception
    return ended.output


def complain(*words: object) -> str:
    ended = CliRunner().invoke(app, ["forecast", *map(str, words)])
    assert isinstance(ended.exception, ForewatchError), ended.output
    return str(ended.exception)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_day_ahead_follows_the_rhythm_within_the_band(tmp_path):
    column = daily(15)
    write(tmp_path / "in.csv", column[: 14 * 288])
    forecast("--csv", tmp_path / "in.csv", "--out", tmp_path / "out.csv", "--png", tmp_path / "out.png")
    rows = read(tmp_path / "out.csv")
    assert tuple(rows[0]) == ("timestamp", "mean", "lower", "upper")
    assert rows[0]["timestamp"] == "2026-11-17T00:00:00.000Z"
    came = {FIRST + k * 300: value for k, value in enumerate(column)}
    inside = [
        float(row["lower"]) <= came[int(datetime.fromisoformat(row["timestamp"]).timestamp())] <= float(row["upper"])
        for row in rows
    ]
    assert len(rows) == 288
    assert np.mean(inside) > 0.85
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_a_month_ahead_has_coarser_steps(tmp_path):
    write(tmp_path / "in.csv", daily(14))
    forecast("--csv", tmp_path / "in.csv", "--out", tmp_path / "out.csv", "--horizon", "30d")
    rows = read(tmp_path / "out.csv")
    assert rows[-1]["timestamp"].startswith("2026-12-16T23:")
    assert len(rows) <= 750


def test_when_a_limit_is_reached_is_said(tmp_path):
    write(tmp_path / "in.csv", daily(14, growth=3.0))
    said = forecast("--csv", tmp_path / "in.csv", "--out", tmp_path / "out.csv", "--limit", "100")
    # 40 + 3 a day + 10 at the day's height: 100 is reached around the sixth hour of day 17.
    assert "It reaches 100 in " in said
    assert "80 % interval" in said
    assert "about 2026-11-1" in said or "about 2026-11-2" in said
    assert "at the limit of 30 already" in forecast(
        "--csv", tmp_path / "in.csv", "--out", tmp_path / "out.csv", "--limit", "30"
    )


def test_a_limit_that_is_not_forecast_is_said_so(tmp_path):
    write(tmp_path / "in.csv", daily(7))
    said = forecast("--csv", tmp_path / "in.csv", "--out", tmp_path / "out.csv", "--limit", "1000")
    assert "not forecast to reach 1000" in said


@pytest.mark.parametrize("column", [[40] * 599 + [41], [40] * 560 + [41] * 40], ids=["last", "forty"])
def test_one_step_is_not_forecast_to_reach_a_limit(tmp_path, column):
    write(tmp_path / "in.csv", np.array(column))
    words = ("--csv", tmp_path / "in.csv", "--out", tmp_path / "out.csv", "--limit", "90")
    assert "It is at 41 and not forecast to reach 90" in forecast(*words)
    first = read(tmp_path / "out.csv")[0]
    assert float(first["mean"]) == pytest.approx(41, abs=0.1)
    assert float(first["lower"]) < 41 < float(first["upper"])


def test_a_limit_below_is_reached_by_falling(tmp_path):
    write(tmp_path / "in.csv", daily(10)[::-1] + 100 - np.arange(2880) / 288 * 10)
    said = forecast("--csv", tmp_path / "in.csv", "--out", tmp_path / "out.csv", "--limit", "0", "--falling")
    assert "It reaches 0 in " in said


def test_a_series_that_was_never_negative_stays_so_and_one_that_was_may_fall(tmp_path):
    write(tmp_path / "in.csv", np.maximum(0.0, np.random.default_rng(1).normal(0, 1, 2000)))
    forecast("--csv", tmp_path / "in.csv", "--out", tmp_path / "out.csv")
    assert min(float(row["lower"]) for row in read(tmp_path / "out.csv")) == 0.0
    write(tmp_path / "in.csv", np.random.default_rng(1).normal(0, 1, 2000))
    forecast("--csv", tmp_path / "in.csv", "--out", tmp_path / "out.csv")
    assert min(float(row["lower"]) for row in read(tmp_path / "out.csv")) < 0.0


@pytest.mark.parametrize(
    "column",
    [np.full(600, 7.0), np.full(600, 1e140), np.where(np.arange(600) % 2, 1e-300, 0.0)],
    ids=["all equal", "all huge", "all but nothing"],
)
def test_odd_series_have_sane_forecasts_without_a_warning(tmp_path, column):
    write(tmp_path / "in.csv", column)
    forecast("--csv", tmp_path / "in.csv", "--out", tmp_path / "out.csv", "--png", tmp_path / "out.png")
    assert all(np.isfinite(float(row[name])) for row in read(tmp_path / "out.csv") for name in ("mean", "lower"))


def test_values_too_large_to_be_counted_with_are_left_out_and_that_is_said(tmp_path):
    column = daily(3)
    column[100] = 1e300
    write(tmp_path / "in.csv", column)
    said = forecast("--csv", tmp_path / "in.csv", "--out", tmp_path / "out.csv")
    assert "1 of 864 rows have a value beyond 1e+150 and are left out" in said


def test_a_folder_is_no_place_for_a_forecast_or_a_picture(tmp_path, monkeypatch):
    source = write(tmp_path / "in.csv", daily(2))
    monkeypatch.chdir(tmp_path)
    for place in (".", tmp_path):
        assert "is a folder: name a file to write" in complain("--csv", source, "--out", place)
        assert "is a folder: name a file to write" in complain(
            "--csv", source, "--out", tmp_path / "out.csv", "--png", place
        )


def test_what_cannot_be_forecast_says_why(tmp_path):
    out = tmp_path / "out.csv"
    write(tmp_path / "one.csv", np.array([5.0]))
    assert "no forecast yet: it needs " in complain("--csv", tmp_path / "one.csv", "--out", out)
    write(tmp_path / "huge.csv", np.full(600, 1e300))
    assert "all its values are beyond 1e+150" in complain("--csv", tmp_path / "huge.csv", "--out", out)
    write(tmp_path / "rare.csv", np.arange(60.0), step=30 * 86_400)
    assert "its rows come 30d apart" in complain("--csv", tmp_path / "rare.csv", "--out", out)
    for nothing in ("nan", "inf"):
        assert f"--limit {nothing}: is not a number" in complain(
            "--csv", tmp_path / "one.csv", "--out", out, "--limit", nothing
        )
    (tmp_path / "gaps.csv").write_text("timestamp,value\n2026-11-03,\n2026-11-04,\n")
    assert "no row has a value" in complain("--csv", tmp_path / "gaps.csv", "--out", out)
    assert "is the series itself" in complain("--csv", tmp_path / "one.csv", "--out", tmp_path / "one.csv")
    assert "at most 31d" in complain("--csv", tmp_path / "one.csv", "--out", out, "--horizon", "90d")
    assert "is not a duration" in complain("--csv", tmp_path / "one.csv", "--out", out, "--horizon", "soon")
    assert not out.exists()
