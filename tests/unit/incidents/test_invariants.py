"""What holds whatever happens, in whatever order: the promises of the product as a state machine."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from memory_view import World, shop

from forewatch.alerting.alert import at_least
from forewatch.clock import micros
from forewatch.errors import TransitionRefused
from forewatch.incidents.decide import decide
from forewatch.remedy.run import UNDER_WAY

pytestmark = pytest.mark.unit

PER_HOUR, COOLDOWN = 2, 30.0

checks = st.sampled_from(["http", "http", "tcp", "disk"])
severities = st.sampled_from(["warning", "warning", "critical", "info"])


class Promises(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        routes = [{"match": {"check": "disk"}, "notify": ["web"], "hold": "45s"}, {"notify": ["ops"], "hold": "60s"}]
        limits = {"per_hour": PER_HOUR, "cooldown": f"{COOLDOWN:g}s"}
        self.world = World(shop(on=["check=~http|tcp"], limits=limits, routes=routes))
        self.view = self.world.view
        self.ill = set()

    @rule(check=checks, severity=severities)
    def it_fails(self, check, severity):
        self.world.fails(check, severity=severity)
        self.ill.add((check, severity))

    @rule(check=checks, severity=severities)
    def it_recovers(self, check, severity):
        self.world.recovers(check, severity=severity)
        self.ill.discard((check, severity))

    @rule(seconds=st.sampled_from([0.5, 5, 12, 30, 90, 1200]))
    def time_passes(self, seconds):
        self.world.wait(seconds)

    @rule(seconds=st.sampled_from([-600, 600]))
    def the_clock_is_set(self, seconds):
        self.world.now += micros(seconds)

    @rule(down=st.sampled_from([False, False, True]), stopped=st.sampled_from([False, False, True]))
    def automation_changes(self, down, stopped):
        self.view.down = "the worker is down: it is starting" if down else None
        self.view.stopped = "automation was stopped by ana" if stopped else None

    @rule(check=checks, severity=severities, healing=st.booleans())
    def a_whole_episode(self, check, severity, healing):
        self.it_fails(check, severity)
        if self.view.runs:
            self.a_run_goes_on(-1, "starts", "flow-1")
            if healing:
                self.a_run_goes_on(-1, "acts", "flow-1")
        self.it_recovers(check, severity)

    @precondition(lambda self: self.view.runs)
    @rule(
        run=st.sampled_from([-1, -1, -1, -2]),
        step=st.sampled_from(["starts", "starts", "acts", "acts", "fails", "is cancelled"]),
        flow=st.sampled_from(["flow-1", "flow-1", "flow-2"]),
    )
    def a_run_goes_on(self, run, step, flow):
        run = list(self.view.runs.values())[run:][0]
        match step:
            case "starts":
                self.world.starting(run.id, flow)
                if run.state not in ("waiting", "claimed"):
                    assert self.view.runs[run.id] == run
            case "acts":
                self.world.acted(run.id)
            case _:
                self.world.failed(run.id, cancelled=step == "is cancelled")

    @precondition(lambda self: self.view.incidents)
    @rule(newest=st.booleans(), act=st.sampled_from(["ack", "resolve", "note"]))
    def a_person_acts(self, newest, act):
        try:
            getattr(self.world, act)(list(self.view.incidents)[-1 if newest else 0])
        except TransitionRefused:
            pass

    @invariant()
    def no_alert_is_lost(self):
        firing = {(a.labels["check"], a.labels["severity"]) for a in self.view.alerts.values() if a.status == "firing"}
        assert firing == self.ill
        assert all(alert.incident_id in self.view.incidents for alert in self.view.alerts.values())

    @invariant()
    def an_open_incident_has_an_alert_that_fires_or_flaps(self):
        timed = {timer.subject for timer in self.view.timers if timer.kind == "calm"}
        for incident in self.view.incidents.values():
            if incident.open:
                alerts = self.view.alerts_of(incident.id)
                assert any(alert.status == "firing" or alert.fingerprint in timed for alert in alerts)

    @invariant()
    def somebody_hears_of_every_alert_at_its_severity(self):
        for alert in self.view.alerts.values():
            if alert.status != "firing" or not self.view.incidents[alert.incident_id].open:
                continue
            if any(reason.kind == "flapping" for one in self.view.withheld(alert.id) for reason in one.reasons):
                continue  # people were told that it flaps
            heard = [
                n
                for n in self.view.notifications_of(alert.incident_id)
                if alert.id in n.content.get("named", ()) and n.state != "dead" and at_least(n.severity, alert.severity)
            ]
            assert heard
            assert alert.severity == "info" or any(n.kind in ("page", "update") for n in heard)

    @invariant()
    def a_page_waits_only_while_a_run_is_at_work_or_a_remedy_waits_with_it(self):
        for page in self.view.outbox.values():
            if page.state == "held":
                waits = self.view.waits_in(page.incident_id)
                assert any(run.state in UNDER_WAY for run in self.view.runs_of(page.incident_id)) or any(
                    wait.active and wait.until is not None for wait in waits
                )
                assert page.not_before <= page.created_at + micros(60)

    @invariant()
    def every_notification_and_every_run_has_a_reason(self):
        explained = {subject for reason in self.view.reasons for subject in reason.subjects}
        assert set(self.view.outbox) <= explained
        assert set(self.view.runs) <= explained
        assert set(self.view.incidents) <= explained

    @invariant()
    def every_open_run_has_something_that_will_end_it(self):
        timed = {(timer.subject, timer.kind) for timer in self.view.timers}
        for run in self.view.runs.values():
            if run.state == "acted":
                assert (run.id, "verification") in timed

    @invariant()
    def no_run_waits_for_an_incident_that_is_over(self):
        for run in self.view.runs.values():
            if run.state in ("waiting", "claimed"):
                assert self.view.incidents[run.incident_id].open

    @invariant()
    def no_remedy_works_twice_at_once_or_beyond_its_limits(self):
        runs = list(self.view.runs.values())
        assert sum(run.state in UNDER_WAY for run in runs) <= 1
        acts = sorted(run.started_at for run in runs if run.started_at is not None)
        for at in acts:
            assert sum(at - micros(3600) < other <= at for other in acts) <= PER_HOUR
        assert all(later - earlier >= micros(COOLDOWN) for earlier, later in pairwise(acts))

    @invariant()
    def a_change_of_an_incident_stands_on_its_timeline(self):
        for incident in self.view.incidents.values():
            entries = [entry for _, entry in self.view.timeline if entry.incident_id == incident.id]
            assert len(entries) >= incident.revision
            assert all(entry.text.strip() for entry in entries)


Promises.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestPromises = Promises.TestCase


def test_the_same_view_event_and_time_give_the_same_outcome():
    def once():
        world = World(shop(hold="30s"))
        world.fails("http", severity="warning")
        world.starting()
        world.wait(1)
        world.acted()
        world.fails("tcp", severity="critical", values={"status": 503})
        return world.last

    assert once() == once()


def test_a_decision_changes_nothing_by_itself():
    from forewatch.incidents.events import Acknowledged

    world = World()
    world.fails()
    before = dict(world.view.incidents)
    decide(world.view, Acknowledged("INC-1", "ana", world.now), world.now)
    assert world.view.incidents == before
    assert replace(before["INC-1"]) == world.view.incidents["INC-1"]
