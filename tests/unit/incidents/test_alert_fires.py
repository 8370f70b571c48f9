from dataclasses import replace

import pytest
from memory_view import World, shop

from forewatch.clock import micros
from forewatch.incidents import wording
from forewatch.incidents.events import Undelivered
from forewatch.incidents.outcome import Dispatch, SetTimer

pytestmark = pytest.mark.unit


def test_the_first_alert_of_a_service_opens_an_incident_with_its_summary_as_title():
    world = World()
    world.fails(summary="http of shop fails: connection refused")
    incident = world.view.incidents["INC-1"]
    assert (incident.title, incident.severity, incident.status) == (
        "http of shop fails: connection refused",
        "critical",
        "triggered",
    )
    assert world.view.alerts["AL-1"].incident_id == "INC-1"


def test_an_alert_without_summary_gives_the_incident_its_name_and_service():
    world = World()
    world.fails(summary="")
    assert world.view.incidents["INC-1"].title == "CheckFailing on shop"


def test_a_second_alert_of_the_service_joins_the_open_incident():
    world = World()
    world.fails("http")
    world.fails("tcp")
    assert list(world.view.incidents) == ["INC-1"]
    assert world.view.alerts["AL-2"].incident_id == "INC-1"


def test_alerts_of_two_services_open_two_incidents():
    world = World()
    world.fails(service="shop")
    world.fails(service="stock")
    assert list(world.view.incidents) == ["INC-1", "INC-2"]


def test_the_incident_is_as_severe_as_the_worst_of_its_alerts():
    world = World()
    world.fails("http", severity="warning")
    world.fails("tcp", severity="critical")
    world.fails("dns", severity="info")
    assert world.view.incidents["INC-1"].severity == "critical"


def test_an_alert_that_fires_already_is_brought_up_to_date_and_nobody_hears_of_it_again():
    world = World()
    world.fails(summary="refused")
    told = world.told()
    world.wait(5)
    world.fails(summary="timed out")
    assert list(world.view.alerts) == ["AL-1"]
    assert world.view.alerts["AL-1"].annotations["summary"] == "timed out"
    assert world.codes() == ["still-firing"]
    assert len(world.told()) == len(told)


def test_an_alert_without_service_belongs_to_the_host_and_without_severity_is_critical():
    world = World()
    world.fails(service="", severity="page")
    alert = world.view.alerts["AL-1"]
    assert (alert.service, alert.severity) == ("host", "critical")


def test_an_alert_begins_when_it_was_seen():
    world = World()
    seen = world.now
    world.fails()
    assert world.view.alerts["AL-1"].starts_at == seen


class TestAutomation:
    def test_an_auto_remedy_is_dispatched_with_its_inputs_and_a_timer_for_its_start(self):
        world = World(shop())
        outcome = world.fails()
        run = world.view.runs["RUN-1"]
        assert (run.kind, run.runbook, run.remedy, run.state) == (
            "respond",
            "restart-service",
            "shop/restart-service",
            "waiting",
        )
        assert run.inputs == {"command": ["./start.sh"]}
        assert Dispatch("RUN-1") in outcome.effects
        assert SetTimer("start", "RUN-1", world.now + micros(10)) in outcome.effects
        assert "remedy-sent" in world.codes()

    def test_no_remedy_acts_on_a_time_out_that_this_machine_was_too_busy_to_judge(self):
        world = World(shop())
        world.fails(values={"timed_out": True, "observer_late": True})
        assert world.view.runs == {}
        assert "observer-late" in world.codes()
        page = next(iter(world.view.outbox.values()))
        assert "Automation does not act: this machine is too busy to trust a time-out." in page.content["text"]
        assert page.not_before == world.now

    def test_a_time_out_seen_by_a_machine_that_kept_up_is_healed(self):
        world = World(shop())
        world.fails(values={"timed_out": True, "observer_late": False})
        assert "RUN-1" in world.view.runs

    @pytest.mark.parametrize(
        ("config", "code", "sentence"),
        [
            (
                shop(autonomy="shadow"),
                "shadow",
                "Automation is in shadow mode for this remedy: it would have run restart",
            ),
            (shop(autonomy="approve"), "approval-missing", "approvals cannot be given yet"),
            (shop(on={"alertname": "Other"}), "no-remedy", "No remedy of shop is bound to this alert"),
            ({}, "no-remedy", "No remedy of shop is bound to this alert"),
        ],
    )
    def test_the_page_says_why_automation_does_not_act(self, config, code, sentence):
        world = World(config)
        world.fails()
        assert world.view.runs == {}
        assert code in world.codes()
        page = next(iter(world.view.outbox.values()))
        assert sentence in page.content["text"]
        assert sentence in page.content["reason"]

    def test_a_stopped_automation_is_said_with_who_stopped_it(self):
        world = World(shop())
        world.view.stopped = "automation was stopped by ana: moving the database"
        world.fails()
        assert "automation-stopped" in world.codes()
        assert "stopped by ana: moving the database." in world.view.outbox["NT-1"].content["text"]
        assert world.view.runs == {}

    def test_an_automation_that_is_down_is_said_and_the_page_does_not_wait(self):
        world = World(shop(hold="60s"))
        world.view.down = "the worker is down: it is starting"
        world.fails()
        assert "automation-down" in world.codes()
        assert "the worker is down: it is starting." in world.view.outbox["NT-1"].content["text"]
        assert world.told() == [("page", "ops", "due")]

    def test_a_run_waits_while_automation_is_down_and_starts_when_it_is_back(self):
        world = World(shop(hold="60s"))
        world.view.down = "the worker is down: it is starting"
        world.fails()
        assert world.view.runs["RUN-1"].state == "waiting"
        assert world.view.timers == []
        world.wait(600)
        world.view.down = None
        world.starting()
        assert world.view.runs["RUN-1"].state == "started"

    def test_a_run_that_waited_leaves_an_incident_alone_that_a_person_has_in_hand(self):
        world = World(shop())
        world.view.down = "the worker is down: it is starting"
        world.fails()
        world.ack()
        world.view.down = None
        world.starting()
        assert world.view.runs["RUN-1"].state == "refused"
        assert "ana has INC-1 in hand" in (world.view.runs["RUN-1"].outcome or "")

    def test_an_exhausted_limit_is_said_with_its_numbers(self):
        world = World(shop(limits={"per_hour": 1, "cooldown": "0s"}))
        world.fails()
        world.starting()
        world.acted()
        world.recovers()
        world.wait(60)
        world.fails()
        assert "limit-per-hour" in world.codes()
        page = [n for n in world.view.outbox.values() if n.kind == "page"][-1]
        assert "it acted once within the last hour, its limit is 1" in page.content["text"]

    def test_while_a_run_is_at_work_no_second_is_sent(self):
        world = World(shop())
        world.fails("http")
        world.fails("tcp")
        assert list(world.view.runs) == ["RUN-1"]
        assert "run-under-way" in world.codes()

    def test_the_first_remedy_that_matches_is_taken(self):
        config = shop()
        config["services"][0]["remedies"].append({"on": {}, "runbook": "collect-diagnostics", "autonomy": "auto"})
        world = World(config)
        world.fails()
        assert [run.runbook for run in world.view.runs.values()] == ["restart-service"]
        other = World(config)
        other.fails(alertname="Slow")
        assert [run.runbook for run in other.view.runs.values()] == ["collect-diagnostics"]


class TestPaging:
    def test_without_a_remedy_a_page_is_due_at_once_however_long_the_hold(self):
        world = World(shop(autonomy="shadow", hold="5m"))
        world.fails(severity="warning")
        assert world.told() == [("page", "ops", "due")]
        assert world.view.outbox["NT-1"].not_before == world.now

    def test_a_dispatched_remedy_gets_the_routes_hold_before_anybody_is_woken(self):
        world = World(shop(hold="30s"))
        world.fails()
        page = world.view.outbox["NT-1"]
        assert (page.state, page.not_before) == ("held", world.now + micros(30))
        assert page.run_id == "RUN-1"
        assert "page-held" in world.codes()

    def test_by_default_a_warning_waits_a_minute_and_a_critical_page_half_of_one(self):
        warning, critical = World(shop()), World(shop())
        warning.fails(severity="warning")
        critical.fails(severity="critical")
        assert warning.view.outbox["NT-1"].not_before == warning.now + micros(60)
        assert critical.view.outbox["NT-1"].not_before == critical.now + micros(30)

    def test_with_a_hold_of_zero_a_critical_page_leaves_at_once(self):
        world = World(shop(hold="0s"))
        world.fails(severity="critical")
        assert world.told() == [("page", "ops", "due")]

    def test_info_is_reported_and_never_paged(self):
        world = World(shop(hold="30s"))
        world.fails(severity="info")
        assert world.told() == [("report", "ops", "due")]

    def test_a_page_says_what_since_when_how_much_and_what_is_done(self):
        world = World(shop())
        world.fails(summary="http of shop fails: 503 after 120 ms", values={"status": 503, "duration": 0.12})
        content = world.view.outbox["NT-1"].content
        assert content["text"] == "restart-service is trying to fix it (RUN-1)."
        assert content["since"] == "2026-11-03T09:00:00.000Z"
        assert content["title"] == "http of shop fails: 503 after 120 ms"
        assert (content["severity"], content["service"], content["incident_id"]) == ("critical", "shop", "INC-1")
        assert content["alert"]["labels"]["check"] == "http"
        assert content["runbook"] == "restart-service"

    def test_another_check_of_the_service_is_an_update_that_does_not_page(self):
        world = World()
        world.fails("http")
        world.fails("tcp")
        assert world.told() == [("page", "console", "due"), ("update", "console", "due")]
        assert [notice.content["named"] for notice in world.view.outbox.values()] == [["AL-1"], ["AL-2"]]

    def test_a_critical_alert_of_another_name_pages_though_somebody_acknowledged(self):
        world = World()
        world.fails("http")
        world.ack()
        world.fails("disk", alertname="DiskFull")
        assert world.told() == [("page", "console", "due"), ("page", "console", "due")]
        assert world.view.outbox["NT-2"].content["update"]

    def test_what_fires_on_is_not_told_again(self):
        world = World()
        world.fails("http", severity="warning")
        world.fails("http", severity="warning")
        assert world.told() == [("page", "console", "due")]

    def test_a_second_alert_of_a_higher_severity_pages_again(self):
        world = World()
        world.fails("http", severity="warning")
        world.fails("tcp", severity="critical")
        assert [n.severity for n in world.view.outbox.values()] == ["warning", "critical"]

    def test_a_second_alert_pages_those_of_its_route_who_have_not_been_told(self):
        routes = [{"match": {"check": "tcp"}, "notify": ["ops", "web"]}, {"notify": ["ops"]}]
        world = World(shop(autonomy="shadow", routes=routes))
        world.fails("http")
        world.fails("tcp")
        assert world.told() == [("page", "ops", "due"), ("update", "ops", "due"), ("page", "web", "due")]

    def test_a_second_alert_the_run_works_on_is_held_with_the_first_and_no_longer(self):
        world = World(shop(hold="30s"))
        world.fails("http")
        world.wait(5)
        world.fails("tcp")
        assert world.told() == [("page", "ops", "held"), ("page", "ops", "held")]
        assert len({notice.not_before for notice in world.view.outbox.values()}) == 1

    def test_what_is_held_leaves_in_one_page_when_the_hold_ends(self):
        world = World(shop(hold="8s"))
        world.fails("http")
        world.wait(5)
        world.fails("tcp")
        world.wait(3)
        assert world.told() == [("page", "ops", "sent"), ("page", "ops", "merged")]
        assert world.view.outbox["NT-1"].content["named"] == ["AL-1", "AL-2"]

    def test_a_page_held_for_a_run_does_not_silence_an_alert_nobody_works_on(self):
        world = World(shop(hold="30s"))
        world.fails("http")
        world.fails(alertname="DiskFilling")
        assert world.told() == [("page", "ops", "held"), ("page", "ops", "due")]

    def test_a_dead_letter_told_nobody(self):
        world = World()
        world.fails("http")
        world.view.outbox["NT-1"] = replace(world.view.outbox["NT-1"], state="dead")
        world.decide(Undelivered("NT-1", world.now))
        world.fails("tcp")
        assert world.told() == [("page", "console", "dead"), ("page", "console", "due")]

    def test_a_route_that_tells_nobody_is_recorded_as_the_reason_for_silence(self):
        world = World(shop(routes=[{"notify": []}]))
        world.fails()
        assert world.told() == []
        assert "nobody-routed" in world.codes()


def test_instants_among_the_measured_values_are_told_as_times():
    assert wording.measured({"value": 0.93, "samples": 7, "newest": 1_793_869_440_000_000}) == (
        "(value 0.93, samples 7, newest 2026-11-05T09:04:00.000Z)"
    )
