import pytest
from memory_view import World, shop

from forewatch.incidents.events import TimerDue

pytestmark = pytest.mark.unit


class TestStart:
    def test_a_run_that_does_not_start_is_given_up_and_the_held_page_says_so(self):
        world = World(shop(hold="60s"))
        world.fails()
        world.wait(10)
        run = world.view.runs["RUN-1"]
        assert (run.state, run.outcome) == ("failed", "restart-service has not started within 10s.")
        assert world.told() == [("page", "ops", "sent")]
        assert (
            "Automation did not start: restart-service has not started within 10s."
            in (world.view.outbox["NT-1"].content["text"])
        )

    def test_where_the_page_is_out_already_it_is_told(self):
        world = World(shop(hold="0s"))
        world.fails()
        world.wait(10)
        assert [kind for kind, _, _ in world.told()] == ["page", "update"]

    def test_while_automation_is_down_the_run_waits_but_people_do_not(self):
        world = World(shop(hold="60s"))
        world.fails()
        world.view.down = "the worker is down: it is starting"
        world.wait(10)
        assert world.view.runs["RUN-1"].state == "waiting"
        assert world.told() == [("page", "ops", "sent")]
        assert "the worker is down: it is starting." in world.view.outbox["NT-1"].content["text"]
        world.view.down = None
        world.starting()
        assert world.view.runs["RUN-1"].state == "started"

    def test_a_run_that_started_has_no_such_timer(self):
        world = World(shop())
        world.fails()
        world.starting()
        assert [timer for timer in world.view.timers if timer.subject == "RUN-1"] == []


class TestVerification:
    def acted(self, **config):
        world = World(shop(**config))
        world.fails()
        world.starting()
        world.acted()
        return world

    def test_what_still_fires_is_not_healed_and_people_hear_it_at_once(self):
        world = self.acted(hold="60s")
        world.wait(20)
        run = world.view.runs["RUN-1"]
        assert (run.state, run.verified) == ("failed", "not healed")
        assert [kind for kind, _, _ in world.told()] == ["page"]
        assert "did not heal shop: still firing 20s after it acted." in world.view.outbox["NT-1"].content["text"]
        assert "not-healed" in world.codes()

    def test_before_its_time_nothing_is_said(self):
        world = self.acted(hold="60s")
        world.wait(19.9)
        assert world.told() == [("page", "ops", "held")]

    def test_what_is_over_needs_no_verification(self):
        world = self.acted()
        world.recovers()
        told = world.told()
        world.wait(60)
        assert len(world.told()) == len(told)

    def test_of_an_incident_resolved_by_hand_a_failure_wakes_nobody(self):
        world = self.acted()
        world.resolve()
        world.wait(20)
        assert world.view.runs["RUN-1"].verified == "not healed"
        assert world.told()[-1] == ("report", "ops", "sent")


@pytest.mark.parametrize("kind", ["start", "verification", "tea"])
def test_a_timer_of_something_unknown_is_recorded_and_nothing_else(kind):
    world = World()
    outcome = world.decide(TimerDue(1, kind, "RUN-9", world.now))
    assert (outcome.changes, outcome.effects, world.codes()) == ([], [], ["timer-pointless"])
