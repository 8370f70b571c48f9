"""With nothing but alerts: the deepest services that fire."""

import pytest

from forewatch.incidents.causes.graph import Graph
from forewatch.incidents.rootcause import rank_by_alerts

pytestmark = pytest.mark.unit

GRAPH = Graph(["lonely"], {"web": ["api"], "api": ["db", "cache"], "job": ["db"]})


def test_the_service_whose_dependencies_do_not_fire_is_first():
    ranking = rank_by_alerts(GRAPH, {"web": 1, "api": 3, "db": 2})
    assert [one.service for one in ranking.causes] == ["db", "web", "api"]
    assert ranking.confident
    assert ranking.causes[0].evidence == "db fires and it depends on nothing"
    assert ranking.causes[1].evidence == "web fires, but so does api, on which it depends"


def test_several_deepest_ones_share_the_blame_the_earliest_first():
    ranking = rank_by_alerts(GRAPH, {"web": 1, "api": 2, "lonely": 5, "cache": 4, "db": 9})
    assert [one.service for one in ranking.causes][:3] == ["cache", "lonely", "db"]
    assert not ranking.confident


def test_one_that_fires_alone_is_named_without_confidence():
    ranking = rank_by_alerts(GRAPH, {"api": 1})
    assert [one.service for one in ranking.causes] == ["api"]
    assert not ranking.confident


def test_services_that_fire_in_a_circle_are_all_named():
    ranking = rank_by_alerts(Graph([], {"a": ["b"], "b": ["a"]}), {"a": 1, "b": 2})
    assert [one.service for one in ranking.causes] == ["a", "b"]
