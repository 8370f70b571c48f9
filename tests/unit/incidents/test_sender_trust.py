"""Remedies do not act on the word of somebody nobody knows."""

import pytest
from memory_view import World, shop

from forewatch.incidents.events import AlertRaised

pytestmark = pytest.mark.unit

LABELS = {"alertname": "CheckFailing", "service": "shop", "severity": "critical"}


def world_with(**source):
    return World({**shop(), "sources": [source]})


def sent(world, sender="prometheus"):
    return world.decide(AlertRaised(LABELS, {"summary": "shop is down"}, world.now, sender=sender))


def test_an_alert_of_a_source_without_a_token_starts_no_remedy_and_pages_at_once():
    world = world_with(name="prometheus", alertmanager={})
    sent(world)
    assert world.view.runs == {}
    assert "source-without-token" in world.codes()
    assert world.told() == [("page", "ops", "due")]
    said = " ".join(reason.text for reason in world.last.reasons)
    assert "prometheus has no token" in said
    assert "give the source a token, or write `remedies: allowed`" in said


@pytest.mark.parametrize("proof", [{"token": "t0ken"}, {"remedies": "allowed"}])
def test_it_does_where_the_source_has_a_token_or_says_so(proof):
    world = world_with(name="prometheus", alertmanager={}, **proof)
    sent(world)
    assert [run.runbook for run in world.view.runs.values()] == ["restart-service"]


def test_a_source_with_a_token_may_be_kept_from_starting_remedies():
    world = world_with(name="prometheus", alertmanager={}, token="t0ken", remedies="refused")
    sent(world)
    assert (world.view.runs, "source-refused" in world.codes()) == ({}, True)


def test_a_source_that_is_gone_vouches_for_nobody():
    world = world_with(name="other", alertmanager={}, token="t0ken")
    sent(world)
    assert (world.view.runs, "source-removed" in world.codes()) == ({}, True)


def test_our_own_checks_need_no_token():
    world = world_with(name="prometheus", alertmanager={})
    world.fails()
    assert len(world.view.runs) == 1
