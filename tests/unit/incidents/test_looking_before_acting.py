"""Nothing healthy is touched: what a look saw in the moment of acting speaks against it."""

import pytest
from memory_view import World, shop

from forewatch.clock import micros
from forewatch.incidents.events import AlertRaised, TimerDue
from forewatch.incidents.outcome import Look

pytestmark = pytest.mark.unit

RESTART = {
    "on": {"alertname": "CheckFailing"},
    "runbook": "restart-service",
    "with": {"command": ["./start.sh"]},
    "autonomy": "auto",
    "limits": {"per_hour": 9, "cooldown": "0s"},
    "verify": {"within": "20s"},
}


def service(name, *needs, remedies=(RESTART,), **check):
    check = {"name": "http", "http": "http://127.0.0.1:1/", "every": "4s", "recovers_after": 2, **check}
    return {"name": name, "depends_on": list(needs), "checks": [check], "remedies": list(remedies)}


def stack(*services, hold="30s"):
    """website -> app -> db, each with one check every 4 s and a remedy."""
    return {
        "services": list(services)
        or [service("website", "app"), service("app", "db"), service("db", remedies=[], fails_after=3)],
        "notifiers": [{"name": "ops", "console": {}}],
        "routes": [{"notify": ["ops"], "hold": hold}],
    }


def remedy_timer(world, alert="AL-1"):
    """Seconds from now until the alert's remedy is asked again; None where it is not."""
    due = [timer.due_at for timer in world.view.timers if (timer.kind, timer.subject) == ("remedy", alert)]
    assert len(due) <= 1, "one time to ask again is enough"
    return (due[0] - world.now) / 1e6 if due else None


def ask_again(world, alert="AL-1", seen=()):
    """The remedy's timer runs out, and a look saw this."""
    timer = next(timer for timer in world.view.timers if (timer.kind, timer.subject) == ("remedy", alert))
    world.now = max(world.now, timer.due_at)
    world.view.timers.remove(timer)
    return world.decide(TimerDue(timer.id, "remedy", alert, world.now, list(seen)))


class TestWhatIsLookedAt:
    def test_the_failing_check_and_those_of_all_it_depends_on_are_asked_with_the_dispatch(self):
        world = World(stack())
        outcome = world.fails(service="website")
        look = next(effect for effect in outcome.effects if isinstance(effect, Look))
        assert (look.subject, look.purpose, look.due_at) == ("RUN-1", "act", world.now)
        assert look.keys == (("website", "http", "default"), ("app", "http", "default"), ("db", "http", "default"))

    def test_for_a_rule_only_the_dependencies_are_asked(self):
        config = stack(service("app", "db", remedies=[{**RESTART, "on": {}}]), service("db"))
        world = World(config)
        world.fails(service="app", alertname="AppLeak")
        assert [look.keys for look in world.view.looks] == [(("db", "http", "default"),)]

    def test_for_an_alert_that_another_sent_only_the_dependencies_are_asked(self):
        sources = [{"name": "prometheus", "alertmanager": {}, "remedies": "allowed"}]
        world = World(stack(service("app", "db"), service("db")) | {"sources": sources})
        labels = {"alertname": "CheckFailing", "service": "app", "check": "http", "severity": "critical"}
        world.decide(AlertRaised(labels, {}, world.now, sender="prometheus"))
        assert [look.keys for look in world.view.looks] == [(("db", "http", "default"),)]

    def test_without_anything_to_ask_no_look_is_ordered(self):
        world = World(stack(service("app", remedies=[{**RESTART, "on": {}}])))
        world.fails(service="app", alertname="AppLeak")
        assert (list(world.view.runs), world.view.looks) == (["RUN-1"], [])

    def test_what_did_not_answer_is_unknown_and_does_not_stop_the_remedy(self):
        world = World(stack())
        world.fails(service="app")
        world.starting(seen=[world.sees(None, "app"), world.sees(None, "db", status="up")])
        assert world.view.runs["RUN-1"].state == "started"


class TestPassedMeanwhile:
    def test_the_remedy_and_the_held_page_wait_for_the_checks_own_verdict(self):
        world = World(stack())
        world.fails(service="app")
        world.starting(seen=[world.sees(True, "app", status="down")])
        assert (world.view.runs["RUN-1"].state, world.codes()[0]) == ("refused", "passed-meanwhile")
        assert world.told() == [("page", "ops", "held")]
        world.recovers(service="app")
        assert world.told() == [("report", "ops", "due")]
        assert remedy_timer(world) is None

    def test_it_is_looked_at_again_after_a_round(self):
        world = World(stack())
        world.fails(service="app")
        world.starting(seen=[world.sees(True, "app", status="down")])
        assert remedy_timer(world) == 4.5

    def test_if_it_fails_once_more_the_page_goes_and_the_remedy_acts(self):
        world = World(stack())
        world.fails(service="app")
        world.starting(seen=[world.sees(True, "app", status="down")])
        ask_again(world, seen=[world.sees(False, "app")])
        assert world.told() == [("page", "ops", "due")]
        assert world.view.runs["RUN-2"].state == "waiting"
        world.starting("RUN-2", seen=[world.sees(False, "app")])
        assert world.view.runs["RUN-2"].state == "started"

    def test_while_it_passes_it_is_waited_for_as_long_as_its_verdict_takes(self):
        world = World(stack())
        world.fails(service="app")
        world.starting(seen=[world.sees(True, "app", status="down")])
        ask_again(world, seen=[world.sees(True, "app", status="down")])
        assert world.told() == [("page", "ops", "held")]
        assert remedy_timer(world) == 3.5  # 8 s after the first look: two rounds

    def test_it_does_not_wait_twice_and_never_acts_on_what_passes(self):
        world = World(stack())
        world.fails(service="app")
        world.starting(seen=[world.sees(True, "app", status="down")])
        for _ in range(2):
            ask_again(world, seen=[world.sees(True, "app", status="down")])
        assert world.told() == [("page", "ops", "due")]
        assert list(world.view.runs) == ["RUN-1"]
        assert "It tries again at 09:00:16 UTC." in world.view.outbox["NT-1"].content["text"]
        ask_again(world, seen=[world.sees(False, "app")])
        assert world.view.runs["RUN-2"].state == "waiting"

    def test_the_wait_lengthens_no_hold(self):
        world = World(stack(hold="6s"))
        world.fails(service="app")
        world.starting(seen=[world.sees(True, "app", status="down")])
        assert world.view.outbox["NT-1"].not_before == world.now + micros(6)
        world.wait(6)
        assert world.told() == [("page", "ops", "sent")]
        assert list(world.view.runs) == ["RUN-1", "RUN-2"]

    def test_the_end_of_another_alert_does_not_let_the_page_go_meanwhile(self):
        world = World(stack())
        world.fails(service="app")
        world.fails(service="app", alertname="HttpSlow", severity="warning")
        world.starting(seen=[world.sees(True, "app", status="down")])
        world.recovers(service="app", alertname="HttpSlow", severity="warning")
        assert ("page", "ops", "held") in world.told()


class TestDependencies:
    def test_the_failing_dependency_is_mended_first_and_ours_waits_for_its_run(self):
        world = World(stack())
        world.fails(service="website")
        world.fails(service="app")
        world.starting("RUN-1", seen=[world.sees(False, "website"), world.sees(False, "app")])
        assert (world.view.runs["RUN-1"].state, world.codes()[0]) == ("refused", "dependency-at-work")
        assert world.view.runs["RUN-2"].service == "app"
        assert ("page", "ops", "held") in world.told()

    def test_ours_waits_at_most_for_the_time_that_run_is_verified_in(self):
        world = World(stack())
        world.fails(service="website")
        world.fails(service="app")
        world.starting("RUN-1")
        assert remedy_timer(world) == 20

    def test_that_run_failed_so_ours_does_not_act_and_people_are_told_now(self):
        world = World(stack())
        world.fails(service="website")
        world.fails(service="app")
        world.starting("RUN-1")
        world.starting("RUN-2")
        world.failed("RUN-2")
        ask_again(world)
        assert world.codes()[0] == "dependency-fails"
        assert ("page", "ops", "held") not in world.told()
        assert len(world.view.runs) == 2

    def test_where_nothing_is_under_way_there_people_are_told_now(self):
        world = World(stack())
        world.fails(service="app")
        world.fails(service="db")
        world.starting()
        assert world.view.runs["RUN-1"].state == "refused"
        assert ("page", "ops", "held") not in world.told()

    def test_an_alert_of_lesser_severity_does_not_explain_ours(self):
        world = World(stack())
        world.fails(service="app")
        world.fails(service="db", severity="warning")
        world.starting()
        assert world.view.runs["RUN-1"].state == "started"

    def test_nor_does_one_of_a_kind_that_does_not_spread(self):
        world = World(stack())
        world.fails(service="app")
        world.fails(service="db", alertname="DiskFilling")
        world.starting()
        assert world.view.runs["RUN-1"].state == "started"

    def test_once_the_dependency_has_recovered_ours_is_asked_again(self):
        world = World(stack())
        world.fails(service="app")
        world.fails(service="db")
        world.starting()
        world.recovers(service="db")
        assert remedy_timer(world) == 0

    def test_of_two_that_stand_on_each_other_neither_waits(self):
        world = World(stack(service("app", "db"), service("db", "app")))
        world.fails(service="app")
        world.fails(service="db")
        world.starting("RUN-1")
        assert world.view.runs["RUN-1"].state == "started"

    def test_a_single_failed_probe_makes_ours_wait_for_that_checks_verdict(self):
        world = World(stack())
        world.fails(service="app")
        world.starting(seen=[world.sees(False, "app"), world.sees(False, "db", status="up")])
        assert (world.view.runs["RUN-1"].state, world.codes()[0]) == ("refused", "dependency-unclear")
        assert world.told() == [("page", "ops", "held")]
        assert remedy_timer(world) == 10  # two more rounds of 4 s, and 2 s for an answer

    def test_that_verdict_is_waited_for_once(self):
        world = World(stack())
        world.fails(service="app")
        seen = [world.sees(False, "app"), world.sees(False, "db", status="up")]
        world.starting(seen=seen)
        ask_again(world, seen=seen)
        world.starting("RUN-2", seen=seen)
        assert world.view.runs["RUN-2"].state == "started"

    def test_a_failed_probe_of_a_lesser_check_makes_nobody_wait(self):
        world = World(stack(service("app", "db"), service("db", severity="warning")))
        world.fails(service="app")
        world.starting(seen=[world.sees(False, "app"), world.sees(False, "db", status="up")])
        assert world.view.runs["RUN-1"].state == "started"


class TestWhatARemedyBrings:
    def test_another_check_of_the_service_is_held_with_the_run(self):
        world = World(shop(hold="30s"))
        world.fails("http")
        world.starting()
        world.wait(4)
        world.fails("alive")
        assert {page.state for page in world.view.outbox.values()} == {"held"}
        assert not any("does not act" in reason.text for reason in world.last.reasons)

    def test_a_dependent_is_held_no_longer_than_the_runs_own_hold(self):
        world = World(stack(service("website", "app", remedies=[]), service("app")))
        world.fails(service="app", severity="warning")
        world.starting()
        world.wait(10)
        world.fails(service="website")
        pages = {page.alert_id: page for page in world.view.outbox.values()}
        assert pages["AL-2"].state == "held"
        assert pages["AL-2"].not_before == pages["AL-1"].not_before

    def test_where_the_runs_hold_is_over_people_are_told_at_once(self):
        world = World(stack(service("website", "app", remedies=[]), service("app")))
        world.fails(service="app", severity="warning")
        world.starting()
        world.wait(31)
        world.fails(service="website")
        assert world.told()[-1] == ("page", "ops", "due")
        assert "is at work on app, which website depends on" in world.last.effects[-1].content["text"]

    def test_what_began_before_the_run_is_not_its_doing(self):
        world = World(stack(service("website", "app"), service("app")))
        world.fails(service="website")
        world.wait(1)
        world.fails(service="app", severity="warning")
        world.starting("RUN-2")
        world.starting("RUN-1")
        assert world.view.runs["RUN-1"].state == "started"

    def test_a_full_disk_is_not_brought_by_a_restart(self):
        world = World(shop(hold="30s"))
        world.fails("http")
        world.starting()
        world.fails(alertname="DiskFilling")
        assert world.told() == [("page", "ops", "held"), ("page", "ops", "due")]

    def test_it_is_asked_again_when_the_run_is_over(self):
        world = World(shop(hold="30s", limits={"per_hour": 9, "cooldown": "0s"}))
        world.fails("http")
        world.starting()
        world.fails("alive")
        world.failed()
        assert remedy_timer(world, "AL-2") == 0
