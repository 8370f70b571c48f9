import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewatch.alerting.flapping import calm_at, calmed, fired, flaps
from forewatch.clock import micros
from forewatch.config.models import Flapping

pytestmark = pytest.mark.unit

NOW = micros(1_790_000_000)
SETTINGS = Flapping(after=3, within=600.0, calm=300.0)


def after_firing_at(*offsets, settings=SETTINGS):
    flap = None
    for offset in offsets:
        flap = fired(flap, "f", NOW + micros(offset), settings)
    return flap


def test_it_flaps_from_the_time_it_fires_so_often_within_so_long():
    assert not flaps(after_firing_at(0, 60))
    assert flaps(after_firing_at(0, 60, 120))
    assert after_firing_at(0, 60, 120).flapping_since == NOW + micros(120)


def test_what_is_longer_ago_does_not_count():
    assert flaps(after_firing_at(0, 300, 600))
    assert not flaps(after_firing_at(0, 300, 600.000001))


def test_an_alert_nobody_knows_of_does_not_flap():
    assert not flaps(None)


def test_it_goes_on_flapping_until_it_is_calm_however_seldom_it_fires_by_then():
    flap = after_firing_at(0, 60, 120, 400, 690)
    assert flap.flapping_since == NOW + micros(120)
    assert calm_at(flap, SETTINGS) == NOW + micros(990)
    assert calmed(flap, NOW + micros(990) - 1, SETTINGS) == flap
    assert calmed(flap, NOW + micros(990), SETTINGS) is None


def test_once_calm_it_starts_from_nothing():
    flap = calmed(after_firing_at(0, 60, 120), NOW + micros(420), SETTINGS)
    assert not flaps(fired(flap, "f", NOW + micros(421), SETTINGS))


def test_nobody_needs_to_have_looked_for_it_to_be_calm():
    assert not flaps(after_firing_at(0, 60, 120, 420))
    assert flaps(after_firing_at(0, 60, 120, 419))


def test_what_does_not_flap_is_forgotten_when_it_no_longer_counts():
    flap = after_firing_at(0, 60)
    assert calmed(flap, NOW + micros(600), SETTINGS) == flap
    assert calmed(flap, NOW + micros(660), SETTINGS).fired_at == (NOW + micros(60),)
    assert calmed(flap, NOW + micros(661), SETTINGS) is None


def test_a_clock_set_back_neither_forgets_it_nor_makes_it_flap_for_ever():
    day = micros(86_400)
    flap = calmed(after_firing_at(0, 60, 120), NOW - day, SETTINGS)
    assert flaps(flap)
    assert calm_at(flap, SETTINGS) == NOW - day + micros(300)
    assert calmed(flap, NOW - day + micros(300), SETTINGS) is None
    again = fired(after_firing_at(0, 60), "f", NOW - day, SETTINGS)
    assert flaps(again)
    assert again.fired_at == (NOW - day,) * 3


instants = st.integers(NOW - micros(10_000), NOW + micros(10_000))


@given(st.lists(instants, max_size=20), st.integers(2, 5))
def test_whatever_the_clock_does_it_stays_small_in_order_and_ends(at, after):
    settings = Flapping(after=after, within=600.0, calm=300.0)
    flap = None
    for now in at:
        flap = fired(flap, "f", now, settings)
        assert len(flap.fired_at) <= after
        assert list(flap.fired_at) == sorted(flap.fired_at)
        assert flap.fired_at[-1] == now
        assert calm_at(flap, settings) == now + micros(300)
        assert calmed(flap, now + micros(601), settings) is None


@given(st.lists(instants, min_size=1, max_size=12).map(sorted))
def test_while_time_goes_forward_it_flaps_from_the_first_crowd_to_the_first_calm(at):
    flap = None
    counted = []
    expected = False
    for now in at:
        if expected and now - counted[-1] >= micros(300):
            counted, expected = [], False
        counted.append(now)
        expected = expected or sum(each >= now - micros(600) for each in counted) >= 3
        flap = fired(flap, "f", now, SETTINGS)
        assert flaps(flap) is expected
