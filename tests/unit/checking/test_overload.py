"""When are checks late, and when is that an alert? A fake clock, a look a second."""

from __future__ import annotations

import pytest

from forewatch.checking.overload import CALM, Overload, late_after
from forewatch.checking.results import CheckKey
from forewatch.config.models import Check
from forewatch.incidents.events import AlertCleared, AlertRaised, from_json

pytestmark = pytest.mark.unit

ALLOWED = 65.0


class Watched:
    """Checks with the moment of their last verdict; looks taken one a second, events taken as they come."""

    def __init__(self, count: int, *, firing: bool = False) -> None:
        self.now = 1000.0
        self.overload = Overload(self.now, firing=firing)
        self.verdicts = {CheckKey("shop", f"c{n}", "default"): self.now for n in range(count)}
        self.late: set[CheckKey] = set()
        self.events: list[tuple[float, AlertRaised | AlertCleared]] = []
        self.refuse = False

    def key(self, number: int) -> CheckKey:
        return CheckKey("shop", f"c{number}", "default")

    def go_on(self, seconds: float, every: float = 1.0) -> list[AlertRaised | AlertCleared]:
        known, until = len(self.events), self.now + seconds
        while self.now < until:
            self.now += every
            for key in self.verdicts:
                if key not in self.late:
                    self.verdicts[key] = self.overload.clock(self.now)
            rows = [(key, at, ALLOWED) for key, at in self.verdicts.items()]
            event = self.overload.look(rows, self.now, at=round(self.now))
            if event is not None:
                self.events.append((self.now, event))
                if not self.refuse:
                    self.overload.taken(event)
        return [event for _, event in self.events[known:]]


def test_a_check_is_late_after_three_rounds_at_least_a_minute_and_the_time_its_tries_may_take() -> None:
    assert late_after(Check(http="http://x/", every=10.0, timeout=5.0)) == 65.0
    assert late_after(Check(http="http://x/", every=60.0, timeout=5.0)) == 185.0
    assert late_after(Check(http="http://x/", every=30.0, timeout=20.0, retries=2)) == 150.0


def test_checks_that_have_their_verdicts_are_no_alert() -> None:
    assert Watched(20).go_on(600) == []


def test_late_checks_raise_one_critical_alert_that_counts_and_names_them() -> None:
    watched = Watched(2000)
    watched.late = {watched.key(number) for number in range(7)}
    assert watched.go_on(ALLOWED) == []
    (event,) = watched.go_on(300)
    assert isinstance(event, AlertRaised)
    assert event.labels == {"alertname": "ForewatchOverloaded", "service": "forewatch", "severity": "critical"}
    assert (event.values["late"], event.values["checks"]) == (7, 2000)
    assert event.annotations["summary"].startswith("Forewatch cannot keep up: 7 of 2,000 checks are late, the longest")
    assert "and 2 more" in event.annotations["description"]
    assert from_json(event.as_json()) == event


def test_it_is_cleared_once_no_check_was_late_for_a_minute() -> None:
    watched = Watched(3)
    watched.late = {watched.key(0)}
    watched.go_on(100)
    watched.late = set()
    assert watched.go_on(CALM - 1) == []
    (event,) = watched.go_on(2)
    assert isinstance(event, AlertCleared)
    assert event.labels == watched.events[0][1].labels
    assert watched.go_on(300) == []


def test_an_event_that_is_not_taken_is_due_again() -> None:
    watched = Watched(3)
    watched.late = {watched.key(0)}
    watched.refuse = True
    assert len(watched.go_on(70)) > 1
    watched.refuse = False
    assert len(watched.go_on(70)) == 1


def test_what_the_watch_before_raised_is_not_raised_again_and_cleared_when_it_is_over() -> None:
    watched = Watched(3, firing=True)
    (event,) = watched.go_on(CALM)
    assert isinstance(event, AlertCleared)
    again = Watched(3, firing=True)
    again.late = {again.key(0)}
    again.overload.look([(again.key(0), 0.0, ALLOWED)], 1000.0, 0)
    assert again.go_on(30) == []


def test_a_machine_that_was_suspended_was_not_late() -> None:
    watched = Watched(3)
    watched.go_on(10)
    watched.now += 3600
    # The rounds come one after the other.
    watched.late = {watched.key(0)}
    assert watched.go_on(30) == []
    watched.late = set()
    assert watched.go_on(300) == []


def test_one_that_gets_to_look_only_every_few_seconds_is_late_all_the_same() -> None:
    watched = Watched(3)
    watched.late = {watched.key(0)}
    assert len(watched.go_on(90, every=15.0)) == 1
