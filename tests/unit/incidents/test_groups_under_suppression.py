"""Groups whose alerts are partly or wholly withheld: nothing false is said, and nothing is lost afterwards."""

import pytest
from memory_view import World, shop
from test_groups_of_alerts import grouped, notices
from test_withheld_alerts import silence

from forewatch.incidents.events import SilenceExpired

pytestmark = pytest.mark.unit


def test_a_group_whose_alerts_are_all_silenced_says_nothing_least_of_all_that_they_are_resolved():
    world = grouped()
    world.fails()
    world.wait(60)
    silence(world, "service=shop")
    world.wait(1800)
    assert [notice[2] for notice in notices(world)] == ["first notification"]


def test_what_was_told_before_its_silence_is_told_afresh_on_the_tick_after_it():
    world = grouped()
    world.fails("http")
    world.fails("tcp")
    world.wait(60)
    silence(world, "check=tcp", hours=0.25)
    world.wait(1800)
    assert [notice[2:] for notice in notices(world)[1:]] == [("new alerts added", ["AL-1 firing", "AL-2 firing"])]


def test_what_is_over_under_its_silence_and_fires_again_after_it_is_told_as_new():
    world = grouped()
    world.fails("http")
    world.fails("tcp")
    world.wait(60)
    silence(world, "check=tcp")
    world.wait(60)
    world.recovers("tcp")
    world.wait(600)
    world.decide(SilenceExpired("S1", "ana", world.now))
    world.wait(600)
    world.fails("tcp")
    world.wait(300)
    assert [notice[2:] for notice in notices(world)[1:]] == [("new alerts added", ["AL-1 firing", "AL-3 firing"])]


def test_what_is_over_under_its_silence_as_the_last_of_its_group_is_told_as_the_first_when_it_fires_again():
    world = grouped()
    world.fails()
    world.wait(60)
    silence(world, "service=shop", hours=0.25)
    world.recovers()
    world.wait(1200)
    world.fails()
    world.wait(60)
    assert [notice[2:] for notice in notices(world)[1:]] == [("first notification", ["AL-2 firing"])]


def test_an_inhibited_alert_is_known_still_when_its_inhibition_ends():
    inhibit = {"source": ["alertname=ClusterDown"], "target": ["check=tcp"]}
    routes = [{"notify": ["ops"], "group_by": ["service"]}]
    world = World(shop(autonomy="shadow", routes=routes) | {"inhibitions": [inhibit]})
    world.fails("tcp")
    world.wait(60)
    world.fails("down", service="cluster", alertname="ClusterDown")
    world.wait(600)
    world.recovers("down", service="cluster", alertname="ClusterDown")
    world.wait(600)
    shown = [
        notice.content for notice in world.view.outbox.values() if notice.content["group_labels"]["service"] == "shop"
    ]
    assert [content["reason"] for content in shown] == ["first notification"]


def test_a_group_dissolved_by_a_new_configuration_pages_once_and_sends_no_second_remedy():
    once = {"per_hour": 1, "cooldown": "0s"}
    world = World(shop(routes=[{"notify": ["ops"], "group_by": ["alertname"]}], limits=once))
    for number in range(5):
        world.fails(f"check{number}")
    assert list(world.view.runs) == ["RUN-1"]
    world.starting()
    world.failed()
    before = len(world.told())
    world.wait(20)
    world.view.config = World(shop(limits=once)).view.config
    world.wait(60)
    assert [kind for kind, _, _ in world.told()[before:]] == ["page", *["update"] * 4]
    assert list(world.view.runs) == ["RUN-1"]


def test_an_alert_whose_incident_was_resolved_by_hand_moves_to_its_new_group_all_the_same():
    world = grouped()
    world.fails()
    world.resolve()
    regrouped = shop(autonomy="shadow", routes=[{"notify": ["web"], "group_by": ["service"]}])
    world.view.config = World(regrouped).view.config
    world.wait(120)
    assert [(notice.notifier, notice.kind) for notice in world.view.outbox.values()] == [("web", "page")]


def flapping(world, times):
    for _ in range(times):
        world.fails()
        world.wait(40)
        world.recovers()
        world.wait(40)


def test_a_flapping_alert_is_told_by_its_group_and_then_no_more_until_it_is_calm_and_over():
    route = {"notify": ["ops"], "group_by": ["alertname"], "group_interval": "1m"}
    flaps = {"flapping": {"after": 3, "within": "10m", "calm": "5m"}}
    world = World(shop(autonomy="shadow", routes=[route]) | flaps)
    flapping(world, 3)
    told = len(notices(world))
    flapping(world, 20)
    assert len(notices(world)) == told
    world.wait(600)
    last = notices(world)[-1]
    assert last[1] == "resolved"
    assert world.view.groups == {}


def test_a_flapping_alert_its_group_never_told_of_is_told():
    flaps = {"flapping": {"after": 3, "within": "10m", "calm": "5m"}}
    route = {"notify": ["ops"], "group_by": ["alertname"], "group_interval": "1m"}
    world = World(shop(autonomy="shadow", routes=[route]) | flaps)
    silence(world, "service=shop", hours=0.1)
    flapping(world, 4)
    assert notices(world) == []
    flapping(world, 4)
    assert [notice[2] for notice in notices(world)] == ["first notification"]


def test_a_flapping_alert_that_stays_is_repeated_once_it_is_calm():
    flaps = {"flapping": {"after": 3, "within": "10m", "calm": "5m"}}
    route = {"notify": ["ops"], "group_by": ["alertname"], "group_interval": "1m", "repeat_interval": "20m"}
    world = World(shop(autonomy="shadow", routes=[route]) | flaps)
    flapping(world, 4)
    world.fails()
    before = len(notices(world))
    world.wait(3600)
    assert {notice[1] for notice in notices(world)[before:]} == {"page"}
    assert len(notices(world)) - before >= 2
