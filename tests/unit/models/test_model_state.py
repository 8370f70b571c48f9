from __future__ import annotations

import numpy as np
import pytest

from forewatch.clock import MICROSECONDS, micros
from forewatch.detection.grid import Grid
from forewatch.detection.models import VERSION, fit, load
from forewatch.detection.models.state import MOST
from forewatch.detection.quantity import Range
from forewatch.errors import StateUnreadable

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("error")]

T0 = 1_767_225_600 * MICROSECONDS
A_DAY = 288


def values(days: float, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    hours = np.arange(days * A_DAY) / 12
    weekend = ((hours // 24 + 3) % 7 >= 5) * 15.0
    rhythm = 50 + 20 * np.sin(2 * np.pi * hours / 24) - weekend
    return rhythm + np.cumsum(rng.normal(size=len(hours))) * 0.1 + rng.normal(size=len(hours))


def grid(some: np.ndarray, skipped: int = 0) -> Grid:
    return Grid(T0 + micros(skipped * 300.0), 300.0, some)


@pytest.mark.parametrize("days", [1, 3, 14, 28])
def test_a_model_forecasts_the_same_after_it_was_stored(days):
    model = fit(grid(values(days)), within=Range(0.0), steps=A_DAY)
    back = load(model.dump())
    assert (back.start, back.step, back.name, back.needs) == (model.start, model.step, model.name, model.needs)
    made, again = model.predict(A_DAY), back.predict(A_DAY)
    assert again.unknown == made.unknown
    for ours, theirs in ((made.mean, again.mean), (made.lower, again.lower), (made.upper, again.upper)):
        np.testing.assert_allclose(theirs, ours, rtol=1e-3, atol=0.01)
    assert back.dump() == load(back.dump()).dump()


def test_a_state_is_small_whatever_the_series():
    sizes = [len(fit(grid(values(28, seed)), within=Range(0.0), steps=A_DAY).dump()) for seed in range(3)]
    assert max(sizes) <= MOST
    assert MOST == 4096


def test_a_constant_is_stored_too():
    model = fit(grid(np.full(400, 3.5)), within=Range(0.0, 10.0), steps=12)
    assert load(model.dump()).predict(12) == model.predict(12)


@pytest.mark.parametrize("within", [Range(), Range(0.0), Range(0.0, 1.0)])
def test_the_range_is_part_of_the_state(within):
    some = np.clip(np.random.default_rng(1).normal(0.5, 0.4, 600), 0, 1)
    assert load(fit(grid(some), within=within, steps=12).dump()).within == within


def test_a_state_of_another_version_is_refused_with_the_remedy():
    state = bytearray(fit(grid(values(3)), within=Range(), steps=12).dump())
    state[0] = VERSION + 1
    with pytest.raises(StateUnreadable, match=f"version {VERSION + 1}.*reads {VERSION}: fit it again"):
        load(bytes(state))


@pytest.mark.parametrize("damage", [b"", b"\x80\x04pickled", bytes([VERSION]), bytes([VERSION]) + b"nonsense"])
def test_a_damaged_state_is_refused(damage):
    with pytest.raises(StateUnreadable, match="fit it again"):
        load(damage)


def test_a_state_cut_short_is_refused():
    state = fit(grid(values(3)), within=Range(), steps=12).dump()
    for length in range(0, len(state) - 1, max(1, len(state) // 40)):
        with pytest.raises(StateUnreadable):
            load(state[:length])


def test_a_model_goes_on_from_new_values_without_being_fitted_anew():
    whole = values(16)
    model = fit(grid(whole[: 14 * A_DAY]), within=Range(0.0), steps=A_DAY)
    later = model.follow(grid(whole[: 15 * A_DAY]))
    assert later.start == model.start + micros(86400.0)
    assert later.parts == model.parts
    error = np.mean(np.abs(np.array(later.predict(A_DAY).mean) - whole[15 * A_DAY :]))
    stale = np.mean(np.abs(np.array(model.predict(2 * A_DAY).mean[A_DAY:]) - whole[15 * A_DAY :]))
    assert error < 1.05 * stale


def test_following_a_few_values_is_following_all_of_them():
    whole = values(15)
    model = fit(grid(whole[: 14 * A_DAY]), within=Range(0.0), steps=A_DAY)
    by_all = model.follow(grid(whole[: 14 * A_DAY + 6]))
    by_few = model.follow(grid(whole[14 * A_DAY - 2 : 14 * A_DAY + 6], skipped=14 * A_DAY - 2))
    assert by_few.start == by_all.start
    np.testing.assert_allclose(by_few.predict(12).mean, by_all.predict(12).mean, rtol=2e-2)


def test_what_is_older_than_the_model_changes_nothing():
    whole = values(14)
    model = fit(grid(whole), within=Range(0.0), steps=A_DAY)
    assert model.follow(grid(whole[:A_DAY])) is model
