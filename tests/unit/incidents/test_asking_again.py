"""A refusal is not the end: the remedy is asked again when its reason ends."""

import pytest
from memory_view import World, shop
from test_looking_before_acting import RESTART, ask_again, remedy_timer, service, stack

from forewatch.incidents.deciding.withheld_alerts import CONFIGURATION_READ_WITHIN
from forewatch.incidents.events import AutomationResumed, RemediesChanged, ShadowRehearsed

pytestmark = pytest.mark.unit


def refused_by_cooldown():
    """A first run healed at once, and five seconds later the check fails again."""
    world = World(shop(hold="0s"))
    world.fails()
    world.starting()
    world.acted()
    world.recovers()
    world.wait(5)
    world.fails()
    return world


class TestByTime:
    def test_a_cooldown_that_ends_lets_it_act(self):
        world = refused_by_cooldown()
        assert list(world.view.runs) == ["RUN-1"]
        assert remedy_timer(world, "AL-2") == 55
        ask_again(world, "AL-2", seen=[world.sees(False)])
        assert world.view.runs["RUN-2"].state == "waiting"

    def test_the_page_says_when_it_tries_again(self):
        world = refused_by_cooldown()
        page = list(world.view.outbox.values())[-1]
        assert "It tries again at 09:01:00 UTC." in page.content["text"]

    def test_a_limit_ends_when_the_oldest_of_its_runs_is_an_hour_old(self):
        world = World(shop(hold="0s", limits={"per_hour": 1, "cooldown": "0s"}))
        world.fails()
        world.starting()
        world.acted()
        world.recovers()
        world.wait(600)
        world.fails()
        assert remedy_timer(world, "AL-2") == 3000

    def test_the_same_questions_are_asked_again(self):
        world = refused_by_cooldown()
        world.view.stopped = "automation was stopped by ana"
        ask_again(world, "AL-2")
        assert (list(world.view.runs), world.codes()[0]) == (["RUN-1"], "automation-stopped")

    def test_what_passes_then_is_not_touched(self):
        world = refused_by_cooldown()
        ask_again(world, "AL-2", seen=[world.sees(True, status="down")])
        assert list(world.view.runs) == ["RUN-1"]

    def test_what_recovered_is_not_asked_again(self):
        world = refused_by_cooldown()
        world.recovers()
        assert remedy_timer(world, "AL-2") is None

    def test_what_somebody_has_acknowledged_is_left_to_them(self):
        world = refused_by_cooldown()
        world.ack("INC-2")
        ask_again(world, "AL-2", seen=[world.sees(False)])
        assert (list(world.view.runs), remedy_timer(world, "AL-2")) == (["RUN-1"], None)

    def test_a_timer_of_an_alert_that_is_over_does_nothing(self):
        world = refused_by_cooldown()
        timer = next(t for t in world.view.timers if t.kind == "remedy")
        world.recovers()
        world.view.timers = [timer]
        ask_again(world, "AL-2")
        assert world.codes() == ["timer-pointless"]


class TestBreakerAndShadow:
    @pytest.mark.parametrize("autonomy", ["shadow", "approve"])
    def test_what_may_not_act_is_not_asked_again(self, autonomy):
        world = World(shop(autonomy=autonomy))
        world.fails()
        assert remedy_timer(world) is None

    def test_the_breaker_counts_other_incidents_and_is_not_asked_again(self):
        world = World(shop(hold="0s", limits={"per_hour": 9, "cooldown": "0s"}))
        for number in (1, 2):
            world.fails()
            world.starting(f"RUN-{number}")
            world.failed(f"RUN-{number}")
            world.recovers()
            world.wait(60)
        world.fails()
        assert len(world.view.runs) == 2
        assert "breaker" in world.codes()
        assert remedy_timer(world, "AL-3") is None


def three_refused():
    """Three services failed while automation was stopped."""
    world = World(stack(*(service(name) for name in ("a", "b", "c")), hold="0s"))
    world.view.stopped = "automation was stopped by ana"
    for name, severity in (("a", "warning"), ("b", "warning"), ("c", "critical")):
        world.fails(service=name, severity=severity)
    return world


class TestStoppedAutomation:
    def test_nothing_is_asked_while_it_is_stopped(self):
        world = three_refused()
        assert not any(timer.kind == "remedy" for timer in world.view.timers)

    def test_after_a_resume_they_are_asked_one_at_a_time_the_worst_first(self):
        world = three_refused()
        world.view.stopped = None
        world.decide(AutomationResumed("ana", world.now))
        assert remedy_timer(world, "AL-3") == 0
        ask_again(world, "AL-3")
        assert [run.service for run in world.view.runs.values()] == ["c"]
        assert remedy_timer(world, "AL-1") > 0
        world.starting("RUN-1")
        world.acted("RUN-1")
        world.recovers(service="c")
        assert remedy_timer(world, "AL-1") == 0
        ask_again(world, "AL-1")
        assert [run.service for run in world.view.runs.values()] == ["c", "a"]

    def test_one_that_does_not_act_makes_room_for_the_next(self):
        world = three_refused()
        world.view.stopped = None
        world.decide(AutomationResumed("ana", world.now))
        world.ack("INC-3")
        ask_again(world, "AL-3")
        assert remedy_timer(world, "AL-1") == 0

    def test_two_that_were_called_over_do_not_pass_the_turn_to_each_other_for_ever(self):
        world = three_refused()
        for incident in ("INC-1", "INC-2"):
            world.resolve(incident)
        world.view.stopped = None
        world.decide(AutomationResumed("ana", world.now))
        asked = 0
        while (waiting := [timer.subject for timer in world.view.timers if timer.kind == "remedy"]) and asked < 20:
            ask_again(world, waiting[0])
            asked += 1
        assert asked < 20

    def test_should_the_one_before_not_end_the_next_is_asked_a_minute_later(self):
        world = three_refused()
        world.view.stopped = None
        world.decide(AutomationResumed("ana", world.now))
        assert sorted(remedy_timer(world, alert) for alert in ("AL-1", "AL-2", "AL-3")) == [0, 60, 120]

    def test_of_incidents_closed_by_hand_none_stays_in_line_for_ever(self):
        world = three_refused()
        for incident in ("INC-1", "INC-2", "INC-3"):
            world.resolve(incident)
        world.view.stopped = None
        world.decide(AutomationResumed("ana", world.now))
        for _ in range(10):
            world.wait(60)
        assert not [timer for timer in world.view.timers if timer.kind == "remedy"]
        assert not [run for run in world.view.runs.values() if run.state == "waiting"]

    def test_stopped_again_they_wait_again(self):
        world = three_refused()
        world.view.stopped = None
        world.decide(AutomationResumed("ana", world.now))
        world.view.stopped = "automation was stopped by ben"
        ask_again(world, "AL-3")
        assert list(world.view.runs) == []
        assert remedy_timer(world, "AL-1") == 60


def test_a_page_that_waited_with_a_remedy_goes_out_where_a_person_has_the_incident_in_hand():
    routes = [{"match": {"check": "disk"}, "notify": ["web"], "hold": "45s"}, {"notify": ["ops"], "hold": "60s"}]
    world = World(shop(on=["check=~http|tcp"], routes=routes))
    world.fails("http", severity="warning")
    world.ack()
    world.acted()
    world.fails("disk", severity="warning")
    world.recovers("http", severity="warning")
    assert ("page", "web", "held") in world.told()
    world.wait(1)
    assert ("page", "web", "sent") in world.told()


class TestChangedConfiguration:
    def test_a_remedy_made_auto_is_asked_for_what_fires_now(self):
        world = World(shop(autonomy="shadow"))
        world.fails()
        world.view.config = World(shop()).view.config
        world.decide(RemediesChanged(["shop"], 2, world.now))
        ask_again(world)
        assert world.view.runs["RUN-1"].state == "waiting"

    def test_heard_twice_it_is_asked_once(self):
        world = World(shop(autonomy="shadow"))
        world.fails()
        world.view.config = World(shop()).view.config
        for _ in range(2):
            world.decide(RemediesChanged(["shop"], 2, world.now))
        assert remedy_timer(world) == CONFIGURATION_READ_WITHIN

    def test_where_a_run_is_at_work_already_nothing_is_asked(self):
        world = World(shop())
        world.fails()
        world.decide(RemediesChanged(["shop"], 2, world.now))
        assert remedy_timer(world) is None

    def test_other_services_are_left_alone(self):
        world = World(stack(service("a", remedies=[]), service("b", remedies=[])))
        world.fails(service="a")
        world.decide(RemediesChanged(["b"], 2, world.now))
        assert remedy_timer(world) is None
        assert RESTART["autonomy"] == "auto"


class TestWhatShadowWouldHaveDone:
    def rehearsed(self, *problems, found=("its inputs fit its form", "./start.sh can be executed")):
        world = World(shop(autonomy="shadow"))
        world.fails()
        world.decide(ShadowRehearsed("AL-1", "restart-service", list(problems), list(found), world.now))
        return world

    def test_it_is_asked_for_when_the_alert_fires_and_people_do_not_wait_for_it(self):
        world = World(shop(autonomy="shadow"))
        world.fails()
        assert [(look.subject, look.purpose) for look in world.view.looks] == [("AL-1", "shadow")]
        assert world.told() == [("page", "ops", "due")]
        assert "In shadow:" not in world.view.outbox["NT-1"].content["text"]

    def test_it_says_what_it_would_have_done_after_it_was_looked_at(self):
        world = self.rehearsed()
        said = "In shadow: restart-service could have run (its inputs fit its form, ./start.sh can be executed)."
        assert world.view.timeline[-1][1].text == said
        assert world.codes() == ["shadow-could"]

    def test_it_says_so_where_it_could_not_have(self):
        world = self.rehearsed("there is no program ./start.sh", found=())
        said = "In shadow: restart-service could not have run: there is no program ./start.sh."
        assert world.view.timeline[-1][1].text == said
