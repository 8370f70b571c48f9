"""The ranking as a whole: methods, several alarms, ties, names, and what it does with anything at all."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measured_by_hand import ALARM_AT, alarm, normal, telemetry

from benchmarks._degraded import without_requests
from benchmarks._simulated import World, scenes
from forewatch.incidents.causes.graph import Graph
from forewatch.incidents.causes.ranking import CONFIDENT, Alarm
from forewatch.incidents.causes.telemetry import Telemetry
from forewatch.incidents.rootcause import Ranker

pytestmark = pytest.mark.unit

CALLS = {"shop": ["cart", "mail"], "cart": ["db"], "site": ["mail"]}
GRAPH = Graph([], CALLS)
USUAL = {
    "shop": (100, 0.5, 1.0), "cart": (100, 0.3, 1.0), "db": (200, 0.1, 1.0), "mail": (50, 0.2, 1.0),
    "site": (40, 0.4, 1.0),
}  # fmt: skip
SLOW_DB = {
    "shop": (100, [0.5, 0.9, 0.9], 1.0),
    "cart": (100, [0.3, 0.7, 0.7], 1.0),
    "db": (200, [0.1, 0.3, 0.3], 1.0),
}


def ranked(alarms, graph=GRAPH, usual=USUAL, **changed):
    return Ranker(graph, normal(usual)).rank(telemetry({**usual, **changed}, 3), alarms)


def test_the_cause_stands_first_with_its_evidence_and_every_service_is_listed():
    ranking = ranked([alarm("shop")], **SLOW_DB)
    assert ranking.confident
    assert sorted(one.service for one in ranking.causes) == sorted(USUAL)
    first = ranking.causes[0]
    assert first.service == "db"
    assert first.evidence == (
        "db: latency 100ms -> 300ms; its own part rose by 40s of waiting a bucket, 100% of the rise at shop "
        "(40.0 usual deviations); by way of shop -> cart -> db"
    )
    assert "the 2 services it calls explain that" in next(
        one.evidence for one in ranking.causes if one.service == "shop"
    )


def test_a_quiet_time_is_answered_without_confidence():
    ranking = ranked([alarm("shop"), alarm("shop", "availability")])
    assert not ranking.confident
    assert ranking.note.startswith("no confident cause")
    assert len(ranking.causes) == len(USUAL)
    assert "within what is usual" in ranking.causes[0].evidence


def test_of_several_alarms_those_are_explained_that_nobody_alarmed_depends_on():
    one = ranked([alarm("shop")], **SLOW_DB)
    more = ranked([alarm("db"), alarm("shop"), alarm("cart")], **SLOW_DB)
    assert more == one


def test_alarms_weigh_by_their_rise():
    site = (40, [0.4, 0.5, 0.5], 1.0)
    mail = (50, [0.2, 0.28, 0.28], 1.0)
    ranking = ranked([alarm("shop"), alarm("site")], **SLOW_DB, site=site, mail=mail)
    assert [one.service for one in ranking.causes[:2]] == ["db", "mail"]


def test_failures_of_a_caller_are_laid_to_the_slow_service_behind_them():
    ranking = ranked(
        [alarm("shop", "availability")],
        shop=(100, [0.5, 1.5, 1.5], [1.0, 0.6, 0.6]),
        cart=(100, [0.3, 1.3, 1.3], [1.0, 0.6, 0.6]),
        db=(200, [0.1, 0.6, 0.6], 1.0),
    )
    assert ranking.causes[0].service == "db"
    assert ranking.causes[0].evidence.endswith("this came with the failures of cart, which depends on it")
    assert ranking.confident


def test_failures_are_not_laid_to_a_service_that_is_a_little_slower():
    ranking = ranked(
        [alarm("shop", "availability")],
        shop=(100, [0.5, 0.54, 0.54], [1.0, 0.6, 0.6]),
        cart=(100, [0.3, 0.34, 0.34], [1.0, 0.6, 0.6]),
        db=(200, [0.1, 0.12, 0.12], 1.0),
    )
    assert ranking.causes[0].service == "cart"


def test_without_counted_requests_depth_decides_and_it_says_so():
    uncounted = {name: (np.nan, *cells[1:]) for name, cells in USUAL.items()}
    slow = {name: (np.nan, *cells[1:]) for name, cells in SLOW_DB.items()}
    ranking = ranked([alarm("shop")], usual=uncounted, **slow)
    assert ranking.causes[0].service == "db"
    assert "usual deviations worse than usual; it calls nothing; by way of shop -> cart -> db" in (
        ranking.causes[0].evidence
    )
    assert "ranked by depth" in ranking.note


def test_percentiles_are_not_added_up():
    graph, usual = GRAPH, normal(USUAL)
    during = telemetry({**USUAL, **SLOW_DB}, 3)
    ranking = Ranker(graph, replace(usual, additive=False)).rank(replace(during, additive=False), [alarm("shop")])
    assert ranking.causes[0].service == "db"
    assert "ranked by depth" in ranking.note


def test_without_any_measurement_alerts_decide():
    nothing = dict.fromkeys(USUAL, (np.nan, np.nan, np.nan))
    ranking = ranked([alarm("shop"), alarm("db")], usual=nothing)
    assert [one.service for one in ranking.causes] == ["db", "shop"]
    assert "alerts alone" in ranking.note


def test_an_unknown_alarm_gives_an_empty_ranking():
    ranking = ranked([alarm("nobody")])
    assert ranking.causes == ()
    assert not ranking.confident


def test_an_undeclared_call_is_named_as_a_guess():
    graph = Graph(["db", "site"], {"shop": ["cart", "mail"]})
    ranking = ranked([alarm("shop")], graph=graph, **SLOW_DB)
    assert ranking.causes[0].service == "db"
    assert "that cart calls db is not declared, their rises tell" in ranking.causes[0].evidence


def test_ties_stand_by_name():
    ranking = ranked([alarm("shop")])
    zeros = [one.service for one in ranking.causes if one.score == 0]
    again = ranked([alarm("shop")])
    assert ranking == again
    assert len(zeros) == len(USUAL)


@pytest.mark.parametrize("world", [World(cycles=0.2), World(kind="availability"), World(cross=True)], ids=str)
def test_new_names_and_another_order_do_not_change_the_ranks(world):
    for scene in scenes(world, range(500, 505)):
        for one in (scene, without_requests(scene)):
            before = Ranker(one.graph, one.normal).rank(one.during, one.alarms)
            names = list(one.normal.services)
            random = np.random.default_rng(1)
            new = dict(zip(names, (f"x{number}" for number in random.permutation(len(names))), strict=True))
            calls = {
                new[one.graph.services[caller]]: [new[one.graph.services[callee]] for callee in callees]
                for caller, callees in enumerate(one.graph.below)
            }
            order = random.permutation(len(names))
            after = Ranker(Graph(new.values(), calls), _renamed(one.normal, new, order)).rank(
                _renamed(one.during, new, order),
                [Alarm(new[alarmed.service], alarmed.kind, alarmed.at) for alarmed in reversed(one.alarms)],
            )
            blamed = [cause.service for cause in before.causes if cause.score > 0]
            assert [cause.service for cause in after.causes][: len(blamed)] == [new[name] for name in blamed]


def _renamed(telemetry: Telemetry, new, order):
    return replace(
        telemetry,
        services=tuple(new[telemetry.services[place]] for place in order),
        requests=telemetry.requests[order],
        latency=telemetry.latency[order],
        success=telemetry.success[order],
    )


NAMES = ("a", "b", "c", "d", "e")
EDGE_VALUES = (float("nan"), 0.0, 1e-300, 1e-6, 0.5, 1.0, 1e6)


@st.composite
def anything(draw):
    edges = draw(st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=5)))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    odd = draw(st.sampled_from((0.0, 0.3, 1.0)))

    def drawn(buckets, start):
        def matrix(top):
            cells = random.random((len(NAMES), buckets)) * top
            strange = np.minimum(random.choice(EDGE_VALUES, cells.shape), top)
            return np.where(random.random(cells.shape) < odd, strange, cells)

        starts = start + 300_000_000 * np.arange(buckets, dtype=np.int64)
        return Telemetry(NAMES, starts, 300.0, matrix(1e6), matrix(1e5), matrix(1.0))

    usual = drawn(draw(st.integers(0, 24)), ALARM_AT - 10**12)
    during = drawn(draw(st.integers(0, 4)), ALARM_AT - 450_000_000)
    alarms = draw(
        st.lists(
            st.builds(
                Alarm,
                st.sampled_from((*NAMES, "stranger")),
                st.sampled_from(("latency", "availability")),
                st.integers(ALARM_AT - 10**9, ALARM_AT + 10**9),
            ),
            max_size=4,
        )
    )
    return Graph(NAMES, edges), usual, during, alarms


@settings(max_examples=200, deadline=None)
@given(anything())
@pytest.mark.filterwarnings("error")
def test_whatever_comes_in_scores_are_ratios_in_order_and_the_same_each_time(system):
    graph, usual, during, alarms = system
    ranking = Ranker(graph, usual).rank(during, alarms)
    scores = [one.score for one in ranking.causes]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert len({one.service for one in ranking.causes}) == len(scores)
    assert all(one.evidence and "nan" not in one.evidence for one in ranking.causes)
    assert Ranker(graph, usual).rank(during, alarms[::-1]) == ranking
    assert ranking.confident == (bool(scores) and scores[0] >= CONFIDENT)
