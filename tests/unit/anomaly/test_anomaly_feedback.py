"""What people say of an anomaly changes how readily the series tells of the next."""

from __future__ import annotations

import numpy as np
import pytest
from well_behaved import DAY, STEP, instants, load

from forewatch.detection.anomaly import Detector
from forewatch.detection.anomaly.sensitivity import Sensitivity

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("error")]

ROWS = 20 * DAY
FIRST, SECOND = 10 * DAY + 17, 15 * DAY + 17


def spiky() -> np.ndarray:
    values = load(ROWS)
    values[FIRST] += 15
    values[SECOND] += 15
    return values


def until(row: int) -> Detector:
    detector = Detector(STEP, warmup=2 * DAY)
    detector.update_many(instants(ROWS)[:row], spiky()[:row])
    return detector


def test_what_was_forgiven_is_no_longer_told_of():
    at, values = instants(ROWS), spiky()
    plain, forgiving = until(FIRST + 5), until(FIRST + 5)
    forgiving.forgive(int(at[FIRST]))
    rest = slice(FIRST + 5, SECOND + 1)
    told = plain.update_many(at[rest], values[rest]).score[-1]
    told_after = forgiving.update_many(at[rest], values[rest]).score[-1]
    assert told > plain.threshold(3.0)
    assert told_after < forgiving.threshold(3.0)
    assert told_after < told - 0.02


def test_forgiving_raises_the_threshold_and_confirming_lowers_it_both_within_bounds():
    detector = until(3 * DAY)
    usual = detector.threshold(1.0)
    detector.forgive(0)
    assert detector.threshold(1.0) == pytest.approx(usual + 0.02)
    for instant in range(1, 100):
        detector.forgive(instant)
    assert detector.threshold(1.0) == pytest.approx(usual + 0.1)
    for instant in range(100, 200):
        detector.confirm(instant)
    assert detector.threshold(1.0) == pytest.approx(usual - 0.05)


def test_the_newest_verdict_on_an_instant_replaces_the_one_before():
    detector = until(3 * DAY)
    usual = detector.threshold(1.0)
    detector.confirm(0)
    detector.forgive(0)
    assert detector.threshold(1.0) == pytest.approx(usual + 0.02)
    detector.forgive(0)
    assert detector.threshold(1.0) == pytest.approx(usual + 0.02)
    detector.confirm(0)
    assert detector.threshold(1.0) == pytest.approx(usual - 0.01)


def test_what_was_confirmed_does_not_make_the_series_deaf():
    at = instants(ROWS)
    plain, confirmed = until(ROWS), until(ROWS)
    confirmed.confirm(int(at[FIRST]))
    confirmed.confirm(int(at[SECOND]))
    assert confirmed.threshold(1.0) < plain.threshold(1.0) - 0.02


def test_a_larger_budget_gives_a_lower_threshold():
    detector = until(ROWS)
    thresholds = [detector.threshold(budget) for budget in (0.05, 0.1, 0.5, 1, 3, 10, 50, 500)]
    assert thresholds == sorted(thresholds, reverse=True)
    assert thresholds[0] > thresholds[3] > thresholds[5]


def test_a_young_series_takes_the_threshold_from_the_table():
    quiet, loud = Detector(STEP, warmup=DAY), Detector(STEP, warmup=DAY)
    loud.update_many(instants(3 * DAY), np.random.default_rng(0).standard_cauchy(3 * DAY))
    assert loud.threshold(1.0) == quiet.threshold(1.0)


@pytest.mark.parametrize("budget", [0.0, -1.0, float("nan")])
def test_a_budget_that_cannot_be_kept_is_refused(budget):
    with pytest.raises(ValueError, match="alarm budget"):
        Detector(STEP, warmup=0).threshold(budget)


def test_feedback_survives_a_restart():
    detector = until(FIRST + 5)
    restored = Detector.load(detector.dump())
    for one in (detector, restored):
        one.forgive(int(instants(ROWS)[FIRST]))
    assert detector.dump() == restored.dump()


@pytest.mark.parametrize(("gap", "lowered"), [(0, 0.11), (5, 0.11), (100, 0.01)])
def test_what_was_real_is_taken_out_of_the_record_of_its_own_day_whatever_gaps_came(gap, lowered):
    day = 86_400 * 1_000_000

    def recorded(real: int | None) -> float:
        record = Sensitivity()
        for number in [*range(10), *range(10 + gap, 20 + gap)]:
            record.add(np.array([number * day], np.int64), np.array([0.95 if number == 3 else 0.3]))
        if real is not None:
            record.confirm(real * day)
        return record.threshold(1.0)

    # Without the day's high the record no longer lifts the threshold by all it may, but lowers it by as much. A day of
    # a hundred days ago is in no record any more, and one without data never was: there the verdict alone counts.
    assert recorded(None) - recorded(3) == pytest.approx(lowered)
    assert recorded(None) - recorded(11) == pytest.approx(0.01)
