"""Timelines of grouping that any Alertmanager agrees with: played on ours, and to a real one."""

from __future__ import annotations

from timeline_language import Timeline, alert, at, between, notice

A, B, C = (alert("Slow", instance=name) for name in "abc")
DOWN = alert("Down", instance="a")


def first_and_repeated() -> Timeline:
    """A first notice after group_wait; one more when repeat_interval has passed, looked at on ticks only."""
    line = Timeline(repeat_interval=5)
    line.push(at(1), A.active(1))
    line.want(between(2, 2.5), notice(firing=[A], reason="first notification"))
    line.want(between(10, 10.5), notice(firing=[A], reason="repeat interval elapsed"))
    line.want(between(18, 18.5), notice(firing=[A], reason="repeat interval elapsed"))
    return line


def told_together() -> Timeline:
    """What comes within group_wait is told with the first; what comes later waits for the next tick."""
    line = Timeline()
    line.push(at(1), A.active(1))
    line.push(at(1.5), B.active(1.5))
    line.push(at(3), C.active(3))
    line.want(between(2, 2.5), notice(firing=[A, B], reason="first notification"))
    line.want(between(6, 6.5), notice(firing=[A, B, C], reason="new alerts added"))
    return line


def some_then_all_resolved() -> Timeline:
    line = Timeline()
    line.push(at(1), A.active(1), B.active(1))
    line.push(at(4), A.active(1, 4))
    line.push(at(8), B.active(1, 8))
    line.want(between(2, 2.5), notice(firing=[A, B], reason="first notification"))
    line.want(between(6, 6.5), notice(firing=[B], resolved=[A], reason="some alerts resolved"))
    line.want(between(10, 10.5), notice(resolved=[B], reason="all alerts resolved"))
    return line


def over_before_group_wait() -> Timeline:
    """What is over before its first tick is never told."""
    line = Timeline(group_wait=2)
    line.push(at(1), A.active(1))
    line.push(at(2), A.active(1, 2))
    return line


def ends_by_itself() -> Timeline:
    """An alert with an end is over then, whether it is posted again or not."""
    line = Timeline()
    line.push(at(1), A.active(1, 5))
    line.want(between(2, 2.5), notice(firing=[A], reason="first notification"))
    line.want(between(6, 6.5), notice(resolved=[A], reason="all alerts resolved"))
    return line


def inhibited() -> Timeline:
    """While Down fires, Slow of the same instance tells nobody; other instances do."""
    rule = {"source": {"alertname": "Down"}, "target": {"alertname": "Slow"}, "equal": ["instance"]}
    line = Timeline(inhibitions=[rule])
    line.push(at(1), DOWN.active(1))
    line.push(at(1.2), A.active(1.2), B.active(1.2))
    line.push(at(8), DOWN.active(1, 8))
    line.want(between(2, 2.5), notice(firing=[DOWN], reason="first notification"))
    line.want(between(2.2, 2.7), notice(firing=[B], reason="first notification"))
    line.want(between(10, 10.5), notice(resolved=[DOWN], reason="all alerts resolved"))
    line.want(between(10.2, 10.7), notice(firing=[A, B], reason="new alerts added"))
    return line


def silenced() -> Timeline:
    """A silenced alert is told when its silence ends and it still fires."""
    line = Timeline()
    line.silence(at(0.5), until=8, instance="a")
    line.push(at(1), A.active(1), B.active(1))
    line.want(between(2, 2.5), notice(firing=[B], reason="first notification"))
    line.want(between(10, 10.5), notice(firing=[A, B], reason="new alerts added"))
    return line


def silenced_after_it_was_told() -> Timeline:
    """A silence is no recovery: nothing is sent when the last alert of a group is silenced."""
    line = Timeline()
    line.push(at(1), A.active(1))
    line.silence(at(4), until=60, instance="a")
    line.want(between(2, 2.5), notice(firing=[A], reason="first notification"))
    return line


def comes_again() -> Timeline:
    """After word that all was over, the next alert is a first one again."""
    line = Timeline()
    line.push(at(1), A.active(1))
    line.push(at(4), A.active(1, 4))
    line.push(at(9), A.active(9))
    line.want(between(2, 2.5), notice(firing=[A], reason="first notification"))
    line.want(between(6, 6.5), notice(resolved=[A], reason="all alerts resolved"))
    line.want(between(10, 10.5), notice(firing=[A], reason="first notification"))
    return line


LINES = {
    make.__name__: make
    for make in (
        first_and_repeated, told_together, some_then_all_resolved, over_before_group_wait, ends_by_itself, inhibited,
        silenced, silenced_after_it_was_told, comes_again,
    )
}  # fmt: skip
