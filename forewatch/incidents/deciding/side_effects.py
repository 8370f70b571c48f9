"""Alerts that a remedy's own act brings: its service is away while it restarts, and what stands on it fails."""

from __future__ import annotations

from forewatch.alerting.alert import Alert
from forewatch.incidents.deciding.correlation import graph_of
from forewatch.incidents.deciding.dependencies import SPREADS
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.passing_check import held_until
from forewatch.remedy.choose import choose, remedy_key
from forewatch.remedy.run import Run
from forewatch.remedy.verdict import Refused


def covering_run(draft: Draft, alert: Alert) -> Run | None:
    """The run at work that heals the alert as well, being its own remedy, or may have brought it: one that has started
    on the alert's service, or on a service it stands on, before the alert began. A full disk no restart brings."""
    services = (alert.service, *graph_of(draft.view.config).dependencies(alert.service))
    remedy = choose(draft.view.config, alert)
    own = remedy_key(alert.service, remedy.runbook) if remedy is not None else None
    for run in draft.view.runs_at_work(services):
        begun = run.state in ("started", "acted") and (run.started_at or run.created_at) <= alert.starts_at
        if run.remedy == own or (begun and alert.classification in SPREADS):
            return run
    return None


def covered_by(draft: Draft, alert: Alert, run: Run) -> Refused:
    """The alert waits for the run, and its page no longer than the run's own."""
    where = f", which {alert.service} depends on" if run.service != alert.service else ""
    reason = f"{run.id} ({run.runbook}) is at work on {run.service}{where}"
    until = held_until(draft, run.incident_id, run.id)
    return Refused("run-under-way", reason, waits_for=run.id, holds_until=until)
