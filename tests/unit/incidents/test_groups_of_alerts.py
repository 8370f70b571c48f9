"""Alerts told in groups, as Alertmanager does."""

import pytest
from memory_view import World, shop
from test_withheld_alerts import silence

from forewatch.clock import micros
from forewatch.incidents.events import AlertRaised

pytestmark = pytest.mark.unit


def grouped(**route):
    route = {"notify": ["ops"], "group_by": ["alertname"], "group_wait": "30s", "group_interval": "5m", **route}
    return World(shop(autonomy="shadow", routes=[route]))


def notices(world):
    """(seconds since the world began, kind, reason, alerts in it) of each notice."""
    began = min(alert.starts_at for alert in world.view.alerts.values())
    return [
        (
            (notice.created_at - began) / micros(1),
            notice.kind,
            notice.content["reason"],
            sorted(f"{alert['id']} {alert['status']}" for alert in notice.content["alerts"]),
        )
        for notice in world.view.outbox.values()
        if "alerts" in notice.content
    ]


def test_the_first_notice_waits_for_others_of_its_group():
    world = grouped()
    world.fails("http")
    world.wait(10)
    world.fails("tcp")
    world.wait(30)
    assert notices(world) == [(30.0, "page", "first notification", ["AL-1 firing", "AL-2 firing"])]


def test_what_is_over_before_the_first_notice_is_never_told():
    world = grouped()
    world.fails()
    world.wait(10)
    world.recovers()
    world.wait(3600)
    assert world.view.outbox == {}
    assert world.view.groups == {}


def test_a_new_alert_is_told_on_the_next_tick():
    world = grouped()
    world.fails("http")
    world.wait(60)
    world.fails("tcp")
    world.wait(300)
    assert notices(world)[1:] == [(330.0, "page", "new alerts added", ["AL-1 firing", "AL-2 firing"])]


def test_some_and_all_resolved_are_told_on_ticks():
    world = grouped()
    world.fails("http")
    world.fails("tcp")
    world.wait(60)
    world.recovers("http")
    world.wait(300)
    world.recovers("tcp")
    world.wait(300)
    assert [notice[1:] for notice in notices(world)[1:]] == [
        ("page", "some alerts resolved", ["AL-1 resolved", "AL-2 firing"]),
        ("resolved", "all alerts resolved", ["AL-2 resolved"]),
    ]
    assert world.view.groups == {}


def test_acknowledging_a_notice_acknowledges_the_incidents_of_all_its_alerts():
    world = grouped()
    world.fails(service="shop")
    world.fails(service="mail")
    world.wait(30)
    [notice] = world.view.outbox.values()
    assert (notice.incident_id, notice.content["incidents"]) == (None, ["INC-1", "INC-2"])
    world.ack(notice.id)
    assert [one.status for one in world.view.incidents.values()] == ["acknowledged", "acknowledged"]


def test_what_still_fires_is_repeated_on_the_tick_after_the_repeat_interval():
    world = grouped(repeat_interval="12m")
    world.fails()
    world.wait(3600)
    assert [(at, reason) for at, _, reason, _ in notices(world)] == [
        (30.0, "first notification"),
        (30.0 + 900, "repeat interval elapsed"),
        (30.0 + 1800, "repeat interval elapsed"),
        (30.0 + 2700, "repeat interval elapsed"),
    ]


def test_an_alert_that_began_long_ago_is_told_at_once():
    world = grouped()
    labels = {"alertname": "Old", "service": "shop", "severity": "critical"}
    world.decide(AlertRaised(labels, {}, world.now - micros(120)))
    world.wait(0)
    assert [notice[2] for notice in notices(world)] == ["first notification"]


def test_every_alert_is_a_group_of_its_own_where_the_route_says_so():
    world = grouped(group_by=["..."])
    world.fails("http")
    world.fails("tcp")
    world.wait(31)
    assert [notice[3] for notice in notices(world)] == [["AL-1 firing"], ["AL-2 firing"]]


def test_a_group_leaves_its_silenced_alerts_out_and_tells_them_after_it():
    world = grouped()
    silence(world, "check=tcp", hours=0.5)
    world.fails("http")
    world.fails("tcp")
    world.wait(31)
    assert notices(world)[0][3] == ["AL-1 firing"]
    world.wait(3600)
    assert notices(world)[1][2:] == ("new alerts added", ["AL-1 firing", "AL-2 firing"])


def test_an_alert_that_continues_is_told_on_every_route():
    routes = [
        {"match": {"severity": "critical"}, "notify": ["web"], "continue": True},
        {"notify": ["ops"], "group_by": ["alertname"]},
    ]
    world = World(shop(autonomy="shadow", routes=routes))
    world.fails()
    world.wait(31)
    assert [told[:2] for told in world.told()] == [("page", "web"), ("page", "ops")]


def test_when_the_configuration_takes_a_group_away_its_alerts_are_told_on_the_new_way():
    world = grouped()
    world.fails()
    world.view.config = World(shop(autonomy="shadow")).view.config
    world.wait(31)
    assert world.told() == [("page", "ops", "sent")]
    assert world.view.outbox["NT-1"].incident_id == "INC-1"
    assert world.view.groups == {}
