"""What is one incident, what is another, and what people read of it: strangers, aftermath, flapping, links, labels."""

from __future__ import annotations

from typing import Any

import pytest
from acting import Evening, service

from forewatch.clock import micros

pytestmark = pytest.mark.unit

FLAPPING: dict[str, Any] = {
    "flapping": {"after": 3, "within": "60s", "calm": "40s", "down": "20s"},
    "digest": {"within": "0s"},
}


def alone(name: str, *needs: str, **check: Any) -> dict[str, Any]:
    """A service without a remedy."""
    return service(name, *needs, remedy={}, **check)


def test_a_storm_of_strangers_becomes_one_incident_and_few_pages() -> None:
    evening = Evening([])
    for number in range(14):
        evening.raises(f"Odd{number}", at=1 + number)
    evening.play(60)
    assert evening.heard() == [
        "1 s, people: CRITICAL Odd0 on host",
        "6 s, people: CRITICAL host: 5 problems",
        "11 s, people: CRITICAL host: 5 problems",
        "16 s, people: UPDATE host: 3 problems",
    ]
    joined = [line for line in evening.timelines["INC-10"] if "the storm of alerts without a service" in line]
    assert len(joined) == 4
    assert "INC-11" not in evening.timelines


def test_strangers_that_are_fewer_than_a_storm_keep_their_own_incidents() -> None:
    evening = Evening([])
    for number in range(9):
        evening.raises(f"Odd{number}", at=1 + number)
    evening.play(40)
    assert len(evening.timelines) == 9


def looks_back(now: int) -> dict[str, Any]:
    """What a rule says for another minute of an outage that ended five seconds ago."""
    return {"recovered_at": now - micros(5), "since_recovery": None, "aftermath_until": now + micros(60), "high": 0.1}


def test_an_aftermath_that_ends_in_time_is_never_told() -> None:
    evening = Evening([alone("app")])
    evening.breaks("app", at=1, until=12)
    evening.raises("ErrorRate", at=20, service="app", values=looks_back)
    evening.clears("ErrorRate", at=60, service="app")
    evening.play(120)
    assert evening.heard() == [
        "4 s, people: CRITICAL app fails: http connection refused",
        "14 s, people: RESOLVED app is back to normal after 10s",
    ]


def test_an_aftermath_that_outlasts_the_sight_of_its_rule_is_told_then_as_any_alert() -> None:
    evening = Evening([alone("app")])
    evening.breaks("app", at=1, until=12)
    evening.raises("ErrorRate", at=20, service="app", values=looks_back)
    evening.play(120)
    assert evening.heard()[2:] == ["80 s, people: CRITICAL ErrorRate on app"]


def comes_and_goes(evening: Evening, *begins: float, failure: str) -> None:
    for begin in begins:
        evening.raises("Down", at=begin, service="shop", values=lambda now: {"failure": failure})
        evening.clears("Down", at=begin + 2, service="shop")


def test_what_flaps_is_told_again_because_it_fails_in_another_way() -> None:
    evening = Evening([], **FLAPPING)
    comes_and_goes(evening, 1, 5, 9, 13, failure="unreachable")
    comes_and_goes(evening, 17, 21, failure="errors")
    evening.play(80)
    assert [(round(one.at), one.kind) for one in evening.told] == [
        (1, "page"), (3, "resolved"), (5, "page"), (7, "resolved"), (9, "page"), (17, "page"), (61, "resolved"),
    ]  # fmt: skip
    assert evening.told[4].text.startswith("It is flapping: it fired 3 times within 1m. Quiet until it has been calm")
    assert evening.told[5].text.startswith("It is flapping, and this kind of failure (errors) is new.")


def test_what_flaps_and_then_stays_down_is_told_once_more() -> None:
    evening = Evening([], **FLAPPING)
    comes_and_goes(evening, 1, 5, 9, failure="unreachable")
    evening.raises("Down", at=13, service="shop", values=lambda now: {"failure": "unreachable"})
    evening.clears("Down", at=50, service="shop")
    evening.play(100)
    assert [(round(one.at), one.kind) for one in evening.told[4:]] == [(9, "page"), (33, "page"), (53, "resolved")]
    assert evening.told[5].text.startswith("It was flapping and has now been down for 20s.")


def test_a_service_with_other_labels_is_in_the_same_trouble_and_nobody_reads_resolved() -> None:
    evening = Evening([alone("app")])
    evening.breaks("app", at=1, until=30)
    evening.configures([{**alone("app"), "labels": {"tier": "gold"}}], at=15)
    evening.play(60)
    assert evening.heard() == [
        "4 s, people: CRITICAL app fails: http connection refused",
        "32 s, people: RESOLVED app is back to normal after 28s",
    ]
    assert list(evening.timelines) == ["INC-1"]
    assert (
        "AL-1 (CheckFailing) has other labels under the new configuration and is still firing."
        in (evening.timelines["INC-1"])
    )


def test_what_is_no_longer_watched_has_ended_and_is_not_called_well() -> None:
    evening = Evening([alone("app")])
    evening.breaks("app", at=1)
    evening.configures([{"name": "app"}], at=15)
    evening.play(60)
    assert evening.heard() == [
        "4 s, people: CRITICAL app fails: http connection refused",
        "15 s, people: ENDED app: no longer watched (last: down)",
    ]


def test_two_incidents_become_one_when_what_stands_on_both_fails_too() -> None:
    evening = Evening([alone("db"), alone("cache"), alone("app", "db", "cache", fails_after=3)])
    for name in ("db", "cache"):
        evening.breaks(name, at=1, until=40)
    evening.play(80)
    assert evening.heard() == [
        "4 s, people: CRITICAL db fails: http connection refused",
        "9 s, people: CRITICAL cache fails: http connection refused",
        "42 s, people: RESOLVED db is back to normal after 38s, and so are app and cache",
    ]
    assert (
        "INC-2 (cache fails: http connection refused) is part of INC-1: app links them, and fails too."
        in (evening.timelines["INC-1"])
    )


@pytest.mark.parametrize(
    ("fails_at", "said", "told"),
    [
        (
            18,
            "joins INC-1, where db, which app depends on, fails too (critical)",
            "18 s, people: UPDATE Slow on app (2 services now)",
        ),
        (
            23,
            "fires and no related incident is open, so INC-2 opens (critical)",
            "23 s, people: CRITICAL Slow on app",
        ),
    ],
)
def test_what_has_ended_links_services_for_ten_seconds_more(fails_at: float, said: str, told: str) -> None:
    """The search keeps the incident open; it and the app have nothing in common but the database."""
    evening = Evening([alone("db"), alone("app", "db"), alone("search", "db")])
    for name in ("db", "search"):
        evening.raises("Slow", at=1, service=name)
    evening.clears("Slow", at=10, service="db")
    evening.raises("Slow", at=fails_at, service="app")
    evening.play(60)
    assert any(said in line for lines in evening.timelines.values() for line in lines), evening.timelines
    assert told in evening.heard()


def test_what_comes_back_within_half_an_hour_follows_its_last_incident() -> None:
    evening = Evening([alone("app")])
    evening.breaks("app", at=1, until=20, again_at=60)
    evening.play(90)
    assert evening.heard() == [
        "4 s, people: CRITICAL app fails: http connection refused",
        "22 s, people: RESOLVED app is back to normal after 18s",
        "62 s, people: CRITICAL app fails: http connection refused",
    ]
    assert "so INC-2 opens (critical), it follows INC-1:" in evening.timelines["INC-2"][0]
