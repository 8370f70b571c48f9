from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from forewatch.clock import from_datetime, micros
from forewatch.detection.seasons import DAY, WEEK, Calendar, fourier, times, weekday, weekdays

pytestmark = pytest.mark.unit


def moment(year: int, month: int, day: int, hour: int = 0) -> int:
    return from_datetime(datetime(year, month, day, hour, tzinfo=UTC))


def test_the_phase_of_a_day_comes_from_the_clock_and_not_from_the_first_value():
    whole = fourier(moment(2026, 3, 2), 3600.0, 48, DAY, 3)
    later = fourier(moment(2026, 3, 2, 7), 3600.0, 24, DAY, 3)
    assert whole.shape == (48, 6)
    np.testing.assert_allclose(later, whole[7:31], atol=1e-12)
    np.testing.assert_allclose(whole[:24], whole[24:], atol=1e-12)


def test_the_phase_of_a_week_is_the_same_on_the_same_weekday_of_any_year():
    one = fourier(moment(2026, 3, 2), 3600.0, 24, WEEK, 2)
    other = fourier(moment(2031, 3, 3), 3600.0, 24, WEEK, 2)
    assert datetime(2026, 3, 2, tzinfo=UTC).weekday() == datetime(2031, 3, 3, tzinfo=UTC).weekday()
    np.testing.assert_allclose(one, other, atol=1e-12)


def test_a_weekday_is_that_of_the_calendar():
    for day in range(1, 29):
        at = moment(2026, 2, day, 23)
        assert weekday(at) == datetime(2026, 2, day, tzinfo=UTC).weekday()
        assert weekdays(np.array([at]))[0] == weekday(at)


def test_a_holiday_is_lived_as_the_sunday_of_its_week():
    holiday = moment(2026, 5, 1), moment(2026, 5, 2)
    calendar = Calendar(frozenset({holiday}))
    at = times(moment(2026, 4, 30, 12), 3600.0, 48)
    assert calendar.is_holiday(at).sum() == 24
    lived = calendar.as_lived(at)
    assert set(weekdays(lived[calendar.is_holiday(at)])) == {6}
    # The time of the day stays.
    np.testing.assert_array_equal(lived % micros(DAY), at % micros(DAY))
    np.testing.assert_array_equal(lived[~calendar.is_holiday(at)], at[~calendar.is_holiday(at)])


def test_a_holiday_of_another_zone_has_its_own_beginning_and_still_becomes_one_sunday_there():
    # In Auckland a Friday begins on Thursday noon (UTC).
    start = moment(2026, 4, 30, 12)
    calendar = Calendar(frozenset({(start, start + micros(DAY))}))
    lived = calendar.as_lived(times(start, 3600.0, 24))
    np.testing.assert_array_equal(lived, times(start + 2 * micros(DAY), 3600.0, 24))
