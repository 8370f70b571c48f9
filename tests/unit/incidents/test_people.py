from dataclasses import replace

import pytest
from memory_view import World, shop

from forewatch.errors import NotFound, TransitionRefused

pytestmark = pytest.mark.unit


def test_an_acknowledged_incident_says_by_whom_and_when():
    world = World()
    world.fails()
    world.wait(30)
    world.ack(actor="ana")
    incident = world.view.incidents["INC-1"]
    assert (incident.status, incident.acknowledged_by, incident.acknowledged_at) == ("acknowledged", "ana", world.now)


def test_acknowledging_cancels_nothing_that_is_on_its_way():
    world = World(shop(hold="60s"))
    world.fails()
    world.ack()
    assert world.told() == [("page", "ops", "held")]
    assert world.view.runs["RUN-1"].state == "waiting"


def test_nobody_acknowledges_twice():
    world = World()
    world.fails()
    world.ack()
    with pytest.raises(TransitionRefused, match="INC-1 is acknowledged and cannot become acknowledged"):
        world.ack()


def test_a_resolved_incident_stays_resolved():
    world = World()
    world.fails()
    world.resolve(reason="rolled back")
    with pytest.raises(TransitionRefused, match=r"INC-1 is resolved \(by ana: rolled back\)"):
        world.ack()
    with pytest.raises(TransitionRefused):
        world.resolve()


def test_resolving_by_hand_leaves_the_alerts_their_own_truth():
    world = World()
    world.fails()
    world.resolve()
    assert world.view.alerts["AL-1"].status == "firing"
    assert world.view.incidents["INC-1"].resolution == "by ana: rolled back"


def test_an_alert_still_firing_does_not_reopen_what_a_person_resolved():
    world = World()
    world.fails()
    world.resolve()
    told = world.told()
    world.fails()
    assert list(world.view.incidents) == ["INC-1"]
    assert world.told() == told


def test_its_next_episode_opens_a_new_incident():
    world = World()
    world.fails()
    world.resolve()
    world.recovers()
    assert world.codes() == ["alert-resolved"]
    assert world.view.incidents["INC-1"].revision == 2
    world.fails()
    assert world.view.alerts["AL-2"].incident_id == "INC-2"


def test_resolving_by_hand_calls_off_a_run_that_has_not_begun_and_turns_its_held_page_into_a_report():
    world = World(shop(hold="60s"))
    world.fails()
    world.resolve()
    assert world.view.runs["RUN-1"].state == "cancelled"
    assert world.told() == [("report", "ops", "due")]


def test_resolving_by_hand_is_told_to_those_who_were_paged():
    world = World()
    world.fails()
    world.send()
    world.resolve()
    assert world.told()[-1] == ("resolved", "console", "due")


def test_a_new_alert_brings_a_mitigated_incident_back_and_pages_again():
    world = World()
    world.fails("http")
    mitigated = replace(world.view.incidents["INC-1"], status="mitigated", mitigated_at=world.now)
    world.view.incidents["INC-1"] = mitigated
    world.fails("tcp")
    incident = world.view.incidents["INC-1"]
    assert (incident.status, incident.mitigated_at) == ("triggered", None)
    assert [kind for kind, _, _ in world.told()] == ["page", "page"]


def test_a_note_stands_on_the_timeline_even_of_a_resolved_incident():
    world = World()
    world.fails()
    world.resolve()
    world.note(text="it was the certificate")
    entry = world.view.timeline[-1][1]
    assert (entry.kind, entry.actor, entry.text) == ("note", "ana", "it was the certificate")


@pytest.mark.parametrize("act", ["ack", "resolve", "note"])
def test_an_unknown_incident_is_not_found(act):
    with pytest.raises(NotFound, match="there is no incident INC-9"):
        getattr(World(), act)("INC-9")
