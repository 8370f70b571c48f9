"""The anomaly score depends on the past alone, on no units, and on no call boundaries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from well_behaved import DAY, START, STEP, instants, load

from forewatch.detection.anomaly import Detector, Scores

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("error")]

ROWS = 1500
WARMUP = 500


def spiky(rows: int = ROWS, seed: int = 0) -> np.ndarray:
    values = load(rows, seed)
    values[rows * 2 // 3] += 12
    values[rows * 4 // 5 :] += 4
    return values


def same(one: Scores, other: Scores, rows: slice = slice(None)) -> None:
    for part in ("score", "expected", "lower", "upper"):
        np.testing.assert_allclose(getattr(one, part)[rows], getattr(other, part), rtol=0, atol=1e-9, err_msg=part)
    assert list(one.kind[rows]) == list(other.kind)


@pytest.mark.parametrize("compact", [False, True])
def test_one_by_one_gives_the_same_as_all_at_once(compact):
    values, at = spiky(700), instants(700)
    whole = Detector(STEP, warmup=200, compact=compact).update_many(at, values)
    detector = Detector(STEP, warmup=200, compact=compact)
    for row in range(700):
        told = detector.update(int(at[row]), float(values[row]))
        assert told.score == pytest.approx(whole.score[row], abs=1e-9)
        assert told.kind == whole.kind[row]
        assert told.expected == pytest.approx(whole.expected[row], abs=1e-9)


@pytest.mark.parametrize("step", [10.0, 60.0, STEP, 3600.0])
@pytest.mark.parametrize("compact", [False, True])
def test_a_restored_detector_goes_on_as_one_that_never_stopped(step, compact):
    values, at = spiky(), instants(ROWS, step)
    whole = Detector(step, warmup=WARMUP, compact=compact).update_many(at, values)
    detector = Detector(step, warmup=WARMUP, compact=compact)
    for rows in np.array_split(np.arange(ROWS), 23):
        told = detector.update_many(at[rows], values[rows])
        same(whole, told, slice(rows[0], rows[-1] + 1))
        detector = Detector.load(detector.dump())
    assert detector.threshold(1.0) > 0


@pytest.mark.parametrize("step", [1.0, 10.0, 60.0, STEP, 3600.0, 86400.0])
def test_the_state_is_small(step):
    values, at = spiky(), instants(ROWS, step)
    for compact, most in ((False, 40 * 1024), (True, 4 * 1024)):
        detector = Detector(step, warmup=WARMUP, compact=compact)
        detector.update_many(at, values)
        assert len(detector.dump()) <= most


def test_nothing_is_told_while_warming_up():
    told = Detector(STEP, warmup=WARMUP).update_many(instants(ROWS), spiky())
    assert not told.score[:WARMUP].any()
    assert told.score[WARMUP:].any()
    assert np.all((told.score >= 0) & (told.score < 1))


@settings(max_examples=25, deadline=None)
@given(
    scale=st.floats(1e-6, 1e9),
    offset=st.floats(-1e6, 1e6),
    seed=st.integers(0, 5),
)
def test_units_do_not_matter(scale, offset, seed):
    values = np.round(spiky(700, seed), 3)
    one = Detector(STEP, warmup=300).update_many(instants(700), values)
    other = Detector(STEP, warmup=300).update_many(instants(700), (values + offset) * scale)
    # Ranks may differ where rounding in the other unit parts what was equal: by one row of the many that came before.
    assert np.mean(np.abs(one.score - other.score) > 1e-3) < 0.02
    assert np.mean(one.kind != other.kind) < 0.01


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_gaps_repeats_and_resets_are_taken_as_they_come(data):
    rows = 400
    gaps = data.draw(st.lists(st.sampled_from([0, 1, 1, 1, 2, 50, 4000]), min_size=rows, max_size=rows))
    at = START + np.cumsum(gaps) * 300_000_000
    resets = data.draw(st.lists(st.integers(0, rows - 1), max_size=5))
    values = np.cumsum(np.ones(rows))
    for reset in resets:
        values[reset:] -= values[reset]
    told = Detector(STEP, warmup=50).update_many(at, values)
    assert np.all(np.isfinite(told.score))
    assert np.all((told.score >= 0) & (told.score < 1))


@pytest.mark.parametrize("wild", [np.nan, np.inf, -np.inf, 1e300, -1e300, 5e-324])
def test_wild_values_spoil_nothing(wild):
    values = spiky()
    values[700:703] = wild
    told = Detector(STEP, warmup=WARMUP).update_many(instants(ROWS), values)
    assert np.all(np.isfinite(told.score))
    assert np.all((told.score >= 0) & (told.score < 1))
    # Learned again within a day: the next true spike has its score.
    assert np.nanmax(np.abs(told.expected[1100:1200])) < 100


@pytest.mark.parametrize("first", [1e300, -1e300, 1e20, np.nan])
def test_a_wild_first_value_spoils_nothing(first):
    values = spiky()
    values[0] = first
    told = Detector(STEP, warmup=WARMUP).update_many(instants(ROWS), values)
    assert np.all(np.isfinite(told.score))


def test_what_is_not_a_number_is_passed_over():
    values, at = spiky(), instants(ROWS)
    gone = np.arange(ROWS) % 7 == 3
    holes = values.copy()
    holes[gone] = np.nan
    told = Detector(STEP, warmup=WARMUP).update_many(at, holes)
    without = Detector(STEP, warmup=WARMUP).update_many(at[~gone], values[~gone])
    np.testing.assert_array_equal(told.score[~gone], without.score)
    assert not told.score[gone].any()
    assert told[3].expected is None


def test_time_that_goes_back_is_refused_naming_the_row_and_nothing_is_learned():
    at = instants(10)
    at[6] = at[4]
    detector = Detector(STEP, warmup=0)
    before = detector.dump()
    with pytest.raises(ValueError, match="row 6 is older"):
        detector.update_many(at, np.arange(10.0))
    assert detector.dump() == before
    detector.update(int(at[9]), 1.0)
    with pytest.raises(ValueError, match="row 0 is older"):
        detector.update(int(at[8]), 1.0)


def test_no_rows_are_no_trouble():
    told = Detector(STEP, warmup=0).update_many(np.zeros(0, np.int64), np.zeros(0))
    assert len(told) == 0


@pytest.mark.parametrize("step", [0.0, -1.0, np.nan, np.inf])
def test_a_spacing_that_cannot_be_is_refused(step):
    with pytest.raises(ValueError, match="give its usual spacing"):
        Detector(step, warmup=0)


def test_bytes_of_another_version_or_cut_short_are_refused():
    detector = Detector(STEP, warmup=0)
    detector.update_many(instants(DAY), load(DAY))
    state = detector.dump()
    with pytest.raises(ValueError, match="version 99"):
        Detector.load(bytes([99]) + state[1:])
    with pytest.raises(ValueError, match="version nothing"):
        Detector.load(b"")
    with pytest.raises(ValueError, match="cut short"):
        Detector.load(state[:-1])
    with pytest.raises(ValueError, match="longer than it can be"):
        Detector.load(state + b"x")
