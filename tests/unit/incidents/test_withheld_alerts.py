"""Alerts somebody is not told of: why, what happens when that is over, and how failing neighbours are treated."""

import pytest
from memory_view import World, shop

from forewatch.alerting.matchers import parse_matchers
from forewatch.alerting.silence import Silence, silence_as_json
from forewatch.clock import micros
from forewatch.incidents.events import SilenceExpired, SilenceSet, TimerDue

pytestmark = pytest.mark.unit

HOUR = 3600


def chain(**more):
    """storefront -> catalogue -> stock, each with a remedy."""
    names = ["storefront", "catalogue", "stock"]
    return {
        "services": [
            {
                "name": name,
                "depends_on": names[at + 1 : at + 2],
                "remedies": [
                    {
                        "on": {"alertname": "CheckFailing"},
                        "runbook": "restart-service",
                        "with": {"command": ["./start.sh"]},
                        "autonomy": "auto",
                    }
                ],
            }
            for at, name in enumerate(names)
        ],
        "notifiers": [{"name": "ops", "console": {}}],
        **more,
    }


def silence(world, *matchers, hours=1.0, starts_in=0.0, kind="silence", author="ana", id="S1"):
    starts = world.now + micros(starts_in)
    made = Silence(
        id=id,
        matchers=parse_matchers(list(matchers)),
        starts_at=starts,
        ends_at=starts + micros(hours * HOUR),
        created_by=author,
        comment="deploying",
        updated_at=world.now,
        kind=kind,
    )
    return world.decide(SilenceSet(silence_as_json(made), author, world.now))


def said(world):
    """The texts of all notifications, one after the other."""
    return " ".join(notice.content["text"] for notice in world.view.outbox.values())


def withheld(world):
    """(alert, route, kind of each reason) of what is withheld now."""
    return [
        (one.alert_id, one.route, *[reason.kind for reason in one.reasons]) for one in world.view.held_back.values()
    ]


def test_a_silenced_alert_opens_its_incident_and_tells_nobody():
    world = World(shop(autonomy="shadow"))
    silence(world, "service=shop")
    world.fails()
    assert world.view.incidents["INC-1"].open
    assert world.told() == []
    assert withheld(world) == [("AL-1", "", "silence")]
    assert "silence" in world.codes()


def test_what_still_fires_when_its_silence_ends_is_told_afresh():
    world = World(shop(autonomy="shadow"))
    silence(world, "service=shop", hours=1)
    world.fails()
    world.wait(2 * HOUR)
    assert ("page", "ops", "sent") in world.told()
    assert withheld(world) == []
    page = next(notice for notice in world.view.outbox.values() if notice.kind == "page")
    assert "Still failing now that the silence by ana is over." in page.content["text"]


def test_what_was_told_before_its_silence_is_told_afresh_after_it():
    world = World(shop(autonomy="shadow"))
    world.fails()
    world.wait(1)
    silence(world, "service=shop")
    assert withheld(world) == [("AL-1", "", "silence")]
    world.wait(2 * HOUR)
    assert [told[0] for told in world.told()].count("page") == 2


def test_what_recovered_under_its_silence_is_told_to_nobody():
    world = World(shop(autonomy="shadow"))
    silence(world, "service=shop")
    world.fails()
    world.recovers()
    world.wait(2 * HOUR)
    assert world.told() == []
    assert withheld(world) == []
    assert not world.view.incidents["INC-1"].open


def test_an_author_is_warned_before_a_silence_ends_that_hides_something():
    world = World(shop(autonomy="shadow"))
    silence(world, "service=shop", hours=1, author="web")
    world.fails()
    world.wait(55 * 60)
    assert world.told() == [("report", "web", "sent")]
    content = world.view.outbox["NT-1"].content
    assert content["title"] == "A silence by web ends in 6m: deploying"
    assert content["text"] == (
        "It hides http of shop fails: connection refused. "
        "People are notified again at 10:00:00 UTC of whatever still fires (silence S1)."
    )


def test_a_silence_that_hid_nothing_says_so():
    world = World(shop(autonomy="shadow"))
    silence(world, "service=elsewhere")
    world.wait(2 * HOUR)
    assert world.codes() == ["silence-unused"]
    assert world.told() == []


def test_a_silence_that_hid_an_incident_says_so_on_its_timeline():
    world = World(shop(autonomy="shadow"))
    silence(world, "service=shop")
    world.fails()
    world.wait(2 * HOUR)
    assert any("it hid alerts of INC-1" in entry.text for _, entry in world.view.timeline)


def test_a_silence_ended_by_hand_lets_its_alerts_be_told_at_once():
    world = World(shop(autonomy="shadow"))
    silence(world, "service=shop")
    world.fails()
    world.wait(60)
    world.decide(SilenceExpired("S1", "ben", world.now))
    world.wait(0)
    assert [told for told in world.told() if told[0] == "page"] == [("page", "ops", "sent")]


def test_a_pending_silence_hides_from_its_start_what_fires_already():
    world = World(shop(autonomy="shadow"))
    silence(world, "service=shop", starts_in=600)
    world.fails()
    world.wait(1)
    assert withheld(world) == []
    world.wait(700)
    assert withheld(world) == [("AL-1", "", "silence")]


def test_a_silence_leaves_remedies_alone_and_maintenance_holds_them_back():
    hushed = World(shop())
    silence(hushed, "service=shop")
    hushed.fails()
    assert list(hushed.view.runs) == ["RUN-1"]
    tended = World(shop())
    silence(tended, "service=shop", kind="maintenance")
    tended.fails()
    assert tended.view.runs == {}
    assert "maintenance" in tended.codes()
    tended.wait(2 * HOUR)
    assert list(tended.view.runs) == ["RUN-1"], "it is healed once the maintenance is over"


def test_a_run_on_its_way_does_not_act_once_maintenance_has_begun():
    world = World(shop(hold="30s"))
    world.fails()
    silence(world, "service=shop", kind="maintenance")
    world.starting()
    assert world.view.runs["RUN-1"].state == "refused"


def test_planned_maintenance_comes_from_the_configuration():
    config = shop(autonomy="shadow")
    config["services"][0]["maintenance"] = ["nightly"]
    config["times"] = [{"name": "nightly", "ranges": [{"times": ["08:30-09:30"]}]}]
    world = World(config)
    world.fails()
    assert withheld(world) == [("AL-1", "", "maintenance")]
    world.wait(31 * 60)
    assert ("page", "ops", "sent") in world.told()


def test_the_child_of_a_failing_dependency_does_not_page_and_its_incident_lists_it():
    world = World(chain())
    world.fails(service="stock")
    world.fails(service="storefront")
    assert [alert.incident_id for alert in world.view.alerts.values()] == ["INC-1", "INC-1"]
    assert withheld(world) == [("AL-2", "", "dependency")]
    assert {run.service for run in world.view.runs.values()} == {"stock"}, "no remedy acts on an echo"


def test_a_child_that_still_fails_when_its_dependency_is_well_is_told_and_healed():
    world = World(chain())
    world.fails(service="stock")
    world.fails(service="storefront")
    world.starting()
    world.acted()
    world.recovers(service="stock")
    world.wait(0)
    assert withheld(world) == []
    assert "Still failing, although stock has recovered." in said(world)
    assert [run.service for run in world.view.runs.values()] == ["stock", "storefront"]
    pages = [notice for notice in world.view.outbox.values() if notice.kind == "page"]
    assert pages[-1].alert_id == "AL-2"


def test_a_dependency_nobody_is_told_of_hushes_no_child():
    world = World(chain())
    silence(world, "service=stock")
    world.fails(service="stock")
    world.fails(service="storefront")
    assert ("AL-2", "", "dependency") not in withheld(world)
    assert [notice.alert_id for notice in world.view.outbox.values()] == ["AL-2"]


def test_a_full_disk_is_nobody_elses_fault():
    world = World(chain())
    world.fails(service="stock")
    world.fails(service="storefront", check="disk", alertname="DiskFilling")
    assert withheld(world) == []


def test_inhibition_hushes_while_its_source_fires_and_no_longer():
    inhibit = {"source": ["alertname=ClusterDown"], "target": ["severity=warning"], "equal": ["cluster"]}
    world = World(shop(autonomy="shadow") | {"inhibitions": [inhibit]})
    world.fails("down", service="a", alertname="ClusterDown", cluster="eu")
    world.fails("slow", service="b", severity="warning", cluster="eu")
    world.fails("slow", service="c", severity="warning", cluster="us")
    assert withheld(world) == [("AL-2", "", "inhibition")]
    world.recovers("down", service="a", alertname="ClusterDown", cluster="eu")
    world.wait(0)
    assert withheld(world) == []
    assert (
        "Still failing now that it is no longer inhibited by another alert (down of a fails: connection refused)."
        in said(world)
    )
    assert {notice.alert_id for notice in world.view.outbox.values() if notice.kind == "page"} == {
        "AL-1", "AL-2", "AL-3",
    }  # fmt: skip


def test_a_mute_route_tells_when_its_time_is_over():
    routes = [{"notify": ["ops"], "mute": ["mornings"]}]
    times = [{"name": "mornings", "ranges": [{"times": ["06:00-10:00"]}]}]
    world = World(shop(autonomy="shadow", routes=routes) | {"times": times})
    world.fails()
    assert withheld(world) == [("AL-1", "routes[0]", "mute_time_interval")]
    world.wait(2 * HOUR)
    assert ("page", "ops", "sent") in world.told()


def test_a_route_with_active_times_tells_only_then():
    routes = [{"notify": ["ops"], "active": ["evenings"]}]
    times = [{"name": "evenings", "ranges": [{"times": ["18:00-22:00"]}]}]
    world = World(shop(autonomy="shadow", routes=routes) | {"times": times})
    world.fails()
    assert withheld(world) == [("AL-1", "routes[0]", "active_time_interval")]
    world.wait(9 * HOUR + 60)
    assert ("page", "ops", "sent") in world.told()


def test_a_flapping_alert_is_told_once_says_that_it_flaps_and_is_over_when_calm():
    world = World(shop(autonomy="shadow") | {"flapping": {"after": 3, "within": "10m", "calm": "5m"}})
    for _ in range(10):
        world.fails()
        world.wait(20)
        world.recovers()
        world.wait(20)
    pages = [notice for notice in world.view.outbox.values() if notice.kind == "page"]
    assert len(pages) == 3
    assert "It is flapping: it fired 3 times within 10m" in pages[-1].content["text"]
    assert [incident.open for incident in world.view.incidents.values()] == [False, False, True]
    world.wait(600)
    assert not any(incident.open for incident in world.view.incidents.values())
    assert world.told()[-1] == ("resolved", "ops", "sent")


def test_a_flapping_alert_that_stays_is_told_again_once_it_counts_as_calm():
    world = World(shop(autonomy="shadow") | {"flapping": {"after": 3, "within": "10m", "calm": "5m"}})
    for _ in range(4):
        world.fails()
        world.wait(20)
        world.recovers()
        world.wait(20)
    world.fails()
    before = len(world.told())
    world.wait(600)
    assert world.told()[before:] == [("page", "ops", "sent")]


def test_work_on_a_symptom_does_not_keep_a_remedy_from_the_cause():
    world = World(chain())
    world.fails(service="catalogue")
    world.starting("RUN-1")
    world.fails(service="stock")
    assert [(run.service, run.incident_id) for run in world.view.runs.values()] == [
        ("catalogue", "INC-1"),
        ("stock", "INC-1"),
    ]


def test_a_clock_set_back_does_not_cost_a_silence_its_end():
    world = World(shop(autonomy="shadow"))
    silence(world, "service=shop", hours=1)
    world.fails()
    end = next(timer for timer in world.view.timers if timer.kind == "silence-end")
    world.view.timers.remove(end)
    world.decide(TimerDue(end.id, end.kind, end.subject, world.now))
    world.wait(2 * HOUR)
    assert ("page", "ops", "sent") in world.told()


def test_that_an_alert_flaps_is_told_at_once_though_a_remedy_healed_it_again():
    world = World(shop(limits={"per_hour": 20, "cooldown": "0s"}) | {"flapping": {"after": 3, "within": "10m"}})
    for number in (1, 2, 3):
        world.fails(severity="warning")
        world.starting(f"RUN-{number}")
        world.acted(f"RUN-{number}")
        world.recovers(severity="warning")
        world.wait(5)
    assert [told for told in world.told() if told[0] == "page"] == [("page", "ops", "sent")]
    page = next(notice for notice in world.view.outbox.values() if notice.kind == "page")
    assert "It is flapping: it fired 3 times within 10m" in page.content["text"]
