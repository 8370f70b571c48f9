"""A notification was given up: it told nobody, so what it named is not told."""

from __future__ import annotations

from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.withheld_alerts import look_again
from forewatch.incidents.events import Undelivered
from forewatch.incidents.outcome import ForgetNamed


def undelivered(draft: Draft, event: Undelivered) -> None:
    """What it named counts as told to this receiver no more, and explains nobody else's trouble."""
    notice = draft.view.notification(event.notification_id)
    if notice is None:
        draft.because("timer-pointless", f"There is no {event.notification_id} any more.", event.notification_id)
        return
    named = notice.content.get("named", [])
    draft.change(ForgetNamed(notice.id))
    missed = ", ".join(named) or "anything"
    text = f"{notice.id} could not be delivered to {notice.notifier}, so nobody was notified of {missed}."
    draft.because("undelivered", text, notice.id, notice.incident_id, *named)
    draft.log(notice.incident_id, "undelivered", text, notification=notice.id)
    for alert_id in named:
        look_again(draft, alert_id)
