from dataclasses import replace

import pytest
from memory_view import World, shop

from forewatch.incidents import wording
from forewatch.incidents.events import AlertCleared

pytestmark = pytest.mark.unit


def healed_world(**config):
    """The shop failed, its remedy ran for 2 s, and 3 s later its check turned green."""
    world = World(shop(**config))
    world.fails()
    world.starting()
    world.wait(2)
    world.acted()
    world.wait(3)
    world.recovers()
    return world


def test_clearing_an_alert_nobody_knows_is_recorded_and_nothing_else():
    world = World()
    outcome = world.recovers()
    assert (outcome.changes, outcome.effects) == ([], [])
    assert world.codes() == ["not-firing"]


def test_the_last_alert_to_end_resolves_the_incident():
    world = World()
    world.fails("http")
    world.fails("tcp")
    world.recovers("http")
    assert world.view.incidents["INC-1"].status == "triggered"
    world.recovers("tcp")
    incident = world.view.incidents["INC-1"]
    assert (incident.status, incident.resolved_at, incident.resolution) == (
        "resolved",
        world.now,
        "recovered by itself",
    )


def test_an_alert_that_nobody_watches_any_more_ends_without_word_of_a_recovery():
    world = World()
    world.fails()
    labels = world.view.alerts["AL-1"].labels
    world.decide(AlertCleared(labels, world.now, {"reason": "the check is no longer configured"}, unwatched=True))
    incident = world.view.incidents["INC-1"]
    assert (incident.status, incident.resolution) == ("resolved", "the check is no longer configured")
    assert any("ended, the check is no longer configured," in entry.text for _, entry in world.view.timeline)


def test_an_end_that_nobody_saw_says_what_was_known_last_and_what_ended_with_it():
    world = World()
    world.fails("http", summary="shop is down: refused")
    world.fails("tcp", summary="shop does not answer: port 80")
    gone = "no longer watched"
    ended = [replace(alert, ended=gone) for alert in world.view.alerts.values()]
    said = wording.over(world.view.incidents["INC-1"], gone, gone, "4s", unwatched=ended)
    assert said["title"] == "shop: no longer watched"
    assert said["text"] == "Last known: shop is down: refused. shop does not answer: port 80: no longer watched."


def test_an_alert_cannot_end_before_it_began_even_if_the_clock_was_set_back():
    world = World()
    world.fails()
    world.now -= 3_600_000_000
    world.recovers()
    alert = world.view.alerts["AL-1"]
    assert alert.ends_at >= alert.starts_at


def test_the_next_failure_is_a_new_episode_in_a_new_incident():
    world = World()
    world.fails()
    world.recovers()
    world.fails()
    assert list(world.view.alerts) == ["AL-1", "AL-2"]
    assert world.view.alerts["AL-1"].fingerprint == world.view.alerts["AL-2"].fingerprint
    assert world.view.alerts["AL-2"].incident_id == "INC-2"


def test_a_run_that_acted_is_verified_and_gets_the_credit():
    world = healed_world()
    run = world.view.runs["RUN-1"]
    assert (run.state, run.verified, run.finished_at) == ("done", "healed", world.now)
    assert world.view.incidents["INC-1"].resolution == "fixed by RUN-1 (restart-service)"
    assert world.view.timers == []


def test_a_run_still_at_work_is_left_to_finish():
    world = World(shop())
    world.fails()
    world.starting()
    world.recovers()
    assert world.view.runs["RUN-1"].state == "started"
    assert world.view.incidents["INC-1"].resolution == "recovered while RUN-1 (restart-service) was at work"


def test_a_run_that_has_not_begun_is_called_off():
    world = World(shop())
    world.fails()
    world.recovers()
    run = world.view.runs["RUN-1"]
    assert (run.state, run.outcome) == ("cancelled", "INC-1 recovered before.")
    assert world.view.timers == []
    assert world.view.incidents["INC-1"].resolution == "recovered by itself"


def test_a_run_that_did_not_heal_in_time_gets_no_credit():
    world = World(shop())
    world.fails()
    world.starting()
    world.acted()
    world.wait(21)
    world.recovers()
    assert world.view.incidents["INC-1"].resolution == "recovered by itself"


def test_a_held_page_becomes_a_report_of_what_happened():
    world = healed_world(hold="60s")
    assert world.told() == [("report", "ops", "due")]
    report = world.view.outbox["NT-1"]
    assert report.content["title"] == (
        "http of shop fails: connection refused: over after 5s: fixed by RUN-1 (restart-service)"
    )
    assert report.content["fixed"]
    assert "page-became-report" in world.codes()


def test_those_who_were_paged_hear_the_good_news():
    world = World(shop(autonomy="shadow"))
    world.fails()
    world.send()
    world.recovers()
    assert world.told() == [("page", "ops", "sent"), ("resolved", "ops", "due")]


def test_a_page_still_on_its_way_is_followed_by_the_good_news():
    world = World()
    world.fails()
    world.recovers()
    assert world.told() == [("page", "console", "due"), ("resolved", "console", "due")]


def test_each_notifier_hears_the_good_news_once():
    world = World()
    world.fails("http", severity="warning")
    world.fails("tcp", severity="critical")
    world.recovers("http", severity="warning")
    world.recovers("tcp", severity="critical")
    assert [kind for kind, _, _ in world.told()] == ["page", "page", "resolved"]


def test_the_end_of_an_info_incident_is_told_to_nobody():
    world = World()
    world.fails(severity="info")
    world.recovers(severity="info")
    assert world.told() == [("report", "console", "due")]


class TestSomeAlertsStillFire:
    def test_a_run_waits_for_all_alerts_bound_to_its_remedy(self):
        world = World(shop(hold="60s"))
        world.fails("http")
        world.fails("tcp")
        world.starting()
        world.acted()
        world.recovers("http")
        assert world.view.runs["RUN-1"].state == "acted"
        assert world.told() == [("page", "ops", "held"), ("page", "ops", "held")]
        world.recovers("tcp")
        assert world.view.runs["RUN-1"].verified == "healed"
        assert world.told() == [("report", "ops", "due"), ("page", "ops", "merged")]

    def test_a_run_is_not_blamed_for_an_alert_of_another_kind(self):
        world = World(shop(hold="60s"))
        world.fails("http")
        world.fails(alertname="DiskFilling", severity="info")
        world.starting()
        world.acted()
        world.recovers("http")
        assert (world.view.runs["RUN-1"].state, world.view.runs["RUN-1"].verified) == ("done", "healed")
        assert world.view.incidents["INC-1"].open

    def test_pages_are_held_only_while_a_run_is_at_work(self):
        world = World(shop(hold="60s"))
        world.fails("http")
        world.fails(alertname="DiskFilling", severity="info")
        world.starting()
        world.acted()
        world.recovers("http")
        # What it was held for is over: nobody is woken for that.
        assert ("report", "ops", "due") in world.told()
        assert world.view.outbox["NT-1"].content["reason"] == "It was over before this left."
