"""Alerts of joined services are one incident; people split and merge."""

import pytest
from memory_view import World
from test_withheld_alerts import chain

from forewatch.errors import ActionRefused, NotFound
from forewatch.incidents.events import AlertRaised, IncidentsMerged, IncidentSplit

pytestmark = pytest.mark.unit


def incidents(world):
    return [alert.incident_id for alert in world.view.alerts.values()]


def test_a_dependant_joins_its_dependencys_incident_through_others():
    world = World(chain())
    world.fails(service="stock")
    world.wait(60)
    world.fails(service="storefront")
    assert incidents(world) == ["INC-1", "INC-1"]
    assert any("where stock, which storefront depends on, fails too" in r.text for r in world.view.reasons)


def test_a_dependency_joins_its_dependants_incident():
    world = World(chain())
    world.fails(service="storefront", severity="warning")
    world.fails(service="stock")
    assert incidents(world) == ["INC-1", "INC-1"]
    assert world.view.incidents["INC-1"].severity == "critical"


def test_a_dependency_that_fails_since_an_hour_still_links():
    world = World(chain())
    world.fails(service="stock")
    world.wait(3600)
    world.fails(service="storefront")
    assert incidents(world) == ["INC-1", "INC-1"]


@pytest.mark.parametrize(("ago", "found"), [(9, "INC-1"), (11, "INC-2")])
def test_what_ended_more_than_ten_seconds_ago_links_nobody(ago, found):
    world = World(chain(flapping={"after": 2, "within": "10m", "calm": "15m"}))
    for _ in range(2):
        world.fails(service="stock")
        world.recovers(service="stock")
    assert world.view.incidents["INC-1"].open or world.view.incidents["INC-2"].open
    opened = next(one.id for one in world.view.incidents.values() if one.open)
    world.wait(ago)
    world.fails(service="storefront")
    joined = incidents(world)[-1]
    assert (joined == opened) == (found == "INC-1")


def fork():
    """app stands on db and cache; mail on nothing."""
    services = [
        {"name": "app", "depends_on": ["db", "cache"]},
        {"name": "db"},
        {"name": "cache"},
        {"name": "mail"},
    ]
    return {"services": services, "notifiers": [{"name": "ops", "console": {}}], "routes": [{"notify": ["ops"]}]}


def test_two_dependencies_of_a_service_that_fails_are_one_incident():
    world = World(fork())
    for service in ("app", "db", "cache"):
        world.fails(service=service)
    assert incidents(world) == ["INC-1"] * 3
    assert world.view.incidents["INC-1"].service == "db"


def test_two_dependencies_of_a_healthy_service_are_two_incidents():
    world = World(fork())
    for service in ("db", "cache"):
        world.fails(service=service)
    assert incidents(world) == ["INC-1", "INC-2"]


def test_an_incident_is_named_after_its_deepest_service_and_a_new_title_pages_nobody():
    world = World(fork())
    world.fails(service="app")
    assert world.view.incidents["INC-1"].service == "app"
    world.fails(service="db")
    assert world.view.incidents["INC-1"].service == "db"
    before = len(world.told())
    world.recovers(service="db")
    assert world.view.incidents["INC-1"].service == "app"
    assert "retitled" in world.codes()
    assert len(world.told()) == before


def test_what_comes_back_within_half_an_hour_follows_the_incident_that_ended():
    world = World(fork())
    world.fails(service="db")
    world.recovers(service="db")
    world.wait(1700)
    world.fails(service="db")
    assert world.view.incidents["INC-2"].follows == "INC-1"
    world.recovers(service="db")
    world.wait(1900)
    world.fails(service="db")
    assert world.view.incidents["INC-3"].follows is None


def test_services_that_are_not_joined_are_incidents_of_their_own():
    config = chain()
    config["services"].append({"name": "mail"})
    world = World(config)
    world.fails(service="stock")
    world.fails(service="mail")
    assert incidents(world) == ["INC-1", "INC-2"]


def test_a_services_own_incident_takes_its_alerts_however_late():
    world = World(chain())
    world.fails("http", service="stock")
    world.wait(3600)
    world.fails("tcp", service="stock")
    assert incidents(world) == ["INC-1", "INC-1"]


def test_a_new_service_breaks_through_an_acknowledgement():
    world = World(chain())
    world.fails(service="storefront")
    world.wait(1)
    world.ack()
    world.fails(service="stock")
    assert [notice.alert_id for notice in world.view.outbox.values() if notice.kind == "page"] == ["AL-1", "AL-2"]


def test_two_incidents_are_merged_by_hand_with_their_runs_and_notices():
    config = chain()
    config["services"].append({"name": "mail"})
    world = World(config)
    world.fails(service="stock")
    world.fails(service="mail", severity="warning")
    world.decide(IncidentsMerged("INC-2", "INC-1", "ana", world.now))
    assert incidents(world) == ["INC-2", "INC-2"]
    assert {run.incident_id for run in world.view.runs.values()} == {"INC-2"}
    assert {notice.incident_id for notice in world.view.outbox.values()} == {"INC-2"}
    assert world.view.incidents["INC-1"].resolution == "merged into INC-2 by ana"
    assert world.view.incidents["INC-2"].severity == "critical"


def test_an_incident_is_split_by_hand():
    world = World(chain())
    world.fails(service="stock")
    world.fails(service="storefront", severity="warning")
    world.decide(IncidentSplit("INC-1", ["AL-2"], "ana", world.now))
    assert incidents(world) == ["INC-1", "INC-2"]
    assert world.view.incidents["INC-2"].service == "storefront"
    world.recovers(service="stock")
    assert not world.view.incidents["INC-1"].open
    assert world.view.incidents["INC-2"].open


def test_who_was_told_of_what_is_split_off_hears_where_it_is_now():
    world = World(chain(routes=[{"notify": ["ops"], "hold": "0s"}]))
    world.fails(service="stock")
    world.wait(10)
    world.fails(service="storefront", severity="warning")
    world.decide(IncidentSplit("INC-1", ["AL-1"], "ana", world.now))
    world.wait(10)
    page, _, update = world.view.outbox.values()
    assert (page.kind, page.incident_id, page.content["named"]) == ("page", "INC-1", ["AL-1"])
    assert (update.kind, update.incident_id, update.content["named"]) == ("update", "INC-2", ["AL-1"])
    assert update.notifier == page.notifier


def test_a_held_page_of_what_is_split_off_speaks_of_where_it_is_now():
    world = World(chain())
    world.fails(service="stock")
    world.fails(service="storefront", severity="warning")
    world.decide(IncidentSplit("INC-1", ["AL-1"], "ana", world.now))
    [gone, page] = world.view.outbox.values()
    assert (gone.state, page.kind, page.incident_id) == ("merged", "page", "INC-2")
    assert (page.content["incident_id"], page.content["named"]) == ("INC-2", ["AL-1"])


def test_a_split_of_one_service_leaves_both_open():
    world = World(chain())
    world.fails("http", service="stock")
    world.fails("tcp", service="stock")
    world.decide(IncidentSplit("INC-1", ["AL-2"], "ana", world.now))
    assert world.view.incidents["INC-2"].group_key == "stock/INC-2"


@pytest.mark.parametrize("alerts", [[], ["AL-1", "AL-2"]])
def test_a_split_must_leave_something_on_either_side(alerts):
    world = World(chain())
    world.fails("http", service="stock")
    world.fails("tcp", service="stock")
    with pytest.raises(ActionRefused):
        world.decide(IncidentSplit("INC-1", alerts, "ana", world.now))


def test_what_is_not_there_cannot_be_split_or_merged():
    world = World(chain())
    world.fails("http", service="stock")
    with pytest.raises(NotFound):
        world.decide(IncidentSplit("INC-1", ["AL-9"], "ana", world.now))
    with pytest.raises(NotFound):
        world.decide(IncidentsMerged("INC-1", "INC-9", "ana", world.now))


def test_every_incident_a_flapping_alert_was_split_over_ends_when_it_is_calm():
    world = World(chain(flapping={"after": 2, "within": "10m", "calm": "5m"}, services=[{"name": "stock"}]))
    for _ in range(2):
        world.fails("http", service="stock")
        world.fails("tcp", service="stock")
        world.recovers("http", service="stock")
    world.fails("http", service="stock")
    flapping = world.view.firing_alert(list(world.view.alerts.values())[-1].fingerprint)
    world.decide(IncidentSplit("INC-1", [flapping.id], "ana", world.now))
    world.recovers("http", service="stock")
    world.fails("http", service="stock")
    world.recovers("http", service="stock")
    world.recovers("tcp", service="stock")
    assert all(incident.open for incident in world.view.incidents.values())
    world.wait(3600)
    assert [incident.status for incident in world.view.incidents.values()] == ["resolved", "resolved"]


def strangers(world, *, name="Watched", **labels):
    labels = {"alertname": name, "severity": "critical", **labels}
    world.decide(AlertRaised(labels, {}, world.now, sender="kuma"))


def pages(world):
    return [notice.alert_id for notice in world.view.outbox.values() if notice.kind == "page"]


def test_alerts_that_name_no_service_are_one_incident_only_with_others_of_their_name():
    world = World(chain())
    strangers(world, monitor="shop")
    strangers(world, monitor="blog")
    strangers(world, name="DiskBroken")
    assert incidents(world) == ["INC-1", "INC-1", "INC-2"]
    assert pages(world) == ["AL-1", "AL-3"]


def test_a_stranger_never_joins_what_somebody_has_taken_on():
    world = World(chain())
    strangers(world, monitor="shop")
    world.wait(1)
    world.ack()
    strangers(world, monitor="blog")
    assert incidents(world) == ["INC-1", "INC-2"]
    assert pages(world) == ["AL-1", "AL-2"]
    assert any("names no service, and no open incident of its kind" in reason.text for reason in world.view.reasons)


def test_a_stranger_joins_no_incident_of_its_name_that_is_old():
    world = World(chain())
    strangers(world, monitor="shop")
    world.wait(301)
    strangers(world, monitor="blog")
    assert pages(world) == ["AL-1", "AL-2"]


def test_an_alert_of_the_machine_itself_joins_no_strangers_and_they_join_none_of_its():
    world = World(chain())
    strangers(world, monitor="shop")
    world.fails(service="host")
    strangers(world, name="Other")
    assert incidents(world) == ["INC-1", "INC-2", "INC-3"]


def test_another_critical_alert_of_the_same_service_breaks_through_an_acknowledgement():
    world = World(chain(routes=[{"notify": ["ops"], "hold": "0s"}]))
    world.fails("http", service="stock")
    world.wait(1)
    world.ack()
    world.fails("tcp", service="stock")
    world.fails(service="stock", severity="warning", alertname="HttpSlow")
    assert pages(world) == ["AL-1"]
    world.fails(service="stock", alertname="DataLost")
    assert pages(world) == ["AL-1", "AL-4"]
