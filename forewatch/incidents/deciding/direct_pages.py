"""An alert that people were paged of while the store took no decisions: they are not told a second time.

Decided as any other, it may have letters written; those to people who know of it already are kept as sent instead. So
its end is told to them as it is to all who were paged.
"""

from __future__ import annotations

from forewatch.alerting.alert import Alert
from forewatch.alerting.naming import naming
from forewatch.clock import iso
from forewatch.incidents import wording
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.events import AlertRaised
from forewatch.incidents.incident import Incident
from forewatch.incidents.outcome import RecordSent


def record_told(draft: Draft, incident: Incident, alert: Alert, event: AlertRaised) -> None:
    """Call it last: it turns what was written to people who were told directly into a record of that."""
    for notifier, sent in event.told_directly.items():
        sent_as, at = str(sent["id"]), int(sent["at"])
        taken = draft.take_back(notifier, alert.id)
        content = taken[0].content if taken else _content(incident, alert)
        recorded = RecordSent(
            id=draft.view.new_id("NT"),
            kind="page",
            severity=alert.severity,
            notifier=notifier,
            content={**content, "named": [alert.id]},
            sent_at=at,
            sent_as=sent_as,
            incident_id=incident.id,
            alert_id=alert.id,
            named=(naming(alert),),
        )
        draft.order(recorded)
        text = (
            f"{recorded.id} left for {notifier} at {iso(at)} already, as {sent_as}, while the store took no "
            f"decisions: {notifier} is not told again."
        )
        draft.because("told-directly", text, recorded.id, alert.id, incident.id)
        draft.log(incident.id, "page", text, notification=recorded.id)


def _content(incident: Incident, alert: Alert) -> wording.Content:
    """Of a page nobody would have written: the alert is silenced, say, which the direct page could not know."""
    return wording.trouble(alert, incident.id, {}, "It was told directly, while the store took no decisions.", None)
