"""What people read when they are notified of an alert that was withheld: that it still fires, and what has changed."""

from __future__ import annotations

from collections.abc import Iterable

from forewatch.alerting.alert import Alert
from forewatch.alerting.suppression import Suppression
from forewatch.checking.results import ALERT_NAME
from forewatch.incidents import wording
from forewatch.incidents.deciding.draft import Draft


def still_fires(draft: Draft, alert: Alert, reasons: Iterable[Suppression]) -> str:
    """`Still failing, although db has recovered.` `reasons`: what it was withheld for and is no longer."""
    still = "Still failing" if alert.name == ALERT_NAME else "Still firing"
    over = list(reasons)
    if not over:
        return f"{still}."
    hoped = all(_recovery(draft, reason) for reason in over)
    clauses = dict.fromkeys(_recovery(draft, reason) or _end(draft, reason) for reason in over)
    return wording.sentence(f"{still}{', although' if hoped else ' now that'} {' and '.join(clauses)}")


def _recovery(draft: Draft, reason: Suppression) -> str:
    """What made it likely that the alert would end by itself; nothing of other reasons."""
    if reason.kind == "checking":
        return "its check passed in between"
    if reason.kind != "dependency":
        return ""
    cause = draft.alert_now(reason.by) or draft.view.alert(reason.by)
    return f"{cause.service} has recovered" if cause is not None and cause.status == "resolved" else ""


def _end(draft: Draft, reason: Suppression) -> str:
    match reason.kind:
        case "silence" | "maintenance":
            silence = draft.view.silence(reason.by)
            what = "silence" if reason.kind == "silence" else "maintenance"
            return f"the {what} by {silence.created_by} is over" if silence is not None else f"its {what} is over"
        case "inhibition":
            source = draft.alert_now(reason.by) or draft.view.alert(reason.by)
            what = f" ({wording.summary(source)})" if source is not None else ""
            return f"it is no longer inhibited by another alert{what}"
        case "dependency":
            cause = draft.alert_now(reason.by) or draft.view.alert(reason.by)
            return f"{cause.service if cause is not None else 'a dependency'} no longer explains it"
        case "flapping":
            return "it is no longer withheld for flapping"
        case "mute_time_interval":
            return f"{reason.by} is over"
        case "active_time_interval":
            return f"{reason.by} has begun"
        case _:
            return "it is seen to be more than the aftermath of an outage"
