"""Verification: did a run heal what it was sent for? The service's own alerts say so, not the runbook."""

from __future__ import annotations

from collections.abc import Sequence

from forewatch.alerting.alert import Alert
from forewatch.config.models import Config, Verify
from forewatch.remedy.choose import choose
from forewatch.remedy.run import Run

HEALED = "healed"
NOT_HEALED = "not healed"


def still_ill(config: Config, run: Run, alerts: Sequence[Alert]) -> list[Alert]:
    """Of an incident's alerts, the firing ones the run was to heal: its own, and those bound to the same remedy.

    Empty means healed. An alert of another kind on the same service is not the run's to heal.
    """
    return [alert for alert in alerts if alert.status == "firing" and _works_on(config, run, alert)]


def _works_on(config: Config, run: Run, alert: Alert) -> bool:
    if alert.id == run.alert_id:
        return True
    remedy = choose(config, alert)
    return remedy is not None and alert.service == run.service and remedy.runbook == run.runbook


def time_to_heal(config: Config, run: Run, alert: Alert | None) -> float:
    """Seconds the service's checks get to turn green after the run acted; the default where its remedy is gone."""
    remedy = choose(config, alert) if alert is not None else None
    return remedy.verify.within if remedy is not None and remedy.runbook == run.runbook else Verify().within
