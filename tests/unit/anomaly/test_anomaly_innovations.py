"""The streaming normal equations against statsmodels' AutoReg on the same rows."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.tsa.ar_model import AutoReg
from well_behaved import DAY, STEP, instants, load

from forewatch.detection.anomaly.innovations import LAGS, Innovations
from forewatch.detection.seasons import fourier

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("error")]


@pytest.mark.parametrize("seed", range(20))
def test_parameters_are_those_of_autoreg(seed):
    rows = 3 * DAY
    values, at = load(rows, seed), instants(rows + 1)
    x = values - values[0]
    model = Innovations(STEP)
    for part in np.array_split(np.arange(rows), 27):
        model.add(at[part], x[part])
    model.review(-np.inf, np.inf)
    season = fourier(int(at[0]), STEP, rows + 1, 86_400.0, 4)
    fitted = AutoReg(x, LAGS, trend="c", exog=season[:rows]).fit()
    expected = fitted.predict(rows, rows, exog_oos=season[rows:])
    assert model.add(at[rows:], np.zeros(1))[0] == pytest.approx(float(expected[0]), rel=1e-6, abs=1e-6)
    assert model.sigma == pytest.approx(float(np.sqrt(fitted.sigma2)), rel=1e-6)


def test_until_the_first_fit_a_value_is_expected_as_the_one_before():
    model = Innovations(STEP)
    values = load(30) - 50
    expected = model.add(instants(30), values)
    np.testing.assert_array_equal(expected[1:], values[:-1])
    assert model.sigma == 0


def test_a_constant_is_expected_to_stay_so():
    model = Innovations(STEP)
    for part in np.array_split(np.arange(1024), 32):
        expected = model.add(instants(1024)[part], np.zeros(32))
        model.review(0.0, 0.0)
        assert not expected.any()
    assert model.sigma == 0


def test_an_outage_does_not_become_the_rule():
    plain, struck = Innovations(STEP), Innovations(STEP)
    rows = 6 * DAY
    values = load(rows) - 50
    hit = values.copy()
    hit[4 * DAY : 4 * DAY + 20] += 1e6
    for model, x in ((plain, values), (struck, hit)):
        for part in np.array_split(np.arange(rows), rows // 32):
            model.add(instants(rows)[part], x[part])
            model.review(-7.0, 7.0)
    assert struck.sigma < 2 * plain.sigma
