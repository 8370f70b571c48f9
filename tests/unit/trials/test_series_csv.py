"""What a CSV file is read as, and the sentence for what cannot be."""

from __future__ import annotations

import math
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from forewatch.trials.files.series_csv import SeriesError, read_series, write_csv

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("error")]

NINE = 1_793_696_400_000_000
"""2026-11-03T09:00:00Z"""


@pytest.fixture
def file(tmp_path: Path):
    def write(content: str | bytes) -> Path:
        path = tmp_path / "in.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-03 09:00:00",
        "2026-11-03T09:00:00",
        "2026-11-03T09:00:00Z",
        "2026-11-03T10:00:00+01:00",
        "2026-11-03T04:00:00.000-05:00",
        "2026/11/03 09:00:00",
        "1793696400",
        "1793696400.0",
        "1793696400000",
        "1793696400000000",
        "1793696400000000000",
        " 2026-11-03 09:00 ",
        "20261103T090000Z",
    ],
)
def test_a_moment_is_the_same_however_it_is_written(file, written):
    rows = read_series(file(f"timestamp,value\n{written},1\n"))
    assert rows.at.tolist() == [NINE]
    assert rows.timestamps == [written]


def test_a_day_without_a_time_is_its_beginning(file):
    rows = read_series(file("timestamp,value\n2026-11-03,1\n20261104,2\n"))
    assert rows.at.tolist() == [NINE - 9 * 3_600_000_000, NINE + 15 * 3_600_000_000]


def test_the_microseconds_of_an_epoch_are_kept(file):
    rows = read_series(file("timestamp,value\n1793696400.123457,1\n1793696400.123458,2\n"))
    assert rows.at.tolist() == [NINE + 123_457, NINE + 123_458]


def test_zones_may_be_mixed_and_that_is_said(file):
    rows = read_series(
        file("timestamp,value\n2026-11-03T10:00:00+01:00,1\n2026-11-03T09:01:00,2\n2026-11-03T04:02:00-05:00,3\n")
    )
    assert np.diff(rows.at).tolist() == [60_000_000, 60_000_000]
    [note] = rows.notes
    assert note.endswith("timestamps without a time zone are read as UTC, next to 2 that have one")


def test_columns_are_found_by_name_whatever_else_is_there(file):
    rows = read_series(file('host, VALUE ,note,Timestamp\na,1.5,"x,\ny",2026-11-03\nb,2.5,,2026-11-04\n'))
    assert rows.values.tolist() == [1.5, 2.5]
    assert rows.lines.tolist() == [3, 4]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_semicolons_and_tabs_part_columns_too(file, mark):
    assert read_series(file(f"timestamp{mark}value\r\n2026-11-03{mark}1.5\r\n")).values.tolist() == [1.5]


def test_a_byte_order_mark_is_no_part_of_the_first_column(file):
    assert len(read_series(file(b"\xef\xbb\xbftimestamp,value\n2026-11-03,1\n"))) == 1


def test_blank_lines_are_no_rows(file):
    assert len(read_series(file("timestamp,value\n\n2026-11-03,1\n\n\n2026-11-04,2"))) == 2


@pytest.mark.parametrize("nothing", ["", " ", "nan", "NaN", "null", "N/A"])
def test_an_empty_value_is_a_gap_and_that_is_said(file, nothing):
    rows = read_series(file(f"timestamp,value\n2026-11-03,1\n2026-11-04,{nothing}\n2026-11-05,3\n"))
    assert math.isnan(rows.values[1])
    assert rows.samples() == [(int(rows.at[0]), 1.0), (int(rows.at[2]), 3.0)]
    [note] = rows.notes
    assert note.endswith("in.csv: 1 of 3 rows is without a value, the first on line 3")


def test_huge_and_equal_values_are_values(file):
    rows = read_series(file("timestamp,value\n2026-11-03,1e300\n2026-11-04,-1e300\n2026-11-05,5e-324\n"))
    assert rows.values.tolist() == [1e300, -1e300, 5e-324]
    assert not rows.notes


def test_a_row_that_goes_back_in_time_stays_in_its_place_and_is_late(file):
    rows = read_series(file("timestamp,value\n" + "".join(f"2026-11-{d:02},{d}\n" for d in (1, 2, 4, 3, 5))))
    assert rows.values.tolist() == [1, 2, 4, 3, 5]
    assert rows.late.tolist() == [False, False, False, True, False]
    assert [value for _, value in rows.samples()] == [1, 2, 3, 4, 5]
    [note] = rows.notes
    assert note.endswith("1 of 5 rows is older than a row before, the first on line 5")


def test_a_row_written_twice_is_doubled_and_two_values_of_a_moment_are_not(file):
    rows = read_series(
        file("timestamp,value\n2026-11-01,1\n2026-11-02,2\n2026-11-02,2\n2026-11-03,3\n2026-11-03,4\n2026-11-04,5\n")
    )
    assert rows.doubled.tolist() == [False, False, True, False, False, False]
    assert [value for _, value in rows.samples()] == [1, 2, 4, 5]


BAD = {
    "nothing at all": ("", "in.csv: is empty: it needs a first line `timestamp,value` and rows below it"),
    "only the head": ("timestamp,value\n", "in.csv: has no rows below its first line"),
    "no timestamp": (
        "time,value\n1,2\n",
        "in.csv:1: has no column timestamp, only `time`, `value`: the first line must name timestamp and value",
    ),
    "no head": (
        "2026-11-03,1\n",
        "in.csv:1: has no column timestamp, only `2026-11-03`, `1`: the first line must name timestamp and value",
    ),
    "value twice": (
        "timestamp,value,value\n",
        "in.csv:1: has 2 columns called value: leave one of them",
    ),
    "text": (
        "timestamp,value\n2026-11-03,1\n2026-11-04,many\n",
        "in.csv:3: value `many` is not a number: write it like 1234.5, or leave it empty",
    ),
    "a decimal comma": (
        "timestamp;value\n2026-11-03;1,5\n",
        "in.csv:2: value `1,5` is not a number: write it like 1234.5, or leave it empty",
    ),
    "a number for programmers": (
        "timestamp,value\n2026-11-03,1_000\n",
        "in.csv:2: value `1_000` is not a number: write it like 1234.5, or leave it empty",
    ),
    "infinity": (
        "timestamp,value\n2026-11-03,1\n2026-11-04,-Infinity\n",
        "in.csv:3: value `-Infinity` is infinite: leave it empty where nothing was measured",
    ),
    "larger than any": (
        "timestamp,value\n2026-11-03,1e301\n",
        "in.csv:2: value `1e301` is beyond 1e+300: leave it empty where nothing was measured",
    ),
    "a moment that is none": (
        "timestamp,value\n2026-02-30,1\n",
        "in.csv:2: timestamp `2026-02-30` is not a moment: "
        "write it like 2026-11-03T09:04:05Z, or as seconds since 1970",
    ),
    "a date of two readings": (
        "timestamp,value\n03/11/2026,1\n",
        "in.csv:2: timestamp `03/11/2026` is not a moment: "
        "write it like 2026-11-03T09:04:05Z, or as seconds since 1970",
    ),
    "a row number": (
        "timestamp,value\n0,1\n1,2\n",
        "in.csv:2: timestamp `0` is no moment between 1973 and 2198: "
        "write it like 2026-11-03T09:04:05Z, or as seconds since 1970",
    ),
    "a moment of no unit": (
        "timestamp,value\n20261103090405,1\n",
        "in.csv:2: timestamp `20261103090405` is no moment between 1973 and 2198: "
        "write it like 2026-11-03T09:04:05Z, or as seconds since 1970",
    ),
    "far ahead": (
        "timestamp,value\n9999-12-31T23:59:59Z,1\n",
        "in.csv:2: timestamp `9999-12-31T23:59:59Z` lies after 2198: "
        "write it like 2026-11-03T09:04:05Z, or as seconds since 1970",
    ),
    "long ago": (
        "timestamp,value\n0001-01-01T00:00:00+10:00,1\n",
        "in.csv:2: timestamp `0001-01-01T00:00:00+10:00` lies before 1970: "
        "write it like 2026-11-03T09:04:05Z, or as seconds since 1970",
    ),
    "a row too short": (
        "timestamp,value\n2026-11-03,1\n2026-11-04\n",
        "in.csv:3: has 1 of 2 columns: give each row a timestamp and a value",
    ),
    "NUL bytes": (
        b"timestamp,value\n2026-11-03,1\x00\n",
        "in.csv:2: holds a NUL byte: save it as CSV in UTF-8",
    ),
    "another encoding": (
        b"timestamp,value\n2026-11-03,1\n2026-11-04,\xff\n",
        "in.csv:3: is not UTF-8 text: save it as CSV in UTF-8",
    ),
    "a line without end": (
        "timestamp,value\n" + "9" * 2_000_000,
        "in.csv:2: is longer than 1,000,000 characters: is it a CSV file?",
    ),
    "a cell without end": (
        "timestamp,value\n2026-11-03," + "9" * 200_000 + "\n",
        "in.csv:2: is no CSV: field larger than field limit (131072)",
    ),
    "a quote that never ends": (
        'timestamp,value\n2026-11-03,1\n2026-11-04,"2\n2026-11-05,3\n2026-11-06,4\n',
        "in.csv:3: is no CSV: unexpected end of data",
    ),
    "steering characters": (
        "timestamp,value\n2026-11-03,\x1b[31m" + "x" * 80 + "\n",
        "in.csv:2: value `?[31m" + "x" * 32 + "...` is not a number: write it like 1234.5, or leave it empty",
    ),
    "newest first": (
        "timestamp,value\n2026-11-04,1\n2026-11-03,1\n2026-11-02,1\n",
        "in.csv:3: 2 of 3 rows are older than a row before them: sort the rows by time, oldest first",
    ),
    "many series in one": (
        "timestamp,value\n" + "".join(f"2026-11-0{d},{v}\n" for d in (1, 2, 3) for v in (1, 2, 3)),
        "in.csv:3: 6 of 9 rows repeat the moment of the row before: keep one series in a file",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence_with_file_and_line(file, name):
    content, sentence = BAD[name]
    path = file(content)
    with pytest.raises(SeriesError) as refused:
        read_series(path)
    assert str(refused.value) == f"{path.parent}/{sentence}"


def test_a_file_that_is_not_there_or_a_folder_is_said_so(tmp_path):
    with pytest.raises(SeriesError, match=r"gone\.csv: cannot be read: No such file or directory"):
        read_series(tmp_path / "gone.csv")
    with pytest.raises(SeriesError, match="cannot be read: Is a directory"):
        read_series(tmp_path)


def test_two_hundred_thousand_rows_take_a_moment(file):
    lines = "".join(f"{1_793_696_400 + 60 * k},{k % 97}.5\n" for k in range(200_000))
    path = file("timestamp,value\n" + lines)
    began = time.perf_counter()
    rows = read_series(path)
    assert len(rows) == 200_000
    # A million in some seconds, on a busy machine too.
    assert time.perf_counter() - began < 5


def test_what_is_written_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "a" / "b" / "out.csv"
    write_csv(target, ("timestamp", "value"), [("2026-11-03", 1.5), ("2026-11-04", math.nan)])
    assert target.read_text() == "timestamp,value\n2026-11-03,1.5\n2026-11-04,\n"

    def breaks():
        yield ("2026-11-05", 1)
        raise RuntimeError("halfway")

    with pytest.raises(RuntimeError):
        write_csv(target, ("timestamp", "value"), breaks())
    assert target.read_text().count("\n") == 3
    assert [path.name for path in target.parent.iterdir()] == ["out.csv"]


def test_what_cannot_be_written_is_said_so(tmp_path):
    (tmp_path / "file").write_text("")
    with warnings.catch_warnings(), pytest.raises(SeriesError, match=r"out\.csv: cannot be written"):
        write_csv(tmp_path / "file" / "out.csv", ("a",), [])
