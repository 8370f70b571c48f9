"""When the forecasts of a series are worth waking anybody."""

from __future__ import annotations

import pytest

from forewatch.detection.trust import DEMOTE_BELOW, FEWEST, LAST, PROMOTE_FROM, Trust, as_ticket, judge
from forewatch.incidents.events import AlertRaised

pytestmark = pytest.mark.unit


def test_bands_that_hold_are_trusted():
    assert judge([0.95] * LAST, demoted=False) == Trust(False, pytest.approx(0.95), LAST)


def test_bands_that_fail_demote():
    assert judge([DEMOTE_BELOW - 0.01] * LAST, demoted=False).demoted
    assert not judge([DEMOTE_BELOW] * LAST, demoted=False).demoted


def test_one_bad_hour_among_twenty_does_not_demote():
    assert not judge([0.0] + [0.95] * (LAST - 1), demoted=False).demoted


def test_between_the_limits_a_series_keeps_what_it_has():
    between = [(DEMOTE_BELOW + PROMOTE_FROM) / 2] * LAST
    assert judge(between, demoted=True).demoted
    assert not judge(between, demoted=False).demoted


def test_bands_that_hold_again_are_trusted_again():
    assert not judge([PROMOTE_FROM] * LAST, demoted=True).demoted


@pytest.mark.parametrize("demoted", [True, False])
def test_too_few_forecasts_decide_nothing(demoted):
    assert judge([0.0] * (FEWEST - 1), demoted).demoted is demoted
    assert judge([1.0] * (FEWEST - 1), demoted).demoted is demoted
    assert judge([], demoted) == Trust(demoted, None, 0)


def test_only_the_last_twenty_count():
    assert not judge([0.95] * LAST + [0.0] * 100, demoted=False).demoted


def test_a_ticket_says_why_it_is_one_and_is_known_by_what_it_was():
    labels = {"alertname": "LoadOdd", "service": "shop", "severity": "critical"}
    event = AlertRaised(labels, {"summary": "load is 9"}, 5, {"value": 9.0})
    ticket = as_ticket(event, Trust(True, 0.62, 20))
    assert ticket.labels == {**labels, "severity": "info", "forecast": "demoted"}
    assert ticket.identity == labels
    assert ticket.annotations["summary"] == (
        "load is 9 (a ticket: the bands of its forecasts held only 62% of what came, over its last 20 forecasts)"
    )
    assert ticket.values == {"value": 9.0, "demoted": {"coverage": 0.62, "scored": 20}}
