"""A service is well again while its incident goes on: who was told of it hears of that, once."""

import pytest
from memory_view import World
from test_withheld_alerts import silence

from forewatch.incidents.events import AlertCleared

pytestmark = pytest.mark.unit

TEAMS = {
    "services": [{"name": "website", "depends_on": ["db"], "labels": {"team": "web"}}, {"name": "db"}],
    "notifiers": [{"name": name, "console": {}} for name in ("web", "data", "all")],
    "routes": [
        {"match": {"team": "web"}, "notify": ["web", "all"]},
        {"match": {"team": "data"}, "notify": ["data", "all"]},
    ],
}
EXPIRES = "website has a certificate problem: cert certificate expires in 2 days"


def db_fails_while_a_certificate_expires():
    world = World(TEAMS)
    world.fails(check="cert", service="website", team="web", summary=EXPIRES)
    world.wait(60)
    world.fails(service="db", team="data", summary="db is down: refused by 127.0.0.1:5432")
    world.wait(10)
    world.recovers(service="db", team="data")
    return world


def heard(world, notifier):
    return [(one.kind, one.content["title"]) for one in world.view.outbox.values() if one.notifier == notifier]


def test_half_a_minute_after_its_recovery_its_team_hears_of_it_though_the_incident_stays_open():
    world = db_fails_while_a_certificate_expires()
    world.wait(29)
    assert len(heard(world, "data")) == 1
    world.wait(2)
    assert heard(world, "data")[1:] == [("resolved", "db is back after 10s")]
    assert world.view.incidents["INC-1"].open
    last = [one for one in world.view.outbox.values() if one.notifier == "data"][-1]
    assert last.content["text"] == f"INC-1 stays open: {EXPIRES}."


def test_who_was_told_of_what_still_fails_hears_it_as_an_update_for_the_incident_is_not_over_to_them():
    world = db_fails_while_a_certificate_expires()
    world.wait(31)
    assert heard(world, "all")[-1] == ("update", "db is back after 10s")
    assert [kind for kind, _ in heard(world, "web")] == ["page"]


def test_the_end_of_the_incident_is_told_to_those_only_to_whom_it_was_not_over():
    world = db_fails_while_a_certificate_expires()
    world.wait(31)
    world.recovers(check="cert", service="website", team="web")
    assert [kind for kind, _ in heard(world, "data")] == ["page", "resolved"]
    assert [kind for kind, _ in heard(world, "web")] == ["page", "resolved"]
    assert [kind for kind, _ in heard(world, "all")] == ["page", "page", "update", "resolved"]


def test_what_fails_anew_after_that_pages_anew():
    world = db_fails_while_a_certificate_expires()
    world.wait(31)
    world.fails(service="db", team="data", summary="db is down: refused by 127.0.0.1:5432")
    assert [kind for kind, _ in heard(world, "data")] == ["page", "resolved", "page"]


def test_an_incident_that_ends_within_the_half_minute_says_it_all_at_once():
    world = db_fails_while_a_certificate_expires()
    world.wait(10)
    world.recovers(check="cert", service="website", team="web")
    world.wait(60)
    assert [kind for kind, _ in heard(world, "data")] == ["page", "resolved"]
    assert heard(world, "data")[-1][1] == "db is back after 10s, and so is website"


def test_what_fails_again_meanwhile_is_not_called_over():
    world = db_fails_while_a_certificate_expires()
    world.wait(10)
    world.fails(service="db", team="data")
    world.wait(60)
    assert "resolved" not in [kind for kind, _ in heard(world, "data")]


def gone(world, service, **labels):
    """The check of a service that is down is no longer configured."""
    labels = {"alertname": "CheckFailing", "service": service, "check": "http", "severity": "critical", **labels}
    values = {"reason": "no longer watched (last: down)"}
    return world.decide(AlertCleared(labels, world.now, values, unwatched=True))


def test_of_very_many_services_none_that_still_fails_is_called_back():
    leaves = [{"name": f"s{n}", "depends_on": ["gateway"]} for n in range(210)]
    world = World(
        {
            "services": [{"name": "gateway"}, *leaves],
            "notifiers": [{"name": "ops", "console": {}}],
            "routes": [{"notify": ["ops"]}],
        }
    )
    world.fails(service="gateway", severity="warning", summary="gateway is slow: 2 s")
    for leaf in leaves:
        world.fails(service=leaf["name"], summary=f"{leaf['name']} is down: refused")
    world.wait(10)
    world.recovers(service="s3")
    world.wait(31)
    assert heard(world, "ops")[-1] == ("update", "s3 is back after 10s")


def test_what_is_no_longer_watched_is_not_called_back_while_its_incident_goes_on():
    world = World(TEAMS)
    world.fails(check="cert", service="website", team="web", summary=EXPIRES)
    world.wait(60)
    world.fails(service="db", team="data", summary="db is down: refused by 127.0.0.1:5432")
    gone(world, "db", team="data")
    world.wait(31)
    last = [one for one in world.view.outbox.values() if one.notifier == "data"][-1]
    assert last.content["title"] == "db is down: refused by 127.0.0.1:5432: no longer watched (last: down)"
    assert last.content["ended"] == "no longer watched (last: down)"


def test_what_is_no_longer_watched_is_not_called_back_by_the_end_of_its_incident():
    world = World(TEAMS)
    world.fails(service="website", team="web", summary="website is down: refused")
    world.fails(service="db", team="data", summary="db is down: refused")
    world.wait(10)
    gone(world, "db", team="data")
    world.wait(5)
    world.recovers(service="website", team="web")
    last = [one for one in world.view.outbox.values() if one.notifier == "data"][-1]
    assert (last.kind, last.content["title"]) == ("resolved", "website is back after 15s")
    assert last.content["text"] == "db is down: refused: no longer watched (last: down)."


def test_what_comes_and_goes_beside_it_does_not_put_off_the_news_for_ever():
    services = [{"name": "website", "depends_on": ["db", "cache"]}, {"name": "db"}, {"name": "cache"}]
    world = World(TEAMS | {"services": services})
    world.fails(check="cert", service="website", team="web", summary=EXPIRES)
    world.wait(60)
    world.fails(service="db", team="data", summary="db is down: refused")
    world.fails(service="cache", team="web", summary="cache is down: refused")
    world.recovers(service="db", team="data")
    for _ in range(20):
        world.recovers(service="cache", team="web")
        world.wait(20)
        world.fails(service="cache", team="web", summary="cache is down: refused")
        world.wait(5)
    assert [kind for kind, _ in heard(world, "data")] == ["page", "resolved"]


def test_what_flapped_is_told_to_be_well_once_it_is_calm():
    world = World(TEAMS)
    world.fails(check="cert", service="website", team="web", summary=EXPIRES)
    world.wait(60)
    for _ in range(7):
        world.fails(service="db", team="data", summary="db is down: refused")
        world.wait(10)
        world.recovers(service="db", team="data")
        world.wait(10)
    assert "resolved" not in [kind for kind, _ in heard(world, "data")]
    world.wait(7200)
    assert heard(world, "data")[-1][0] == "resolved"


def test_who_heard_that_a_part_is_over_hears_of_the_end_though_the_rest_was_silenced():
    world = World(TEAMS | {"routes": [{"notify": ["all"]}]})
    silence(world, "service=website")
    world.fails(check="cert", service="website", severity="warning", summary=EXPIRES)
    world.fails(service="db", summary="db is down: refused")
    world.wait(10)
    world.recovers(service="db")
    world.wait(40)
    assert heard(world, "all")[-1] == ("update", "db is back after 10s")
    world.recovers(check="cert", service="website", severity="warning")
    assert heard(world, "all")[-1][0] == "resolved"


def test_who_was_told_by_a_held_page_that_left_by_itself_is_concerned_all_the_same():
    world = db_fails_while_a_certificate_expires()
    del world.view.namings["AL-1", "all"]
    world.wait(31)
    assert heard(world, "all")[-1] == ("update", "db is back after 10s")


def test_a_service_that_flaps_is_not_well():
    world = World(TEAMS | {"flapping": {"after": 2, "within": "10m", "calm": "15m"}})
    world.fails(check="cert", service="website", team="web", summary=EXPIRES)
    world.fails(check="tcp", service="db", team="data")
    world.recovers(check="tcp", service="db", team="data")
    for _ in range(2):
        world.fails(service="db", team="data")
        world.recovers(service="db", team="data")
    world.wait(60)
    assert "resolved" not in [kind for kind, _ in heard(world, "data")]
