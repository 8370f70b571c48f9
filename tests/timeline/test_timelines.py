"""Who is told when: the specification of grouping, inhibition, silences, resolves, flapping and correlation."""

from __future__ import annotations

import pytest
from lines import LINES
from playing import simulated
from timeline_language import Timeline, alert, at, between, notice

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", LINES)
def test_groups_are_told_as_alertmanager_tells_them(name: str) -> None:
    line = LINES[name]()
    line.check(simulated(line))


def test_without_group_by_each_alert_is_told_and_the_end_of_the_incident() -> None:
    line = Timeline(group_by=None, length=40)
    http, tcp = alert("Down", service="shop", check="http"), alert("Down", service="shop", check="tcp")
    line.push(at(1), http.active(1))
    line.push(at(10), tcp.active(10))
    line.push(at(20), http.active(1, 20))
    line.push(at(30), tcp.active(10, 30))
    line.want(between(1, 1.2), notice(firing=[http], kind="page"))
    line.want(between(10, 10.2), notice(firing=[tcp], kind="update"))
    line.want(between(30, 30.2), notice(kind="resolved"))
    line.check(simulated(line))


def test_what_is_due_within_five_seconds_of_a_page_leaves_as_one() -> None:
    line = Timeline(group_by=None)
    first, *more = [alert("Down", service=f"shop{n}") for n in range(4)]
    line.push(at(1), first.active(1))
    for late, one in enumerate(more, start=2):
        line.push(at(late), one.active(late))
    line.want(between(1, 1.2), notice(firing=[first], kind="page"))
    line.want(between(6, 6.2), notice(firing=more, kind="page"))
    line.check(simulated(line))


def test_a_route_is_mute_in_its_times_and_tells_afterwards() -> None:
    route = {"notify": ["people"], "mute": ["break"]}
    times = [{"name": "break", "ranges": [{"times": ["09:00-09:01"]}]}]
    line = Timeline(group_by=None, config={"routes": [route], "times": times}, length=80)
    late = alert("Down", service="shop")
    line.push(at(10), late.active(10))
    line.want(between(60, 60.2), notice(firing=[late], kind="page"))
    line.check(simulated(line))


def test_a_flapping_alert_is_told_until_it_flaps_and_again_once_it_is_calm() -> None:
    flapping = {"after": 3, "within": "60s", "calm": "20s"}
    line = Timeline(group_by=None, config={"flapping": flapping, "digest": {"within": "0s"}}, length=60)
    flaky = alert("Down", service="shop")
    for begins in (1, 5, 9, 13):
        line.push(at(begins), flaky.active(begins))
        line.push(at(begins + 2), flaky.active(begins, begins + 2))
    for begins in (1, 5):
        line.want(between(begins, begins + 0.2), notice(firing=[flaky], kind="page"))
        line.want(between(begins + 2, begins + 2.2), notice(kind="resolved"))
    line.want(between(9, 9.2), notice(firing=[flaky], kind="page"))
    line.want(between(33, 33.2), notice(kind="resolved"))
    line.check(simulated(line))


def test_what_stands_on_a_failing_service_is_hushed_and_joins_its_incident() -> None:
    services = [{"name": "shop", "depends_on": ["db"]}, {"name": "db"}]
    line = Timeline(group_by=None, config={"services": services})
    cause, echo = alert("Down", service="db"), alert("Down", service="shop")
    line.push(at(1), cause.active(1))
    line.push(at(3), echo.active(3))
    line.push(at(8), cause.active(1, 8))
    line.want(between(1, 1.2), notice(firing=[cause], kind="page"))
    line.want(between(8, 8.2), notice(firing=[echo], kind="page"))
    line.check(simulated(line))


def test_a_line_that_is_not_kept_says_what_was_wanted_and_what_came() -> None:
    line = Timeline()
    slow = alert("Slow", instance="a")
    line.push(at(1), slow.active(1))
    line.want(between(5, 6), notice(firing=[slow]))
    with pytest.raises(AssertionError, match=r"(?s)wanted between 5 and 6 s.*not wanted at 2\.00 s"):
        line.check(simulated(line))
