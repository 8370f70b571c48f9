"""Looking again at what was withheld: nobody is forgotten, whatever happened meanwhile, and nobody is told twice."""

import pytest
from memory_view import World, shop
from test_withheld_alerts import HOUR, chain, silence, withheld

from forewatch.incidents.events import AlertCleared, AlertRaised, IncidentSplit

pytestmark = pytest.mark.unit

MORNINGS = {"name": "mornings", "ranges": [{"times": ["06:00-10:00"]}]}


def pages(world, notifier="ops"):
    return [page for page in world.view.outbox.values() if page.kind == "page" and page.notifier == notifier]


def test_a_mute_route_that_has_another_place_in_the_configuration_by_then_tells_all_the_same():
    mute = {"notify": ["ops"], "mute": ["mornings"]}
    world = World(shop(autonomy="shadow", routes=[mute]) | {"times": [MORNINGS]})
    world.fails()
    first = {"match": {"service": "elsewhere"}, "notify": ["web"]}
    world.view.config = World(shop(autonomy="shadow", routes=[first, mute]) | {"times": [MORNINGS]}).view.config
    world.wait(2 * HOUR)
    assert len(pages(world)) == 1
    assert withheld(world) == []


def test_a_mute_route_that_changed_places_with_one_that_goes_on_tells_all_the_same():
    mute = {"notify": ["ops"], "mute": ["mornings"]}
    world = World(shop(autonomy="shadow", routes=[mute]) | {"times": [MORNINGS]})
    world.fails()
    first = {"notify": ["web"], "continue": True}
    world.view.config = World(shop(autonomy="shadow", routes=[first, mute]) | {"times": [MORNINGS]}).view.config
    world.wait(2 * HOUR)
    assert len(pages(world)) == 1


def test_what_still_fires_when_its_silence_ends_is_told_though_its_incident_was_resolved_by_hand():
    world = World(shop(autonomy="shadow"))
    world.fails()
    silence(world, "service=shop", hours=2)
    world.resolve()
    world.wait(3 * HOUR)
    assert [page.incident_id for page in pages(world)] == ["INC-1", "INC-2"]
    assert world.view.alerts["AL-1"].incident_id == "INC-2"
    world.recovers()
    assert not world.view.incidents["INC-2"].open


def test_what_fires_on_in_a_resolved_incident_is_told_when_it_gets_worse():
    world = World(shop(autonomy="shadow"))
    identity = {"alertname": "Queue", "service": "shop"}
    for severity in ("warning", "critical"):
        world.decide(AlertRaised({**identity, "severity": severity}, {}, world.now, {}, identity=identity))
        world.wait(1)
        if severity == "warning":
            world.resolve()
    assert [page.severity for page in pages(world)] == ["warning", "critical"]
    assert [incident.open for incident in world.view.incidents.values()] == [False, True]


def test_the_alerts_one_silence_hid_of_an_incident_are_one_page_when_it_ends():
    world = World(shop(autonomy="shadow") | {"digest": {"within": "5s"}})
    for number in range(5):
        world.fails(f"check{number}")
    world.wait(1)
    silence(world, "service=shop")
    world.wait(2 * HOUR)
    assert len(pages(world)) == 2
    assert withheld(world) == []


def test_a_silence_over_one_of_two_alerts_is_followed_by_a_page_of_it_whatever_came_meanwhile():
    world = World(shop(autonomy="shadow"))
    world.fails("http")
    silence(world, "check=http")
    world.wait(600)
    world.fails("tcp")
    world.wait(2 * HOUR)
    assert [page.alert_id for page in pages(world)] == ["AL-1", "AL-1"]


def test_maintenance_that_ends_lets_the_remedy_act_where_groups_do_the_telling():
    world = World(shop(routes=[{"notify": ["ops"], "group_by": ["alertname"]}]))
    silence(world, "service=shop", kind="maintenance")
    world.fails()
    assert world.view.runs == {}
    world.wait(2 * HOUR)
    assert list(world.view.runs) == ["RUN-1"]


def test_labels_that_take_an_alert_out_of_its_silence_let_it_be_told():
    world = World(shop(autonomy="shadow"))
    identity = {"alertname": "Queue", "service": "shop"}
    silence(world, "level=low")
    for level in ("low", "high"):
        world.decide(AlertRaised({**identity, "level": level}, {}, world.now, {}, identity=identity))
        world.wait(1)
    assert len(pages(world)) == 1
    assert withheld(world) == []


def test_labels_that_take_the_source_out_of_its_inhibition_let_its_targets_be_told():
    inhibit = {"source": ["state=down"], "target": ["alertname=CheckFailing"]}
    world = World(shop(autonomy="shadow") | {"inhibitions": [inhibit]})
    identity = {"alertname": "Cluster", "service": "cluster"}
    world.decide(AlertRaised({**identity, "state": "down"}, {}, world.now, {}, identity=identity))
    world.fails()
    assert withheld(world) == [("AL-2", "", "inhibition")]
    world.decide(AlertRaised({**identity, "state": "degraded"}, {}, world.now, {}, identity=identity))
    world.wait(0)
    assert withheld(world) == []
    assert [page.alert_id for page in pages(world)] == ["AL-1", "AL-2"]


def test_labels_that_lead_an_alert_to_another_route_let_that_route_tell_of_it():
    routes = [{"match": {"level": "high"}, "notify": ["ops"]}, {"notify": ["web"]}]
    world = World(shop(autonomy="shadow", routes=routes))
    identity = {"alertname": "Queue", "service": "shop"}
    for level in ("low", "high"):
        world.decide(AlertRaised({**identity, "level": level}, {}, world.now, {}, identity=identity))
        world.wait(1)
    assert [(page.notifier, page.kind) for page in world.view.outbox.values()] == [
        ("web", "page"),
        ("web", "resolved"),
        ("ops", "page"),
    ]


def test_what_got_worse_out_of_its_silence_is_told_once():
    world = World(shop(autonomy="shadow"))
    identity = {"alertname": "Queue", "service": "shop"}
    silence(world, "severity=warning")
    for severity in ("warning", "critical"):
        world.decide(AlertRaised({**identity, "severity": severity}, {}, world.now, {}, identity=identity))
        world.wait(1)
    world.wait(2 * HOUR)
    assert [page.severity for page in pages(world)] == ["critical"]


def test_a_cause_that_is_resolved_by_hand_hushes_nobody_elsewhere_any_more():
    world = World(chain(correlation={"within": "5m"}))
    world.fails(service="stock")
    world.fails(service="storefront")
    world.decide(IncidentSplit("INC-1", ["AL-2"], "ana", world.now))
    assert withheld(world) == [("AL-2", "", "dependency")]
    assert world.view.alerts["AL-2"].incident_id == "INC-2"
    world.resolve("INC-1")
    world.wait(1)
    assert withheld(world) == []
    world.wait(60)
    assert pages(world)[-1].alert_id == "AL-2"


def test_a_cause_that_was_resolved_by_hand_before_hushes_nobody():
    world = World(chain(correlation={"within": "5m"}))
    world.fails(service="stock")
    world.resolve("INC-1")
    world.wait(HOUR)
    world.fails(service="storefront")
    assert withheld(world) == []


def test_a_cause_whose_group_is_mute_now_hushes_nobody():
    routes = [{"match": {"service": "stock"}, "notify": ["ops"], "group_by": ["service"], "mute": ["mornings"]}]
    world = World(chain(routes=[*routes, {"notify": ["ops"]}], times=[MORNINGS]))
    world.fails(service="stock")
    world.fails(service="storefront")
    assert [one for one in withheld(world) if one[0] == "AL-2"] == []


def test_a_cause_one_of_whose_routes_tells_hushes_its_echo():
    routes = [
        {"match": {"service": "stock"}, "notify": ["ops"], "mute": ["mornings"], "continue": True},
        {"notify": ["ops"]},
    ]
    world = World(chain(routes=routes, times=[MORNINGS]))
    world.fails(service="stock")
    world.fails(service="storefront")
    assert ("AL-2", "", "dependency") in withheld(world)


def flaps(**more):
    return World(shop(autonomy="shadow", **more) | {"flapping": {"after": 3, "within": "10m", "calm": "15m"}})


def test_an_alert_that_began_to_flap_under_a_silence_is_told_once_after_it():
    world = flaps()
    silence(world, "service=shop", hours=0.1)
    for _ in range(30):
        world.fails()
        world.wait(20)
        world.recovers()
        world.wait(20)
    assert len(pages(world)) == 1
    assert "It is flapping" in pages(world)[0].content["text"]


def test_a_flapping_alert_that_gets_worse_is_told():
    world = flaps()
    identity = {"alertname": "CheckFailing", "service": "shop", "check": "http"}
    for _ in range(4):
        world.decide(AlertRaised({**identity, "severity": "warning"}, {}, world.now, {}, identity=identity))
        world.wait(20)
        world.decide(AlertCleared(identity, world.now, identity=identity))
        world.wait(20)
    world.decide(AlertRaised({**identity, "severity": "warning"}, {}, world.now, {}, identity=identity))
    told = len(pages(world))
    world.decide(AlertRaised({**identity, "severity": "critical"}, {}, world.now, {}, identity=identity))
    assert [page.severity for page in pages(world)[told:]] == ["critical"]


def test_a_flapping_alert_that_stays_is_told_when_calm_though_its_incident_was_resolved_by_hand():
    world = flaps()
    for _ in range(4):
        world.fails()
        world.wait(20)
        world.recovers()
        world.wait(20)
    world.fails()
    incident = world.view.alerts["AL-5"].incident_id
    world.resolve(incident)
    told = len(pages(world))
    world.wait(HOUR)
    assert len(pages(world)) == told + 1
    assert pages(world)[-1].incident_id != incident


def test_a_page_held_for_a_remedy_goes_out_when_its_alert_is_split_off():
    world = World(shop(hold="60s"))
    world.fails("http")
    world.fails("tcp", severity="warning")
    assert world.told()[0] == ("page", "ops", "held")
    world.decide(IncidentSplit("INC-1", ["AL-1"], "ana", world.now))
    world.recovers("tcp", severity="warning")
    [page] = [one for one in world.view.outbox.values() if one.state == "due" and one.kind == "page"]
    assert page.content["named"] == ["AL-1", "AL-2"]


def test_an_inhibition_that_a_new_configuration_does_not_have_withholds_no_longer():
    inhibit = {"source": ["alertname=ClusterDown"], "target": ["alertname=CheckFailing"]}
    world = World(shop(autonomy="shadow") | {"inhibitions": [inhibit]})
    world.fails("down", service="cluster", alertname="ClusterDown")
    world.fails()
    assert withheld(world) == [("AL-2", "", "inhibition")]
    world.view.config = World(shop(autonomy="shadow")).view.config
    world.wait(HOUR)
    assert withheld(world) == []
    assert pages(world)[-1].alert_id == "AL-2"


def test_what_stays_withheld_is_looked_at_now_and_then_and_not_ever_more_often():
    inhibit = {"source": ["alertname=ClusterDown"], "target": ["alertname=CheckFailing"]}
    world = World(shop(autonomy="shadow") | {"inhibitions": [inhibit]})
    world.fails("down", service="cluster", alertname="ClusterDown")
    world.fails()
    silence(world, "check=http")
    world.wait(6 * HOUR)
    assert [timer.kind for timer in world.view.timers] == ["recheck"]
    world.recovers()
    assert world.view.timers == []


def test_what_was_silenced_when_a_configuration_grouped_its_route_is_told_by_the_group():
    world = World(shop(autonomy="shadow"))
    silence(world, "service=shop")
    world.fails()
    routes = [{"notify": ["ops"], "group_by": ["alertname"]}]
    world.view.config = World(shop(autonomy="shadow", routes=routes)).view.config
    world.wait(2 * HOUR)
    assert [page.content["reason"] for page in pages(world)] == ["first notification"]
