"""Alerts that look back on an outage already told: they neither open an incident nor keep one open.

Such an alert is set aside until the outage is out of its sight, then judged as any other.
"""

from __future__ import annotations

from dataclasses import replace

from forewatch.alerting.alert import Alert
from forewatch.alerting.suppression import Suppression
from forewatch.detection.aftermath import is_aftermath, said_of
from forewatch.incidents import wording
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.withheld_alerts import withhold
from forewatch.incidents.events import AlertRaised
from forewatch.incidents.outcome import Unname


def sets_aside(draft: Draft, event: AlertRaised) -> bool:
    """Whether the alert tells of an outage that is over."""
    return is_aftermath(event.values, draft.now)


def set_aside(draft: Draft, alert: Alert, event: AlertRaised) -> Alert:
    """Store the alert without an incident until it can be judged. What was told of it is settled."""
    aside = replace(alert, incident_id=None)
    draft.put_alert(aside)
    for one in draft.view.named(alert.id):
        draft.change(Unname(alert.id, one.notifier))
    why = said_of(event.values)
    if alert.incident_id is not None:
        text = f"{wording.named(alert)} leaves {alert.incident_id}: {why}."
        draft.because("aftermath", text, alert.id, alert.incident_id)
        draft.log(alert.incident_id, "alert", text, alert=alert.id)
    reason = Suppression("aftermath", alert.service, why, int(event.values["aftermath_until"]))
    withhold(draft, aside, "", (reason,))
    return aside
