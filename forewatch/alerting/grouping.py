"""Grouping: which alerts are told together, when, and whether there is anything to tell.

Alertmanager's rules (`dispatch/dispatch.go`, `notify/notify.go`) as functions of what is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from forewatch.alerting.alert import Labels
from forewatch.alerting.matchers import quoted
from forewatch.alerting.routing import Route
from forewatch.clock import micros

ALL_LABELS = "..."
SendReason = Literal[
    "first notification",
    "new alerts added",
    "all alerts resolved",
    "some alerts resolved",
    "repeat interval elapsed",
]


@dataclass(frozen=True)
class Notice:
    """What a notifier was told of a group last: when (microseconds UTC), and the fingerprints that were in it."""

    at: int
    firing: frozenset[str]
    resolved: frozenset[str]


def group_labels(route: Route, labels: Labels) -> dict[str, str]:
    """The labels an alert's group has in common. A label that is absent equals the empty one, and is left out."""
    names = route.group_by or ()
    if ALL_LABELS in names:
        return {name: value for name, value in labels.items() if value}
    return {name: labels[name] for name in names if labels.get(name)}


def group_key(route: Route, labels: Labels) -> str:
    """What names a group, here and to receivers, such as `{}/{severity="critical"}:{alertname="DiskFull"}`.

    `labels` are the alert's or the group's own: both give the same key. It is the same as long as the route's matchers
    and `group_by` are, wherever the route stands among others.
    """
    common = group_labels(route, labels)
    return f"{route.key}:{{{', '.join(f'{name}={quoted(common[name])}' for name in sorted(common))}}}"


def send_reason(
    firing: frozenset[str],
    resolved: frozenset[str],
    last: Notice | None,
    repeat_interval: float,
    now: int,
    send_resolved: bool = True,
) -> SendReason | None:
    """Why a notifier is to be told of a group at this tick; None: there is nothing new for it.

    `firing` and `resolved` are fingerprints, `repeat_interval` is seconds. "all alerts resolved" is the answer even
    without `send_resolved`: the notice is then to be recorded, so that the next alert is told as the first, not sent.
    """
    if last is None:
        return "first notification" if firing else None
    if not firing <= last.firing:
        # After a notice that all was over, nothing counts as told to the notifier any more.
        return "new alerts added" if last.firing else "first notification"
    if not firing:
        return "all alerts resolved" if last.firing else None
    if send_resolved and not resolved <= last.resolved:
        return "some alerts resolved"
    return "repeat interval elapsed" if last.at < now - micros(repeat_interval) else None


def next_flush(
    created_at: int,
    has_flushed: bool,
    first_starts_at: int,
    last_flush_at: int | None,
    route: Route,
    now: int,
) -> int:
    """The group's next tick.

    The first comes `group_wait` after the group was created by its first alert, or at once if that alert had begun
    longer ago than this; each other one `group_interval` after the one before. A tick that was missed is due at once;
    a clock that was set back delays none by more than its interval.
    """
    if has_flushed and last_flush_at is not None:
        interval = micros(route.group_interval)
        return min(last_flush_at, now) + interval
    wait = micros(route.group_wait)
    if first_starts_at + wait < now:
        return now
    return min(created_at, now) + wait
