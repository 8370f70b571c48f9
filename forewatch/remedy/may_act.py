"""May this remedy act now? Asked twice: when a run would be dispatched, and again in the moment it would act."""

from __future__ import annotations

from collections.abc import Sequence

from forewatch.clock import micros
from forewatch.config.models import Remedy
from forewatch.remedy.limits import HOUR, acted_or_may, exceeded
from forewatch.remedy.run import UNDER_WAY, Run
from forewatch.remedy.verdict import Allowed, Refused, Verdict

SHADOW = "shadow"
"""The refusal of a remedy that only says what it would have done."""
AUTOMATION = "automation"
"""What a refusal waits for while a person has stopped all automation."""
GIVES_UP_AFTER = 2
"""Runs in a row that did not heal a service within an hour, of whatever incidents, after which its remedy rests."""


def may_act(
    remedy: Remedy,
    *,
    firing: bool,
    stopped: str | None,
    incident_runs: Sequence[Run],
    counted: Sequence[Run],
    now: int,
) -> Verdict:
    """Whether a run of `remedy` may act on an alert at `now`; the first reason against it where it may not.

    `firing`: the alert still fires. `stopped`: who stopped automation and why. `incident_runs`: the incident's runs,
    oldest first. `counted`: the remedy's runs on this service (`View.runs_counted`). The run that asks is in neither.
    """
    if not firing:
        return Refused("not-firing", "the alert does not fire any more")
    if remedy.autonomy == "shadow":
        return Refused(SHADOW, f"automation is in shadow mode for this remedy: it would have run {remedy.runbook}")
    if remedy.autonomy == "approve":
        return Refused(
            "approval-missing",
            f"{remedy.runbook} has the autonomy approve, and approvals cannot be given yet (use shadow or auto)",
        )
    if stopped is not None:
        return Refused("automation-stopped", stopped.rstrip("."), waits_for=AUTOMATION)
    if busy := next((run for run in (*incident_runs, *counted) if run.state in UNDER_WAY), None):
        return Refused("run-under-way", f"{busy.id} ({busy.runbook}) is at work already", waits_for=busy.id)
    if (failures := _failures_in_a_row(counted, now)) >= GIVES_UP_AFTER:
        return Refused("breaker", f"{remedy.runbook} did not heal {failures} times in a row within the last hour")
    return exceeded(remedy.limits, counted, now) or Allowed()


def _failures_in_a_row(runs: Sequence[Run], now: int) -> int:
    """How many of the remedy's last runs ended without healing. Runs that never began, or a person's, say nothing."""
    count = 0
    for run in reversed(runs):
        if run.remedy is None or run.started_at is None:
            continue
        if (acted_or_may(run) or 0) <= now - micros(HOUR):
            break
        if run.verified != "not healed" and run.state != "failed":
            break
        count += 1
    return count
