"""Who depends on whom: depth, tops, cycles, widest paths."""

import numpy as np
import pytest

from forewatch.incidents.causes.graph import Graph, path_to

pytestmark = pytest.mark.unit


def names(graph, numbers):
    return [graph.services[one] for one in numbers]


def test_services_stand_by_name_and_everything_that_is_named_is_one():
    graph = Graph(["b"], {"c": ["a"], "a": ["a"]})
    assert graph.services == ("a", "b", "c")
    assert graph.edges == {(2, 0)}


def test_depths_count_calls_and_end_in_a_cycle():
    graph = Graph([], {"a": ["b"], "b": ["c"], "c": ["a"], "x": ["a"]})
    assert graph.depths(graph.place["a"]).tolist() == [0, 1, 2, -1]


def test_tops_are_those_no_other_one_depends_on():
    graph = Graph([], {"web": ["api"], "api": ["db"], "job": ["db"]})
    chosen = [graph.place[name] for name in ("api", "db", "job", "web")]
    assert names(graph, graph.tops(chosen)) == ["job", "web"]
    assert names(graph, graph.tops([graph.place["db"]])) == ["db"]


def test_in_a_cycle_all_that_depend_on_each_other_are_tops():
    graph = Graph([], {"a": ["b"], "b": ["a", "c"]})
    assert names(graph, graph.tops([0, 1, 2])) == ["a", "b"]


def test_circular_edges_are_known():
    graph = Graph([], {"a": ["b"], "b": ["c"], "c": ["b", "d"]})
    circular = {
        (graph.services[caller], graph.services[callee])
        for caller, callee, round_ in zip(graph.callers, graph.callees, graph.circular, strict=True)
        if round_
    }
    assert circular == {("b", "c"), ("c", "b")}


def test_the_widest_path_goes_round_what_is_narrow():
    graph = Graph([], {"a": ["narrow", "wide"], "narrow": ["z"], "wide": ["wider"], "wider": ["z"]})
    width = dict(zip(graph.services, (1.0, 0.1, 0.7, 0.8, 0.9), strict=True))
    best, before = graph.widest(graph.place["a"], np.array([width[name] for name in graph.services]))
    assert best[graph.place["z"]] == 0.7
    assert names(graph, path_to(before, graph.place["z"])) == ["a", "wide", "wider", "z"]


def test_what_no_call_leads_to_has_no_path():
    graph = Graph(["alone"], {"a": ["b"]})
    best, before = graph.widest(graph.place["a"], np.ones(3))
    assert best[graph.place["alone"]] == -1
    assert names(graph, path_to(before, graph.place["alone"])) == ["alone"]


def test_calls_through_an_unseen_service_are_calls_of_its_caller():
    graph = Graph([], {"a": ["u"], "u": ["v"], "v": ["b"]})
    seen = graph.past(np.array([name in "uv" for name in graph.services]))
    assert (seen.place["a"], seen.place["b"]) in seen.edges
    assert graph.past(np.zeros(4, dtype=bool)) is graph


def test_a_chain_longer_than_the_stack_is_no_trouble():
    chain = [f"s{number:05d}" for number in range(5000)]
    graph = Graph([], {one: [after] for one, after in zip(chain, [*chain[1:], chain[0]], strict=True)})
    assert graph.circular.all()
    assert graph.depths(0)[-1] == 4999
