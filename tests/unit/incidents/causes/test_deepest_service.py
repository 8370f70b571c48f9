"""Without counted requests: the deepest service that got worse."""

import numpy as np
import pytest
from measured_by_hand import ALARM_AT, normal, telemetry

from forewatch.incidents.causes.deepest import ONE_VIEW, deepest
from forewatch.incidents.causes.graph import Graph
from forewatch.incidents.causes.telemetry import Normal

pytestmark = pytest.mark.unit

NAN = float("nan")
GRAPH = Graph([], {"web": ["api", "copy"], "api": ["db"], "job": ["db"]})
USUAL = dict.fromkeys(GRAPH.services, (NAN, 0.1, 1.0))


def scores(kind="availability", graph=GRAPH, **changed):
    during = telemetry({**USUAL, **changed}, 5).onto(graph.services)
    found = deepest(graph, Normal(normal(USUAL).onto(graph.services)), during, graph.place["web"], kind, ALARM_AT)
    return dict(zip(graph.services, found.score, strict=True))


def down(since=1, to=0.0):
    return (NAN, 0.1, [1.0] * since + [to] * (5 - since))


def test_the_deepest_of_a_chain_that_fails_is_blamed():
    found = scores(web=down(), api=down(), db=down())
    assert found["db"] > 0.7
    assert max(found["web"], found["api"]) < 0.1


def test_a_caller_that_fails_while_all_it_calls_is_well_is_blamed_itself():
    found = scores(web=down(), api=down())
    assert found["api"] > 0.7
    assert found["db"] == 0


def test_what_began_later_is_blamed_less():
    graph = Graph([], {"web": ["one", "two"]})
    usual = dict.fromkeys(graph.services, (NAN, 0.1, 1.0))
    during = telemetry({**usual, "web": down(), "one": down(1), "two": down(3)}, 5)
    found = deepest(graph, Normal(normal(usual).onto(graph.services)), during.onto(graph.services), 2, "availability",
                    ALARM_AT)  # fmt: skip
    assert found.score[0] > 0.5 > found.score[1]


def test_a_caller_s_view_of_a_neighbour_is_blamed_less_than_the_neighbour():
    # What calls see at their caller is a leaf of one caller, beside the service itself.
    found = scores(web=down(to=0.95), api=down(to=0.95), copy=down(to=0.5))
    assert found["copy"] < found["api"]
    alone = scores(web=down(to=0.95), copy=down(to=0.5))
    assert found["copy"] == pytest.approx(alone["copy"] * ONE_VIEW)


def test_a_service_nobody_measures_is_not_blamed():
    found = scores(web=down(), api=(NAN, NAN, NAN), db=down())
    assert found["api"] == 0
    assert found["db"] > 0.7


def test_nothing_is_known_without_data_of_the_alarmed_service():
    during = telemetry({**USUAL, "web": (NAN, NAN, NAN)}, 5).onto(GRAPH.services)
    fitted = Normal(normal(USUAL).onto(GRAPH.services))
    assert deepest(GRAPH, fitted, during, GRAPH.place["web"], "latency", ALARM_AT) is None


def test_no_score_is_beyond_its_bounds():
    found = scores(web=down(), api=down(), db=down(), copy=down(), job=down())
    assert all(0 <= score <= 1 and np.isfinite(score) for score in found.values())
