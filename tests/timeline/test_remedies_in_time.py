"""What is restarted when, and who is woken: nothing healthy is touched, and nobody for four seconds."""

from __future__ import annotations

import pytest
from acting import Evening, service

pytestmark = pytest.mark.unit


def names(evening: Evening) -> list[str]:
    return [name for _, name in evening.restarted]


def test_a_service_that_a_restart_heals_wakes_nobody() -> None:
    evening = Evening([service("app")])
    evening.breaks("app", at=1)
    evening.play(40)
    assert names(evening) == ["app"]
    assert [one.kind for one in evening.told] == ["report"]


def test_with_a_hold_of_zero_people_are_paged_at_once() -> None:
    evening = Evening([service("app")], hold="0s")
    evening.breaks("app", at=1)
    evening.play(40)
    assert [one.kind for one in evening.told] == ["page", "resolved"]
    assert evening.told[0].at == pytest.approx(4, abs=0.2)


def test_where_the_restart_is_in_vain_the_page_goes_when_that_is_known() -> None:
    evening = Evening([service("app")])
    evening.in_vain = {"app"}
    evening.breaks("app", at=1)
    evening.play(60)
    assert names(evening) == ["app"]
    page = evening.paged()[0][0]
    assert page == pytest.approx(4 + 0.4 + 1 + 10, abs=0.5)  # verified for 10 s, well within the hold of 30 s


def test_a_page_is_held_once_and_nothing_extends_it() -> None:
    evening = Evening([service("app", remedy={"verify": {"within": "5m"}})])
    evening.in_vain = {"app"}
    evening.breaks("app", at=1)
    evening.play(60)
    assert evening.paged()[0][0] == pytest.approx(34, abs=0.3)


def test_the_cause_is_restarted_though_the_symptom_is_seen_first() -> None:
    evening = Evening([service("website", "app", fails_after=1), service("app", "db"), service("db", remedy={})])
    evening.breaks("app", at=1)
    evening.play(60)
    assert names(evening) == ["app"]
    assert evening.paged() == []


def test_when_the_dependency_recovers_by_itself_what_stands_on_it_is_not_restarted() -> None:
    evening = Evening([service("website", "app"), service("app", "db"), service("db", remedy={})])
    evening.breaks("db", at=1, until=12)
    evening.play(60)
    assert names(evening) == []
    assert all("db" in text for _, text in evening.paged())


def test_what_fails_still_after_its_dependency_recovered_is_restarted() -> None:
    evening = Evening([service("app", "db"), service("db", remedy={})])
    evening.breaks("db", at=1, until=12)
    evening.breaks("app", at=1)
    evening.play(60)
    assert names(evening) == ["app"]
    assert evening.restarted[0][0] < 20


def test_a_failure_over_before_the_run_starts_is_left_alone() -> None:
    evening = Evening([service("app", every="6s", recovers_after=2)])
    evening.starts_after = 1.5  # a loaded machine: the result that raised the alert is no longer fresh
    evening.breaks("app", at=1, until=12.5)
    evening.play(60)
    assert names(evening) == []
    assert [one.kind for one in evening.told] == ["report"]


def test_what_a_restart_brings_wakes_nobody_either() -> None:
    quick = {"fails_after": 1, "remedy": {}}
    evening = Evening([service("app", fails_after=1), service("website", "app", **quick)], away=5.0)
    evening.breaks("app", at=1)
    evening.play(60)
    assert names(evening) == ["app"]
    assert evening.paged() == []
    assert not any("does not act" in one.text for one in evening.told)


def test_a_cooldown_that_ends_lets_the_remedy_act_on_what_still_fires() -> None:
    evening = Evening([service("app", remedy={"limits": {"per_hour": 9, "cooldown": "30s"}})])
    evening.breaks("app", at=1, again_at=14)
    evening.play(60)
    (first, _), (second, _) = evening.restarted
    assert second - first == pytest.approx(30 + 0.4, abs=1.2)
    assert any("It tries again at 09:00:" in text for _, text in evening.paged())
    assert evening.told[-1].kind == "resolved"


def test_the_same_evening_is_the_same_each_time() -> None:
    def lived() -> tuple[object, object]:
        evening = Evening([service("website", "app"), service("app")], away=3.0)
        evening.breaks("app", at=1)
        evening.play(40)
        return evening.told, evening.restarted

    assert lived() == lived()


def test_a_limit_that_is_used_up_says_when_there_is_room_and_the_remedy_acts_then() -> None:
    slow = {"every": "5s", "fails_after": 1}
    evening = Evening([service("app", remedy={"limits": {"per_hour": 1, "cooldown": "0s"}}, **slow)])
    evening.breaks("app", at=10, again_at=100)
    evening.play(3700, step=1.0)
    (first, _), (second, _) = evening.restarted
    page = evening.told[1]
    assert page.kind == "page"
    assert page.text == (
        "Automation does not act: it acted once within the last hour, its limit is 1. It tries again at 10:00:12 UTC."
    )
    assert second - first == pytest.approx(3600, abs=3)
    assert evening.told[-1].kind == "resolved"


def test_while_automation_is_stopped_people_are_paged_and_once_it_is_resumed_it_acts_one_by_one() -> None:
    evening = Evening([service("app"), service("shop")])
    evening.turns_automation("off", at=0, reason="a move of the rack")
    for name in ("app", "shop"):
        evening.breaks(name, at=1)
    evening.turns_automation("on", at=30)
    evening.play(90)
    assert evening.heard() == [
        "4 s, people: CRITICAL app fails: http connection refused",
        "9 s, people: CRITICAL shop fails: http connection refused",
        "34 s, people: RESOLVED app is back to normal after 30s: fixed by RUN-1 (restart-service)",
        "39 s, people: RESOLVED shop is back to normal after 34s: fixed by RUN-2 (restart-service)",
    ]
    for page in evening.told[:2]:
        assert page.text == (
            "Automation does not act: automation was stopped by ana: a move of the rack. "
            "It tries again once automation is resumed."
        )
    assert evening.restarted == [(pytest.approx(31.4, abs=0.2), "app"), (pytest.approx(35.4, abs=1), "shop")]


def test_a_remedy_that_a_configuration_brings_is_asked_for_what_fires_already() -> None:
    evening = Evening([service("app", remedy={})])
    evening.breaks("app", at=1)
    evening.configures([service("app")], at=20)
    evening.play(60)
    assert names(evening) == ["app"]
    assert evening.restarted[0][0] == pytest.approx(20 + 2 + 1.4, abs=0.3)  # once every process has read it
    assert evening.heard()[1:] == [
        "26 s, people: RESOLVED app is back to normal after 22s: fixed by RUN-1 (restart-service)"
    ]


def test_a_remedy_that_a_configuration_takes_away_does_not_act_any_more() -> None:
    evening = Evening([service("app")])
    evening.starts_after = 6.0
    evening.breaks("app", at=1)
    evening.configures([service("app", remedy={})], at=5)
    evening.play(60)
    assert names(evening) == []
    [page] = evening.told
    assert page.kind == "page"
    assert page.text == "restart-service is no longer the remedy for this, because the configuration has changed."


def test_in_shadow_nothing_is_restarted_and_people_read_what_would_have_been() -> None:
    evening = Evening([service("app", remedy={"autonomy": "shadow"})])
    evening.breaks("app", at=1, until=30)
    evening.play(60)
    assert names(evening) == []
    assert evening.heard() == [
        "4 s, people: CRITICAL app fails: http connection refused",
        "32 s, people: RESOLVED app is back to normal after 28s",
    ]
    assert evening.told[0].text == "Automation is in shadow mode for this remedy: it would have run restart-service."
