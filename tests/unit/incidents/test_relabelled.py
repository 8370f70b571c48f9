"""A new configuration changes the labels of what fires: the episode, its incident and what was told stay."""

import pytest
from memory_view import World, shop

from forewatch.config.models import Config
from forewatch.incidents.events import AlertCleared, AlertRaised

pytestmark = pytest.mark.unit

BEFORE = {"alertname": "CheckFailing", "service": "shop", "check": "http", "severity": "critical"}
AFTER = {**BEFORE, "tier": "1", "owner": "web"}


def relabel(world, before=BEFORE, after=AFTER):
    annotations = {"summary": "http of shop fails: connection refused"}
    world.decide(AlertRaised(after, annotations, world.now, {}, before=before))


def test_a_label_added_to_a_service_that_is_down_is_no_end_and_no_page():
    world = World(shop(autonomy="shadow"))
    world.fails()
    world.wait(10)
    relabel(world)
    world.wait(60)
    assert world.told() == [("page", "ops", "sent")]
    assert [alert.id for alert in world.view.alerts.values()] == ["AL-1"]
    assert world.view.alerts["AL-1"].labels == AFTER
    assert "relabelled" in [reason.code for reason in world.view.reasons]


def test_it_ends_under_its_new_labels_and_those_who_were_told_hear_of_it():
    world = World(shop(autonomy="shadow"))
    world.fails()
    relabel(world)
    world.wait(10)
    world.decide(AlertCleared(AFTER, world.now))
    assert [kind for kind, _, _ in world.told()] == ["page", "resolved"]
    assert not world.view.incidents["INC-1"].open


def test_a_receiver_no_route_leads_to_any_more_hears_once_that_it_is_not_theirs():
    routes = [{"match": {"tier": "1"}, "notify": ["web"]}, {"notify": ["ops"]}]
    world = World(shop(autonomy="shadow", routes=routes))
    world.fails()
    world.wait(10)
    relabel(world)
    world.wait(10)
    assert world.told() == [("page", "ops", "sent"), ("resolved", "ops", "sent"), ("page", "web", "sent")]
    assert world.view.outbox["NT-2"].content["ended"] == "no longer yours"
    world.decide(AlertCleared(AFTER, world.now))
    assert [(kind, notifier) for kind, notifier, _ in world.told()][3:] == [("resolved", "web")]


def test_what_flapped_flaps_on():
    flapping = {"after": 2, "within": "10m", "calm": "5m"}
    world = World(shop(autonomy="shadow") | {"flapping": flapping})
    for _ in range(2):
        world.fails()
        world.recovers()
    world.fails()
    relabel(world)
    mark = world.view.alerts["AL-3"].fingerprint
    assert world.view.flaps[mark].flapping_since is not None
    assert [timer.subject for timer in world.view.timers if timer.kind == "calm"] == [mark]


def test_where_nothing_fired_under_the_old_labels_it_is_raised_as_new():
    world = World(shop(autonomy="shadow"))
    relabel(world)
    assert world.told() == [("page", "ops", "due")]


def grouped_by_tier():
    """The group of alerts without a tier was told of shop's."""
    world = World(shop(autonomy="shadow", routes=[{"notify": ["ops"], "group_by": ["tier"], "group_wait": "5s"}]))
    world.fails()
    world.wait(10)
    return world


def notices(world):
    return [
        (
            one.kind,
            one.content["reason"],
            one.content["group_labels"],
            [(a["status"], a["labels"]) for a in one.content["alerts"]],
        )
        for one in world.view.outbox.values()
    ]


def test_the_group_it_left_hears_its_end_as_moved_under_the_labels_it_knew():
    world = grouped_by_tier()
    relabel(world)
    assert notices(world)[1:] == [("resolved", "moved to another group", {}, [("resolved", BEFORE)])]
    content = list(world.view.outbox.values())[-1].content
    assert (content["ended"], content["title"]) == (
        "moved to another group",
        "http of shop fails: connection refused: moved to another group",
    )


def test_the_group_it_is_in_now_is_told_of_it():
    world = grouped_by_tier()
    relabel(world)
    world.wait(10)
    assert notices(world)[2:] == [("page", "first notification", {"tier": "1"}, [("firing", AFTER)])]


def test_a_group_that_has_others_hears_that_those_fire_on():
    world = grouped_by_tier()
    world.fails(check="tcp")
    world.wait(600)
    relabel(world)
    kind, reason, _, alerts = notices(world)[-1]
    assert (kind, reason, [status for status, _ in alerts]) == (
        "page",
        "moved to another group",
        ["firing", "resolved"],
    )


def test_a_group_whose_labels_did_not_change_hears_nothing():
    world = World(shop(autonomy="shadow", routes=[{"notify": ["ops"], "group_by": ["check"], "group_wait": "5s"}]))
    world.fails()
    world.wait(10)
    relabel(world)
    world.wait(20)
    assert len(notices(world)) == 1


def test_the_old_group_hears_of_it_though_its_route_is_gone_with_the_same_configuration():
    world = grouped_by_tier()
    routes = [{"notify": ["ops"], "group_by": ["owner"], "group_wait": "5s"}]
    world.view.config = Config.model_validate({"digest": {"within": "0s"}, **shop(autonomy="shadow", routes=routes)})
    relabel(world)
    assert notices(world)[1:] == [("resolved", "moved to another group", {}, [("resolved", BEFORE)])]
