"""What fails together under a service that fails too is one incident, in whatever order the checks notice."""

import pytest
from memory_view import World

pytestmark = pytest.mark.unit

COMPANY = {
    "services": [
        {"name": "website", "depends_on": ["app"]},
        {"name": "app", "depends_on": ["db", "cache"]},
        {"name": "db"},
        {"name": "cache"},
    ],
    "notifiers": [{"name": "ops", "console": {}}],
    "routes": [{"notify": ["ops"]}],
    "digest": {"within": "5s"},
}


def db_and_cache_then_app(between=0.2, order=("db", "cache")):
    world = World(COMPANY)
    for service in order:
        world.fails(service=service, summary=f"{service} is down: refused")
        world.wait(between if service == order[0] else 0)
    world.wait(0.5)
    world.fails(service="app", summary="app answers with errors: 503")
    return world


def test_two_that_fail_before_what_needs_them_become_one_incident_when_it_fails():
    world = db_and_cache_then_app()
    assert [one.id for one in world.view.incidents.values() if one.open] == ["INC-1"]
    assert {alert.incident_id for alert in world.view.alerts.values()} == {"INC-1"}
    assert world.view.incidents["INC-2"].resolution == "merged into INC-1"
    assert world.view.incidents["INC-1"].service == "db"


@pytest.mark.parametrize("order", [("db", "cache"), ("cache", "db")])
def test_the_older_one_stays_whichever_service_is_nearer(order):
    world = db_and_cache_then_app(order=order)
    assert [one.id for one in world.view.incidents.values() if one.open] == ["INC-1"]


def test_what_waits_for_a_receiver_is_told_as_of_the_one_incident():
    world = db_and_cache_then_app()
    world.wait(6)
    first, second = world.view.outbox.values()
    assert (first.incident_id, second.incident_id) == ("INC-1", "INC-1")
    assert second.content["title"].startswith("cache is down")


def test_the_one_incident_is_over_when_all_of_it_is_and_is_told_once():
    world = db_and_cache_then_app()
    world.wait(20)
    for service in ("cache", "app", "db"):
        world.recovers(service=service)
        world.wait(0.5)
    world.wait(10)
    ends = [one for one in world.view.outbox.values() if one.kind == "resolved"]
    assert [one.content["title"] for one in ends] == ["db is back after 22s, and so are app and cache"]


def test_an_incident_that_was_there_long_before_stays_one_of_its_own():
    world = db_and_cache_then_app(between=60)
    assert len([one for one in world.view.incidents.values() if one.open]) == 2


@pytest.mark.parametrize("acknowledged", ["INC-1", "INC-2"])
def test_what_somebody_has_in_hand_stays_theirs_and_takes_nothing_in(acknowledged):
    world = World(COMPANY)
    world.fails(service="db")
    world.wait(0.2)
    world.fails(service="cache")
    world.ack(acknowledged)
    world.wait(0.5)
    world.fails(service="app")
    assert [one.id for one in world.view.incidents.values() if one.open] == ["INC-1", "INC-2"]


def test_a_held_page_of_the_one_that_is_gone_leaves_when_its_hold_ends():
    remedy = {
        "on": {"alertname": "CheckFailing"},
        "runbook": "restart-service",
        "with": {"command": ["./start.sh"]},
        "autonomy": "auto",
    }
    services = [*COMPANY["services"][:3], {"name": "cache", "remedies": [remedy]}]
    world = World({**COMPANY, "services": services})
    world.fails(service="db", summary="db is down: refused")
    world.fails(service="cache", summary="cache is down: refused")
    world.starting()
    world.fails(service="app", summary="app answers with errors: 503")
    world.wait(29)
    assert [one.content["title"] for one in world.view.outbox.values() if one.state == "sent"] == [
        "db is down: refused"
    ]
    world.wait(2)
    assert [one.state for one in world.view.outbox.values()] == ["sent", "sent"]


def test_who_was_told_of_what_is_well_by_then_hears_so_though_its_incident_is_part_of_another():
    services = [*COMPANY["services"], {"name": "shelf", "depends_on": ["cache"]}]
    notifiers = [{"name": "ops", "console": {}}, {"name": "cachers", "console": {}}]
    routes = [{"match": {"service": "cache"}, "notify": ["cachers"]}, {"notify": ["ops"]}]
    world = World({"services": services, "notifiers": notifiers, "routes": routes})
    world.fails(service="db", summary="db is down: refused")
    world.fails(service="cache", summary="cache is down: refused")
    world.fails(service="shelf", check="cert", summary="shelf has a certificate problem: expired")
    world.wait(2)
    world.recovers(service="cache")
    world.wait(1)
    world.fails(service="app", summary="app is down: refused")
    assert world.view.incidents["INC-2"].resolution == "merged into INC-1"
    world.wait(31)
    told = [(one.kind, one.content["title"]) for one in world.view.outbox.values() if one.notifier == "cachers"]
    assert told == [("page", "cache is down: refused"), ("resolved", "cache is back after 2s")]


def test_the_update_that_merges_them_counts_all_their_services():
    world = World({**COMPANY, "digest": {"within": "0s"}, "correlation": {}})
    world.fails(service="db", summary="db is down: refused")
    world.wait(0.2)
    world.fails(service="cache", summary="cache is down: refused")
    # Of another kind, so that no dependency explains it.
    world.fails(service="app", summary="app is full", values={"failure": "certificate"})
    assert list(world.view.outbox.values())[-1].content["title"] == "app is full (3 services now)"
