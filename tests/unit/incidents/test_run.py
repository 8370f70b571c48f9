from dataclasses import replace

import pytest
from memory_view import World, shop
from test_looking_before_acting import service, stack

from forewatch.clock import micros
from forewatch.errors import ActionRefused, NotFound
from forewatch.incidents.outcome import Dispatch, SetTimer
from forewatch.remedy.run import UNRECORDED

pytestmark = pytest.mark.unit


def dispatched(**config):
    world = World(shop(**config))
    world.fails()
    return world


class TestBesideAPerson:
    def test_no_remedy_is_sent_while_a_person_has_the_same_runbook_at_work_on_the_service(self):
        world = World(shop())
        world.request("restart-service", service="shop", flow_run_id="flow-1")
        world.fails()
        assert "run-under-way" in world.codes()
        assert list(world.view.runs) == ["RUN-1"]
        assert world.told() == [("page", "ops", "due")]


class TestStarting:
    def test_nothing_against_it_the_run_starts_in_its_flow_run(self):
        world = dispatched()
        world.starting(flow_run="flow-1")
        run = world.view.runs["RUN-1"]
        assert (run.state, run.flow_run_id, run.started_at) == ("started", "flow-1", world.now)
        assert [timer for timer in world.view.timers if timer.subject == "RUN-1"] == []

    def test_the_same_flow_run_may_ask_again(self):
        world = dispatched()
        world.starting(flow_run="flow-1")
        outcome = world.starting(flow_run="flow-1")
        assert outcome.changes == []
        assert world.codes() == ["started-already"]

    def test_another_flow_run_of_the_same_run_leaves_it_alone(self):
        world = dispatched()
        world.starting(flow_run="flow-1")
        outcome = world.starting(flow_run="flow-2")
        assert (outcome.changes, outcome.effects) == ([], [])
        assert world.codes() == ["started-elsewhere"]
        assert world.view.runs["RUN-1"].flow_run_id == "flow-1"

    def test_while_prefect_is_away_it_starts_without_a_flow_run_and_says_so(self):
        world = World(shop())
        world.fails()
        world.starting(flow_run=f"{UNRECORDED}1")
        assert world.view.runs["RUN-1"].flow_run is None
        said = "RUN-1 (restart-service) starts without a flow run: Prefect is away, and gets one afterwards."
        assert said in [entry.text for _, entry in world.view.timeline]

    def test_a_run_that_is_over_does_not_start_again(self):
        world = dispatched()
        world.recovers()
        outcome = world.starting()
        assert outcome.changes == []
        assert world.codes() == ["run-over"]

    def test_a_stop_after_the_dispatch_is_heeded_and_the_held_page_goes_out_saying_so(self):
        world = dispatched(hold="60s")
        world.view.stopped = "automation was stopped by ana"
        world.starting()
        run = world.view.runs["RUN-1"]
        assert (run.state, run.outcome) == ("refused", "automation was stopped by ana.")
        assert world.told() == [("page", "ops", "due")]
        assert world.view.outbox["NT-1"].content["reason"] == (
            "Automation was stopped by ana. It tries again once automation is resumed."
        )
        assert {"automation-stopped", "pages-released"} <= set(world.codes())

    def test_where_the_page_is_out_already_a_refusal_is_told(self):
        world = dispatched(hold="0s")
        world.send()
        world.view.stopped = "automation was stopped by ana"
        world.starting()
        assert world.told() == [("page", "ops", "sent"), ("update", "ops", "due")]
        assert world.view.outbox["NT-2"].content["title"] == "restart-service was not run for shop"

    def test_an_alert_of_the_run_that_ended_while_others_fire_keeps_it_from_acting(self):
        world = dispatched()
        world.fails(alertname="DiskFilling")
        world.recovers()
        world.starting()
        assert world.view.runs["RUN-1"].state == "refused"
        assert "not-firing" in world.codes()

    def test_a_remedy_taken_out_of_the_configuration_does_not_act(self):
        world = dispatched()
        world.view.config = World(shop(runbook="collect-diagnostics")).view.config
        world.starting()
        assert (world.view.runs["RUN-1"].state, world.codes()[0]) == ("refused", "no-remedy")

    def test_a_remedy_put_into_shadow_meanwhile_does_not_act(self):
        world = dispatched()
        world.view.config = World(shop(autonomy="shadow")).view.config
        world.starting()
        assert world.codes()[0] == "shadow"

    def test_limits_are_counted_again_in_the_moment_of_acting(self):
        world = dispatched(limits={"per_hour": 1, "cooldown": "0s"})
        world.resolve()
        # The first incident was closed by hand with its run called off; the alert is raised anew and dispatched anew,
        # and a third party's run of the same remedy acts in between.
        world.recovers()
        world.fails()
        world.view.runs["RUN-9"] = replace(world.view.runs["RUN-2"], id="RUN-9", state="done", acted_at=world.now)
        world.starting("RUN-2")
        assert (world.view.runs["RUN-2"].state, world.codes()[0]) == ("refused", "limit-per-hour")

    def test_an_unknown_run_is_not_found(self):
        with pytest.raises(NotFound, match="there is no run RUN-7"):
            World().starting("RUN-7")


class TestActed:
    def test_its_service_gets_the_remedys_time_to_turn_green(self):
        world = dispatched()
        world.starting()
        world.wait(1)
        outcome = world.acted()
        run = world.view.runs["RUN-1"]
        assert (run.state, run.acted_at, run.outcome) == ("acted", world.now, "restarted with pid 4711")
        assert SetTimer("verification", "RUN-1", world.now + micros(20)) in outcome.effects

    def test_where_the_alert_ended_before_the_report_it_is_healed(self):
        world = dispatched()
        world.starting()
        world.recovers()
        world.acted()
        run = world.view.runs["RUN-1"]
        assert (run.state, run.verified, run.outcome) == ("done", "healed", "restarted with pid 4711")
        assert world.view.timers == []

    def test_a_run_a_person_started_is_done(self):
        world = World()
        world.request(flow_run_id="flow-1")
        world.acted()
        assert (world.view.runs["RUN-1"].state, world.view.runs["RUN-1"].verified) == ("done", None)

    def test_a_run_for_a_service_belongs_to_its_oldest_open_incident_and_gets_the_credit(self):
        world = World(shop(autonomy="shadow"))
        world.fails()
        world.request("restart-service", service="shop", flow_run_id="flow-1")
        assert world.view.runs["RUN-1"].incident_id == "INC-1"
        world.acted()
        world.recovers()
        assert world.view.incidents["INC-1"].resolution == "fixed by RUN-1 (restart-service)"

    def test_a_run_for_a_healthy_service_belongs_to_no_incident(self):
        world = World(shop())
        world.request("restart-service", service="shop", flow_run_id="flow-1")
        assert world.view.runs["RUN-1"].incident_id is None

    def test_an_incident_that_is_named_wins_over_the_one_of_the_service(self):
        world = World(shop(autonomy="shadow"))
        world.fails()
        world.fails(service="other")
        world.request("restart-service", service="shop", incident_id="INC-2", flow_run_id="flow-1")
        assert world.view.runs["RUN-1"].incident_id == "INC-2"

    def test_the_instant_of_its_first_change_is_kept(self):
        world = dispatched()
        world.starting()
        first = world.now + micros(1)
        world.view.runs["RUN-1"] = replace(world.view.runs["RUN-1"], acted_at=first)
        world.wait(5)
        world.acted()
        assert world.view.runs["RUN-1"].acted_at == first

    def test_a_report_that_comes_twice_changes_nothing(self):
        world = dispatched()
        world.starting()
        world.acted()
        before = dict(world.view.runs)
        world.acted()
        assert world.view.runs == before
        assert world.codes() == ["run-over"]


class TestFailed:
    def test_people_take_over_at_once(self):
        world = dispatched(hold="60s")
        world.starting()
        world.failed(reason="the command ./start.sh exited with 1")
        assert world.view.runs["RUN-1"].state == "failed"
        assert world.told() == [("page", "ops", "due")]
        page = world.view.outbox["NT-1"].content
        assert "RUN-1 (restart-service) failed: the command ./start.sh exited with 1." in page["text"]

    def test_those_who_were_paged_before_hear_of_it(self):
        world = dispatched(hold="0s")
        world.starting()
        world.failed(reason="the command ./start.sh exited with 1")
        assert world.told() == [("page", "ops", "due"), ("failure", "ops", "due")]
        failure = world.view.outbox["NT-2"].content
        assert failure["title"] == "restart-service did not heal shop"
        assert "RUN-1 (restart-service) failed: the command ./start.sh exited with 1." in failure["text"]

    def test_a_cancelled_run_says_so(self):
        world = dispatched()
        world.starting()
        world.failed(reason="ana cancelled it in the Prefect UI", cancelled=True)
        assert world.view.runs["RUN-1"].state == "cancelled"
        assert "run-cancelled" in world.codes()

    def test_a_failure_after_the_recovery_is_reported_without_waking_anybody(self):
        world = dispatched()
        world.starting()
        world.recovers()
        world.failed()
        assert world.told()[-1] == ("report", "ops", "due")

    def test_a_run_that_acted_is_judged_by_the_checks_not_by_its_process(self):
        world = dispatched()
        world.starting()
        world.acted()
        world.failed(reason="its process was killed")
        assert world.view.runs["RUN-1"].state == "acted"
        assert world.codes() == ["run-over"]

    def test_a_run_of_no_incident_is_told_by_its_services_route(self):
        world = World(shop(routes=[{"match": {"service": "shop"}, "notify": ["web"]}]))
        world.request(service="shop", flow_run_id="flow-1")
        world.failed(reason="no space left on device")
        assert world.told() == [("failure", "web", "due")]
        assert "was started by ana." in world.view.outbox["NT-1"].content["text"]

    def test_after_two_runs_in_a_row_that_did_not_heal_the_remedy_gives_up(self):
        world = World(shop(limits={"per_hour": 9, "cooldown": "0s"}))
        for number, check in enumerate(("http", "tcp", "dns"), start=1):
            world.fails(check)
            if number <= 2:
                world.starting(f"RUN-{number}")
                world.acted(f"RUN-{number}")
                world.wait(20)
        assert len(world.view.runs) == 2
        assert "breaker" in world.codes()


class TestRequestedByAPerson:
    def test_it_is_dispatched(self):
        world = World()
        outcome = world.request("collect-diagnostics", service="shop")
        run = world.view.runs["RUN-1"]
        assert (run.kind, run.state, run.requested_by, run.remedy) == ("runbook", "waiting", "ana", None)
        assert Dispatch("RUN-1") in outcome.effects

    def test_one_that_was_started_in_the_prefect_ui_runs_already(self):
        world = World()
        outcome = world.request(flow_run_id="flow-1")
        assert (world.view.runs["RUN-1"].state, outcome.effects) == ("started", [])

    def test_it_is_refused_while_automation_is_stopped(self):
        world = World()
        world.view.stopped = "automation was stopped by ana"
        with pytest.raises(ActionRefused, match="stopped by ana"):
            world.request()
        assert world.view.runs == {}

    def test_a_stop_between_asking_and_starting_is_heeded(self):
        world = World()
        world.request()
        world.view.stopped = "automation was stopped by ana"
        world.starting()
        assert world.view.runs["RUN-1"].state == "refused"

    def test_it_is_written_on_the_incident_it_is_for(self):
        world = World()
        world.fails()
        world.request(incident_id="INC-1")
        assert world.view.runs["RUN-1"].service == "shop"
        assert world.view.timeline[-1][1].text == "ana starts collect-diagnostics as RUN-1."

    def test_an_unknown_incident_is_not_found(self):
        with pytest.raises(NotFound, match="INC-9"):
            World().request(incident_id="INC-9")


class TestWhatFailsWithIt:
    """db is held for its remedy; what depends on db is not told of by itself."""

    def not_healed(self, *echoes):
        depending = [service(name, "db", remedies=[]) for name in echoes]
        world = World(stack(service("db"), *depending))
        world.fails(service="db")
        world.starting()
        for name in echoes:
            world.wait(1)
            world.fails(service=name)
        world.failed(reason="its command failed")
        world.wait(6)
        return [page.content["text"] for page in world.view.outbox.values() if page.kind == "page"]

    def test_the_page_that_goes_out_after_all_says_so(self):
        [text] = self.not_healed("app")
        assert "app, which depends on it, fails too." in text

    def test_several_are_listed(self):
        [text] = self.not_healed("app", "web")
        assert "app and web, which depend on it, fail too." in text

    def test_many_are_counted(self):
        [text] = self.not_healed(*(f"app{n}" for n in range(7)))
        assert "7 services that depend on it fail too." in text

    def test_nothing_is_said_where_nothing_does(self):
        [text] = self.not_healed()
        assert "depend" not in text

    def test_what_is_withheld_by_it_for_another_reason_is_not_said_to_depend_on_it(self):
        rules = [{"source": {"service": "db"}, "target": {"service": "app"}}]
        services = [service("db"), service("cache", remedies=[]), service("app", "cache", remedies=[])]
        world = World(stack(*services) | {"inhibitions": rules})
        world.fails(service="cache")
        world.fails(service="db")
        world.starting()
        world.fails(service="app")
        assert [one.kind for one in world.view.withheld("AL-3")[0].reasons] == ["inhibition", "dependency"]
        world.failed(reason="its command failed")
        world.wait(6)
        assert not [page for page in world.view.outbox.values() if "depend" in page.content["text"]]
