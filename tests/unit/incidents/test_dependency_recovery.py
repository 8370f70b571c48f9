"""A dependency recovers: what stands on it is checked again before anybody is told or anything is restarted."""

import pytest
from memory_view import World
from test_looking_before_acting import service, stack

from forewatch.incidents.events import TimerDue
from forewatch.incidents.outcome import Look

pytestmark = pytest.mark.unit


def recovered(**check):
    """app was withheld because db failed; db has just recovered."""
    world = World(stack(service("app", "db", **check), service("db", remedies=[])))
    world.fails(service="db")
    world.wait(1)
    world.fails(service="app")
    world.wait(9)
    world.recovers(service="db")
    return world


def review(world, alert="AL-2", seen=()):
    """The first of the alert's reviews comes due, and a look saw this."""
    due = sorted((t for t in world.view.timers if (t.kind, t.subject) == ("review", alert)), key=lambda t: t.due_at)
    world.now = max(world.now, due[0].due_at)
    world.view.timers.remove(due[0])
    return world.decide(TimerDue(due[0].id, "review", alert, world.now, list(seen)))


def reason(world, alert="AL-2"):
    return [(one.kind, one.text) for held in world.view.withheld(alert) for one in held.reasons]


def pages_of(world, alert="AL-2"):
    return [page.kind for page in world.view.outbox.values() if page.alert_id == alert]


def test_until_it_is_checked_again_the_reason_says_so():
    world = recovered()
    assert reason(world) == [("dependency", "db recovered at 2026-11-03T09:00:10.000Z, and app is being checked again")]


def test_it_is_looked_at_at_once():
    world = recovered()
    assert min(t.due_at for t in world.view.timers if (t.kind, t.subject) == ("review", "AL-2")) == world.now


def test_what_fails_still_is_paged_and_its_remedy_sent():
    world = recovered()
    review(world, seen=[world.sees(False, "app"), world.sees(True, "db")])
    assert [run.service for run in world.view.runs.values()] == ["app"]
    assert pages_of(world) == ["page"]


def test_what_passes_is_neither_paged_nor_restarted_while_its_verdict_is_out():
    world = recovered()
    review(world, seen=[world.sees(True, "app", status="down"), world.sees(True, "db")])
    assert reason(world)[0][0] == "checking"
    assert (list(world.view.runs), pages_of(world)) == ([], [])
    world.recovers(service="app")
    assert pages_of(world) == []


def test_what_passed_and_fails_again_is_paged_in_its_next_round():
    world = recovered()
    review(world, seen=[world.sees(True, "app", status="down")])
    outcome = review(world, seen=[world.sees(False, "app")])
    assert (world.now - outcome_time(world)) / 1e6 == 14.5  # 10 s of outage and one round of 4 s
    assert [run.service for run in world.view.runs.values()] == ["app"]
    assert outcome.reasons


def outcome_time(world):
    return min(alert.starts_at for alert in world.view.alerts.values())


def test_what_passes_but_never_often_enough_is_told_after_its_verdict_was_due():
    world = recovered()
    for _ in range(6):
        if pages_of(world):
            break
        review(world, seen=[world.sees(True, "app", status="down")])
    assert pages_of(world) == ["page"]
    assert (world.now - outcome_time(world)) / 1e6 == 18  # two rounds of 4 s after the recovery
    assert list(world.view.runs) == []


def test_what_does_not_answer_is_told_after_30_seconds_at_most():
    world = recovered()
    for _ in range(30):
        if pages_of(world):
            break
        review(world, seen=[world.sees(None, "app")])
    assert pages_of(world) == ["page"]
    assert (world.now - outcome_time(world)) / 1e6 == 40


def test_an_answer_from_before_the_recovery_counts_for_nothing():
    world = recovered()
    review(world, seen=[world.sees(False, "app", at=world.now - 500_000)])
    assert pages_of(world) == []


def test_an_alert_of_a_rule_has_no_check_to_ask_and_is_told_at_once():
    world = World(stack(service("app", "db"), service("db", remedies=[])))
    world.fails(service="db")
    world.fails(service="app", alertname="HttpErrorRatio")
    world.recovers(service="db")
    review(world)
    assert pages_of(world) == ["page"]


def test_what_people_know_of_is_probed_too_so_that_its_recovery_is_seen():
    world = World(stack(service("app", "db"), service("db", remedies=[])))
    world.fails(service="app")
    world.fails(service="db")
    outcome = world.recovers(service="db")
    looks = [effect for effect in outcome.effects if isinstance(effect, Look)]
    assert [(look.subject, look.purpose, look.keys) for look in looks] == [
        ("AL-1", "recovery", (("app", "http", "default"),))
    ]


def test_many_are_probed_the_worst_first_and_no_more_than_fifty_a_second():
    many = [service(f"app{number}", "db", remedies=[]) for number in range(120)]
    world = World(stack(*many, service("db", remedies=[])))
    for number in range(120):
        world.fails(service=f"app{number}", severity="critical" if number == 119 else "warning")
    world.fails(service="db")
    outcome = world.recovers(service="db")
    looks = [effect for effect in outcome.effects if isinstance(effect, Look)]
    assert looks[0].keys[0][0] == "app119"
    assert len(looks) == 120
    seconds = [(look.due_at - world.now) // 1_000_000 for look in looks]
    assert max(seconds.count(second) for second in set(seconds)) <= 50


def test_a_check_that_nobody_watches_any_more_recovered_nothing():
    from forewatch.incidents.events import AlertCleared

    world = World(stack(service("app", "db"), service("db", remedies=[])))
    world.fails(service="app")
    world.fails(service="db")
    labels = {"alertname": "CheckFailing", "service": "db", "check": "http", "severity": "critical"}
    outcome = world.decide(AlertCleared(labels, world.now, {}, unwatched=True))
    assert not any(isinstance(effect, Look) for effect in outcome.effects)


def held_for_a_remedy(hold="30s"):
    """website fails a moment before db does, and its remedy was sent."""
    world = World(stack(hold=hold))
    world.fails(service="website", summary="website answers with errors: 503")
    world.fails(service="db", summary="db is down: refused")
    return world


def test_a_held_page_is_withheld_where_a_dependency_fails_and_people_were_told_of_it():
    world = held_for_a_remedy()
    world.starting()
    assert world.view.runs["RUN-1"].state == "refused"
    assert [one.content["title"] for one in world.view.outbox.values() if one.state != "merged"] == [
        "db is down: refused"
    ]
    assert [reason.kind for one in world.view.withheld("AL-1") for reason in one.reasons] == ["dependency"]


def test_it_is_told_when_the_dependency_is_back_and_it_still_fails():
    world = held_for_a_remedy()
    world.starting()
    world.wait(5)
    world.recovers(service="db")
    world.wait(40)
    titles = [one.content["title"] for one in world.view.outbox.values() if one.state == "sent"]
    assert "website answers with errors: 503" in titles


def test_a_page_whose_remedy_is_about_to_be_asked_again_waits_for_that():
    world = World(stack())
    world.fails(service="website", summary="website answers with errors: 500")
    world.starting(seen=[world.sees(False, service="app", check="http", status="up")])
    world.fails(service="app", summary="app answers with errors: 500")
    world.starting("RUN-2")
    world.acted("RUN-2")
    world.now += 3_000_000
    world.recovers(service="app")
    assert all(one.state in ("held", "merged") or one.kind == "report" for one in world.view.outbox.values())


def test_a_page_that_leaves_after_all_does_not_say_that_a_remedy_is_trying():
    world = World(stack())
    world.fails(service="app", summary="app answers with errors: 500")
    world.starting()
    world.acted()
    world.wait(21)
    page = next(one for one in world.view.outbox.values() if one.kind == "page")
    assert "is trying to fix it" not in page.content["text"]
    assert "did not heal app" in page.content["text"]


def test_a_certificate_that_expires_is_no_echo_of_a_dependency_that_fails():
    world = World(stack())
    world.fails(service="db", summary="db is down: refused")
    expires = "website has a certificate problem: cert certificate expires in 2 days"
    world.fails(service="website", check="cert", summary=expires, values={"failure": "certificate"})
    assert world.view.withheld("AL-2") == []
    assert world.view.alerts["AL-2"].classification == "security"


def test_what_fails_by_its_certificate_now_and_was_withheld_is_told():
    world = World(stack(service("website", "db", remedies=[]), service("db", remedies=[])))
    world.fails(service="db", summary="db is down: refused")
    world.fails(service="website", summary="website is down: refused", values={"failure": "refused"})
    assert world.view.withheld("AL-2")
    expires = "website has a certificate problem: certificate expires in 2 days"
    world.fails(service="website", summary=expires, values={"failure": "certificate"})
    world.wait(1)
    assert f"{expires} (2 services now)" in [one.content["title"] for one in world.view.outbox.values()]
