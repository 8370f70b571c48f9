"""`forewatch detect`: a score for every row, from the rows up to it alone."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from forewatch.cli import app
from forewatch.errors import ForewatchError
from forewatch.trials.files.anomaly_scores import HEAD, SPACING_ROWS

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("error")]

FIRST = 1_793_696_400
ROWS = 1200


def values(seed: int = 1) -> np.ndarray:
    """A day's rhythm at five minutes, noise, and something unusual at row 1,000."""
    found = 50 + 10 * np.sin(np.arange(ROWS) * 2 * np.pi / 288) + np.random.default_rng(seed).normal(0, 1, ROWS)
    found[1000] += 60
    return found


def lines(column: np.ndarray, step: int = 300) -> list[str]:
    return ["timestamp,value", *(f"{FIRST + k * step},{float(value)}" for k, value in enumerate(column))]


def write(path: Path, rows: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n")
    return path


def detect(*words: object, ends: int = 0) -> str:
    ended = CliRunner().invoke(app, ["detect", *map(str, words)])
    assert ended.exit_code == ends, ended.output or ended.exception
    return ended.output


def complain(*words: object) -> str:
    ended = CliRunner().invoke(app, ["detect", *map(str, words)])
    assert isinstance(ended.exception, ForewatchError), ended.output
    return str(ended.exception)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def scores(path: Path) -> list[float]:
    return [float(row["anomaly_score"]) for row in read(path)]


@pytest.fixture
def source(tmp_path) -> Path:
    return write(tmp_path / "in.csv", lines(values()))


def test_every_row_has_a_score_in_the_order_of_the_file(source, tmp_path):
    said = detect("--csv", source, "--out", tmp_path / "out.csv")
    rows = read(tmp_path / "out.csv")
    assert tuple(rows[0]) == HEAD
    assert [row["timestamp"] for row in rows] == [line.partition(",")[0] for line in lines(values())[1:]]
    assert [row["value"] for row in rows] == [line.partition(",")[2] for line in lines(values())[1:]]
    assert all(0 <= float(row["anomaly_score"]) <= 1 for row in rows)
    assert all(float(row["lower"]) <= float(row["expected"]) <= float(row["upper"]) for row in rows[600:])
    assert f"{ROWS:,} rows" in said


def test_what_is_unusual_scores_highest(source, tmp_path):
    detect("--csv", source, "--out", tmp_path / "out.csv")
    assert int(np.argmax(scores(tmp_path / "out.csv"))) in (1000, 1001)


@pytest.mark.parametrize(
    ("step", "options", "first"),
    [(300, [], 576), (60, [], 750), (3600, [], 48), (86400, [], SPACING_ROWS), (300, ["--warmup", "100"], 100)],
    ids=["two days", "750 rows where they are less", "of hours", "of days", "as asked for"],
)
def test_nothing_is_said_before_the_warm_up_is_over_and_something_right_after(tmp_path, step, options, first):
    for row in (first - 1, first):
        column = values()
        column[row] += 1000
        write(tmp_path / "in.csv", lines(column, step))
        detect("--csv", tmp_path / "in.csv", "--out", tmp_path / "out.csv", *options)
        found = scores(tmp_path / "out.csv")
        assert not any(found[:first])
        assert (found[row] > 0) == (row == first)


@pytest.mark.parametrize("cut", [10, 700, 1001])
@pytest.mark.parametrize("options", [[], ["--warmup", "5"]])
def test_a_file_that_is_cut_has_the_same_scores_up_to_the_cut(source, tmp_path, cut, options):
    detect("--csv", source, "--out", tmp_path / "whole.csv", *options)
    write(tmp_path / "cut" / "in.csv", source.read_text().splitlines()[: cut + 1])
    detect("--csv", tmp_path / "cut" / "in.csv", "--out", tmp_path / "part.csv", *options)
    whole, part = read(tmp_path / "whole.csv"), read(tmp_path / "part.csv")
    assert len(part) == cut
    for before, after in zip(whole, part, strict=False):
        for name in HEAD[2:]:
            assert (before[name] == "") == (after[name] == "")
            if before[name]:
                assert float(before[name]) == pytest.approx(float(after[name]), abs=1e-9)


def test_what_comes_later_changes_no_score_however_large_it_is(source, tmp_path):
    write(tmp_path / "in2.csv", [*source.read_text().splitlines()[:1101], f"{FIRST + 1100 * 300},1e300"])
    detect("--csv", source, "--out", tmp_path / "one.csv")
    detect("--csv", tmp_path / "in2.csv", "--out", tmp_path / "two.csv")
    assert scores(tmp_path / "one.csv")[:1100] == pytest.approx(scores(tmp_path / "two.csv")[:1100], abs=1e-9)


def test_late_rows_and_gaps_score_nothing_and_doubled_ones_as_their_original(tmp_path):
    rows = lines(values())
    unusual = rows[1001]
    disordered = [*rows[:1001], unusual, unusual, rows[5], f"{FIRST + 1001 * 300},", *rows[1003:]]
    write(tmp_path / "in.csv", disordered)
    ended = CliRunner().invoke(app, ["detect", "--csv", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv")])
    assert ended.exit_code == 0
    found = read(tmp_path / "out.csv")
    assert len(found) == len(disordered) - 1
    assert found[1001] == found[1000]
    assert float(found[1000]["anomaly_score"]) > 0
    assert [found[1002][name] for name in HEAD[2:]] == ["0.0", "", "", ""]
    assert [found[1003][name] for name in HEAD[1:]] == ["", "0.0", "", "", ""]
    for said in ("older than a row before", "the same as the row before", "without a value"):
        assert said in ended.stderr


@pytest.mark.parametrize(
    "column",
    [
        np.full(ROWS, 7.0),
        np.full(ROWS, 1e300),
        np.where(np.arange(ROWS) % 2, 1e300, -1e300),
        np.arange(ROWS) * 1e-320,
        np.full(1, 5.0),
        np.full(2, 5.0),
        np.full(SPACING_ROWS, 0.0),
    ],
    ids=["all equal", "all huge", "huge to and fro", "all but nothing", "one row", "two rows", "a few rows"],
)
def test_strange_series_have_sane_scores_without_a_warning(tmp_path, column):
    write(tmp_path / "in.csv", lines(column))
    detect("--csv", tmp_path / "in.csv", "--out", tmp_path / "out.csv")
    found = scores(tmp_path / "out.csv")
    assert len(found) == len(column)
    assert all(math.isfinite(score) and 0 <= score <= 1 for score in found)


def test_rows_that_all_lie_in_the_warm_up_are_not_called_usual(tmp_path):
    write(tmp_path / "in.csv", lines(np.full(SPACING_ROWS, 5.0)))
    said = detect("--csv", tmp_path / "in.csv", "--out", tmp_path / "out.csv")
    assert f"None of them is judged: {SPACING_ROWS} could be learned from" in said
    write(tmp_path / "in.csv", lines(values()))
    assert "None of them" not in detect("--csv", tmp_path / "in.csv", "--out", tmp_path / "out.csv")


def test_a_folder_tree_is_scored_into_the_same_places(tmp_path):
    for number, name in enumerate(("a/one.csv", "a/two.csv", "b/c/three.csv")):
        write(tmp_path / "in" / name, lines(values(number)))
    write(tmp_path / "in" / "notes.txt", ["no series"])
    said = detect("--folder", tmp_path / "in", "--out", tmp_path / "out", "--jobs", 2)
    assert "3 series, 3,600 rows" in said
    written = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*"))
    assert written == ["a/one.csv", "a/two.csv", "b/c/three.csv"]
    detect("--csv", tmp_path / "in/a/two.csv", "--out", tmp_path / "alone.csv")
    assert (tmp_path / "alone.csv").read_text() == (tmp_path / "out/a/two.csv").read_text()


def test_a_file_that_is_no_series_is_named_and_the_others_are_done(tmp_path):
    write(tmp_path / "in" / "good.csv", lines(values()))
    write(tmp_path / "in" / "bad.csv", ["timestamp,value", "2026-11-03,many"])
    words = ["detect", "--folder", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--jobs", "1"]
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 1
    assert "bad.csv:2: value `many` is not a number" in ended.stderr
    assert "1 of 2 files could not be scored" in ended.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.csv"]


def test_what_cannot_be_meant_is_refused(source, tmp_path):
    out = tmp_path / "out.csv"
    before = source.read_text()
    assert complain("--out", out) == "name either --csv FILE or --folder FOLDER"
    assert complain("--csv", source, "--folder", tmp_path, "--out", out) == "name either --csv FILE or --folder FOLDER"
    assert "is the series itself" in complain("--csv", source, "--out", source)
    assert "--png draws one series" in complain("--folder", tmp_path, "--out", tmp_path / "o", "--png", "x.png")
    assert "write the results somewhere else" in complain("--folder", tmp_path, "--out", tmp_path / "o")
    (tmp_path / "none").mkdir()
    assert "holds no file that ends on .csv" in complain("--folder", tmp_path / "none", "--out", tmp_path / "else")
    assert "is no folder" in complain("--folder", tmp_path / "gone", "--out", tmp_path / "else")
    assert "No such file" in complain("--csv", tmp_path / "gone.csv", "--out", out)
    assert source.read_text() == before
    assert not out.exists()


def test_a_picture_is_drawn(source, tmp_path):
    detect("--csv", source, "--out", tmp_path / "out.csv", "--png", tmp_path / "out.png")
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    assert "cannot be written" in complain("--csv", source, "--out", tmp_path / "o.csv", "--png", source / "x.png")
