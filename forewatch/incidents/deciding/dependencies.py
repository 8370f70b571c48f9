"""A dependency that fails is mended first: what stands on it waits, or leaves it to people.

A dependency fails only by an alert that explains ours. A single failed probe is no failure yet: its own verdict is
waited for.
"""

from __future__ import annotations

from forewatch.alerting.alert import Alert, at_least
from forewatch.clock import micros
from forewatch.incidents import wording
from forewatch.incidents.deciding.correlation import graph_of
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.look_before_acting import Seen, of_dependencies
from forewatch.remedy.run import Run
from forewatch.remedy.verdict import Refused
from forewatch.remedy.verification import time_to_heal

SPREADS = frozenset({"availability", "latency", "errors"})
"""What a failing dependency explains in those that need it. A full disk is nobody else's fault."""
PROBED_WITHIN = 2.0
"""Seconds a look waits at most for one check."""


def failing_below(draft: Draft, alert: Alert) -> list[Alert]:
    """What fires of the services the alert's stands on, as severe as it and of a kind that spreads: the nearest first.

    Of two services that stand on each other neither is the other's cause: else both would wait for ever.
    """
    if alert.classification not in SPREADS:
        return []
    graph = graph_of(draft.view.config)
    below = [name for name in graph.dependencies(alert.service) if alert.service not in graph.dependencies(name)]
    if not below:
        return []
    causes = [
        cause
        for cause in draft.view.firing_of(below)
        if cause.classification in SPREADS and at_least(cause.severity, alert.severity)
    ]
    return sorted(causes, key=lambda cause: below.index(cause.service))


def dependency_fails(draft: Draft, alert: Alert) -> Refused | None:
    """A dependency fails. While its own remedy is at work, its verdict is waited for; else people are told now."""
    causes = failing_below(draft, alert)
    if not causes:
        return None
    for run in draft.view.runs_at_work([cause.service for cause in causes]):
        until = _waited_since(draft, alert, run) + micros(_verified_within(draft, run))
        if draft.now < until:
            cause = next(cause for cause in causes if cause.service == run.service)
            reason = f"{_which_fails(alert, cause)}, and {run.id} ({run.runbook}) is at work there"
            return Refused("dependency-at-work", reason, again_at=until, waits_for=run.id, holds_until=until)
    return Refused("dependency-fails", _which_fails(alert, causes[0]), waits_for=causes[0].id)


def dependency_unclear(draft: Draft, alert: Alert, seen: Seen) -> Refused | None:
    """A dependency's check failed just now and has not come to its verdict: waited for once, `fails_after` rounds."""
    if alert.classification not in SPREADS or any(
        one.kind == "dependency-unclear" for one in draft.view.waits(alert.id)
    ):
        return None
    for one in of_dependencies(draft.view.config, alert, seen):
        if one.ok is False and one.status != "down" and at_least(one.check.severity, alert.severity):
            rounds = (one.check.fails_after - 1) * one.check.every
            until = draft.now + micros(rounds + min(one.check.timeout, PROBED_WITHIN))
            reason = (
                f"{alert.service} depends on {one.key.service}, whose check {one.key.check} has just failed "
                f"({one.reason}); its verdict is awaited"
            )
            return Refused("dependency-unclear", reason, again_at=until, holds_until=until)
    return None


def _which_fails(alert: Alert, cause: Alert) -> str:
    return f"{alert.service} depends on {cause.service}, which fails ({wording.summary(cause)})"


def _waited_since(draft: Draft, alert: Alert, run: Run) -> int:
    """Since when this run's verdict is waited for: not longer because it is asked again."""
    waits = draft.view.waits(alert.id)
    return next((one.since for one in waits if one.kind == "dependency-at-work" and one.by == run.id), draft.now)


def _verified_within(draft: Draft, run: Run) -> float:
    alert = draft.view.alert(run.alert_id) if run.alert_id is not None else None
    return time_to_heal(draft.view.config, run, alert)
