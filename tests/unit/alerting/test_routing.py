import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewatch.alerting.alert import Alert
from forewatch.alerting.routing import _tree, route_for, route_named, route_of, routes_for, routes_of
from forewatch.config.models import Config

pytestmark = pytest.mark.unit

NOTIFIERS = [{"name": "ops", "console": {}}, {"name": "web", "console": {}}]


def config(*routes, notifiers=NOTIFIERS):
    return Config.model_validate({"notifiers": notifiers, "routes": list(routes)})


def test_the_first_route_that_matches_wins():
    routes = config(
        {"match": {"team": "web"}, "notify": ["web"]},
        {"match": ["severity=~critical|warning"], "notify": ["ops"]},
        {"notify": ["ops", "web"]},
    )
    assert route_for(routes, {"team": "web", "severity": "critical"}).notify == ("web",)
    assert route_for(routes, {"team": "db", "severity": "critical"}).name == "routes[1]"
    assert route_for(routes, {"team": "db", "severity": "info"}).notify == ("ops", "web")


def test_what_no_route_matches_goes_to_every_notifier():
    route = route_for(config({"match": {"team": "web"}, "notify": ["web"]}), {"team": "db"})
    assert route.notify == ("ops", "web")
    assert route.name == "the default route"


def test_without_any_notifier_the_console_hears_of_it():
    assert route_for(config(notifiers=[]), {}).notify == ("console",)


@pytest.mark.parametrize(("severity", "hold"), [("critical", 30.0), ("warning", 60.0), ("info", 60.0)])
def test_a_critical_page_waits_half_a_minute_for_a_remedy_unless_the_route_says_otherwise(severity, hold):
    labels = {"severity": severity}
    assert route_for(config(), labels).hold == hold
    assert route_for(config({"notify": ["ops"]}), labels).hold == hold
    assert route_for(config({"notify": ["ops"], "hold": "5s"}), labels).hold == 5.0


def test_a_hold_of_zero_is_kept_and_not_taken_for_unset():
    assert route_for(config({"notify": ["ops"], "hold": "0s"}), {"severity": "warning"}).hold == 0.0


def test_a_notifier_named_twice_is_told_once():
    assert route_for(config({"notify": ["ops", "ops"]}), {}).notify == ("ops",)


TREE = config(
    {
        "match": {"team": "web"},
        "notify": ["web"],
        "hold": "5s",
        "group_by": ["alertname"],
        "group_interval": "1m",
        "mute": ["nights"],
        "routes": [
            {"match": {"severity": "info"}, "notify": ["ops"], "hold": "0s", "active": ["days"]},
            {"match": {"env": "test"}, "group_by": ["..."], "group_wait": "1s", "repeat_interval": "1h"},
        ],
    },
    {"match": ["env=test"], "continue": True},
    {"match": ["env=~test|prod"], "notify": ["ops"]},
)


def names(labels, of=TREE):
    return [route.name for route in routes_for(of, labels)]


def test_the_deepest_match_counts():
    assert names({"team": "web", "severity": "info"}) == ["routes[0].routes[0]"]
    assert names({"team": "web"}) == ["routes[0]"]
    assert names({"severity": "info"}) == ["the default route"]


def test_continue_goes_on_to_the_next_sibling_and_no_further_than_the_first_that_does_not_say_it():
    assert names({"env": "test"}) == ["routes[1]", "routes[2]"]
    assert names({"team": "web", "env": "test"}) == ["routes[0].routes[1]"]


def test_continue_below_a_route_leaves_the_route_itself_out():
    tree = config({"routes": [{"match": {"a": "1"}, "continue": True}, {"match": {"b": "1"}}]}, {"notify": ["ops"]})
    assert names({"a": "1", "b": "1"}, tree) == ["routes[0].routes[0]", "routes[0].routes[1]"]
    assert names({"a": "1"}, tree) == ["routes[0].routes[0]"]
    assert names({}, tree) == ["routes[0]"]


def test_a_child_inherits_what_it_does_not_say_except_its_times():
    [quiet] = routes_for(TREE, {"team": "web", "severity": "info"})
    assert (quiet.notify, quiet.hold, quiet.group_by, quiet.group_interval) == (("ops",), 0.0, ("alertname",), 60.0)
    assert (quiet.mute, quiet.active) == ((), ("days",))
    [test] = routes_for(TREE, {"team": "web", "env": "test"})
    assert (test.notify, test.hold, test.group_by) == (("web",), 5.0, ("...",))
    assert (test.group_wait, test.group_interval, test.repeat_interval) == (1.0, 60.0, 3600.0)


def test_times_are_alertmanagers_and_nothing_is_grouped_unless_a_route_says_so():
    [route] = routes_for(config(), {})
    assert (route.group_by, route.group_wait, route.group_interval, route.repeat_interval) == (None, 30, 300, 14400)


def test_a_first_level_route_that_names_no_notifier_tells_every_one():
    assert route_for(TREE, {"env": "test"}).notify == ("ops", "web")


def test_a_child_without_a_hold_keeps_the_one_for_its_severity():
    tree = config({"routes": [{"match": {"team": "web"}}]})
    assert route_for(tree, {"team": "web", "severity": "critical"}).hold == 30.0
    assert route_for(tree, {"team": "web", "severity": "warning"}).hold == 60.0


def test_a_route_is_found_again_by_its_name():
    assert route_named(TREE, "routes[0].routes[1]") == routes_for(TREE, {"team": "web", "env": "test"})[0]
    assert route_named(TREE, "the default route") == routes_for(TREE, {})[0]
    assert route_named(TREE, "routes[7]") is None


def test_keys_are_alertmanagers_and_tell_routes_apart_that_match_alike():
    tree = config(
        {"match": ["b=~x|y", "a=1"], "routes": [{"match": {"c": "2"}}, {"match": {"c": "2"}}]}, {"match": {"c": "2"}}
    )
    keys = [route_named(tree, name).key for name in (
        "the default route", "routes[0]", "routes[0].routes[0]", "routes[0].routes[1]", "routes[1]"
    )]  # fmt: skip
    assert keys == [
        "{}",
        '{}/{a="1",b=~"x|y"}',
        '{}/{a="1",b=~"x|y"}/{c="2"}',
        '{}/{a="1",b=~"x|y"}/{c="2"}/2',
        '{}/{c="2"}',
    ]


def test_alerts_are_routed_by_what_they_count_as():
    tree = config({"match": {"classification": "errors", "service": "shop", "severity": "critical"}, "notify": ["web"]})
    alert = Alert(
        "AL-1", "f", {"severity": "error"}, {}, "shop", "critical", "firing", 1, None, 1, None, classification="errors"
    )
    assert [route.name for route in routes_of(tree, alert)] == ["routes[0]"]
    assert route_of(tree, alert).hold == 30.0


def test_a_changed_configuration_is_worked_out_anew_and_the_old_one_forgotten():
    before = len(_tree._known)
    for name in ("ops", "web", "ops", "web"):
        assert route_for(config({"notify": [name]}), {}).notify == (name,)
    gc.collect()
    assert len(_tree._known) <= before


labels = st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"))


def trees(depth=3):
    leaf = {"match": labels, "notify": st.sampled_from([None, ["ops"], ["web"]]), "continue": st.booleans()}
    children = st.lists(st.deferred(lambda: trees(depth - 1)), max_size=3) if depth else st.just([])
    return st.fixed_dictionaries({**leaf, "routes": children})


def expected(route, name, of):
    """Alertmanager's rule, said once more and plainly: the names of the deepest matches."""
    if any(of.get(label, "") != value for label, value in route["match"].items()):
        return []
    found = []
    for position, child in enumerate(route["routes"]):
        place = f"routes[{position}]" if name == "the default route" else f"{name}.routes[{position}]"
        below = expected(child, place, of)
        found += below
        if below and not child["continue"]:
            break
    return found or [name]


@given(st.lists(trees(), max_size=3), labels)
def test_any_tree_is_searched_as_alertmanager_searches_it(routes, of):
    root = {"match": {}, "routes": routes, "continue": False}
    assert names(of, config(*routes)) == expected(root, "the default route", of)
