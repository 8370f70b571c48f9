"""Excess-load attribution on systems small enough to check by hand."""

import numpy as np
import pytest
from measured_by_hand import ALARM_AT, STEP, normal, telemetry

from forewatch.incidents.causes.excess import attribute
from forewatch.incidents.causes.graph import Graph
from forewatch.incidents.causes.telemetry import Normal
from forewatch.incidents.causes.undeclared import taken_out

pytestmark = pytest.mark.unit

CHAIN = Graph([], {"shop": ["cart", "mail"], "cart": ["db"]})
USUAL = {"shop": (100, 0.5, 1.0), "cart": (100, 0.3, 1.0), "db": (200, 0.1, 1.0), "mail": (10, 0.2, 1.0)}


def attributed(graph=CHAIN, usual=USUAL, kind="latency", at=ALARM_AT, buckets=5, **changed):
    during = telemetry({**usual, **changed}, buckets).onto(graph.services)
    found = attribute(graph, Normal(normal(usual).onto(graph.services)), during, graph.place["shop"], kind, at)
    return {
        name: {
            "excess": found.excess[place],
            "own": found.own[place],
            "share": found.share[place],
            "path": found.path[place],
            "score": found.score[place],
        }
        for name, place in graph.place.items()
    }


def rising(usual, now):
    """Fine in the bucket before the alarm, then as it is now."""
    return [usual, now, now, now, now]


def test_a_slow_leaf_takes_the_blame_and_its_callers_none():
    # Each request of the shop makes two of the database: 0.2 s more there are 0.4 s more in cart and shop.
    found = attributed(
        shop=(100, rising(0.5, 0.9), 1.0), cart=(100, rising(0.3, 0.7), 1.0), db=(200, rising(0.1, 0.3), 1.0)
    )
    assert found["shop"]["excess"] == pytest.approx(0.4, abs=0.01)
    assert found["db"]["excess"] == pytest.approx(0.4, abs=0.01)
    assert found["cart"]["own"] == pytest.approx(0.0, abs=0.01)
    assert found["db"]["share"] == pytest.approx(1.0, abs=0.03)
    assert found["db"]["score"] > 0.85
    assert max(found[name]["score"] for name in ("shop", "cart", "mail")) < 0.05


def test_a_service_is_blamed_for_what_it_adds_itself():
    found = attributed(shop=(100, rising(0.5, 0.9), 1.0), cart=(100, rising(0.3, 0.7), 1.0))
    assert found["cart"]["own"] == pytest.approx(0.4, abs=0.01)
    assert found["cart"]["score"] > 0.85


def test_failed_requests_add_up_like_seconds():
    found = attributed(
        kind="availability",
        shop=(100, 0.5, rising(1.0, 0.7)),
        cart=(100, 0.3, rising(1.0, 0.7)),
        db=(200, 0.1, rising(1.0, 0.85)),
    )
    assert found["db"]["excess"] == pytest.approx(0.3)
    assert found["db"]["score"] > 0.85
    assert found["cart"]["score"] < 0.05


def test_twice_the_traffic_is_no_trouble():
    found = attributed(shop=(200, 0.5, 1.0), cart=(200, 0.3, 1.0), db=(400, 0.1, 1.0), mail=(20, 0.2, 1.0))
    assert all(abs(one["excess"]) < 0.01 for one in found.values())


def test_few_slow_requests_weigh_little():
    found = attributed(shop=(100, rising(0.5, 0.52), 1.0), mail=(10, rising(0.2, 0.4), 1.0))
    assert found["mail"]["share"] == pytest.approx(1.0, abs=0.1)
    louder = attributed(shop=(100, rising(0.5, 0.9), 1.0), mail=(10, rising(0.2, 0.4), 1.0))
    assert louder["mail"]["share"] < 0.1


def test_what_was_so_before_the_alarm_is_no_excess():
    found = attributed(shop=(100, rising(0.7, 1.1), 1.0), cart=(100, [0.5] * 5, 1.0), db=(200, rising(0.1, 0.3), 1.0))
    assert found["cart"]["excess"] == pytest.approx(0.0, abs=0.01)


def test_a_service_without_history_is_not_blamed_but_lets_the_path_through():
    usual = {**USUAL, "cart": (100, np.nan, 1.0)}
    found = attributed(
        usual=usual, shop=(100, rising(0.5, 0.9), 1.0), cart=(100, 0.9, 1.0), db=(200, rising(0.1, 0.3), 1.0)
    )
    assert found["cart"]["score"] == 0
    assert found["shop"]["own"] == pytest.approx(0.0, abs=0.02)
    assert found["db"]["path"] > 0.9
    assert found["db"]["score"] > 0.85


def test_an_undeclared_call_is_guessed_where_the_rises_are_alike():
    graph = Graph(["db"], {"shop": ["cart", "mail"]})
    found = attributed(
        graph=graph,
        shop=(100, rising(0.5, 0.9), 1.0),
        cart=(100, rising(0.3, 0.7), 1.0),
        db=(200, rising(0.1, 0.3), 1.0),
    )
    assert found["db"]["score"] > 0.85
    assert found["cart"]["score"] < 0.05


def test_a_service_that_merely_rises_too_is_not_taken_for_a_callee():
    graph = Graph(["db"], {"shop": ["cart", "mail"]})
    found = attributed(
        graph=graph,
        shop=(100, rising(0.5, 0.9), 1.0),
        cart=(100, rising(0.3, 0.7), 1.0),
        db=(200, rising(0.1, 0.15), 1.0),
    )
    assert found["cart"]["score"] > 0.85
    assert found["db"]["score"] < 0.2


def test_calls_in_a_circle_do_not_clear_each_other():
    graph = Graph([], {"shop": ["cart"], "cart": ["db"], "db": ["cart"]})
    found = attributed(
        graph=graph,
        shop=(100, rising(0.5, 0.9), 1.0),
        cart=(100, rising(0.3, 0.7), 1.0),
        db=(200, rising(0.1, 0.3), 1.0),
    )
    assert found["db"]["score"] > 0.85
    assert found["cart"]["score"] < 0.05


def test_a_call_back_up_to_the_source_is_taken_out():
    graph = Graph([], {"a": ["b"], "b": ["a"]})
    out = taken_out(graph, 0, np.array([1.0, 0.3]), np.ones(2))
    assert out.tolist() == [0.3, 1.0]


def test_the_worst_of_the_first_three_buckets_is_read():
    late = [0.5, 0.5, 0.55, 0.9, 3.0]
    found = attributed(shop=(100, late, 1.0), cart=(100, [value - 0.2 for value in late], 1.0))
    assert found["shop"]["excess"] == pytest.approx(0.4, abs=0.01)


def test_an_alarm_after_the_last_bucket_says_nothing():
    during = telemetry(USUAL, 5).onto(CHAIN.services)
    fitted = Normal(normal(USUAL).onto(CHAIN.services))
    assert attribute(CHAIN, fitted, during, CHAIN.place["shop"], "latency", ALARM_AT + 100 * STEP) is None
