"""A dependency recovers: what stands on it and fails is checked again soon, before anything is done about it."""

from __future__ import annotations

from forewatch.alerting.alert import SEVERITIES, Alert
from forewatch.alerting.suppression import Suppression, Withheld
from forewatch.clock import micros
from forewatch.incidents.deciding.correlation import graph_of
from forewatch.incidents.deciding.dependencies import SPREADS
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.look_before_acting import own_check
from forewatch.incidents.deciding.passing_check import recovered_lately
from forewatch.incidents.deciding.withheld_alerts import TIMERS_A_SECOND
from forewatch.incidents.outcome import Look

REASONS_AT_ONCE = 100
"""Withheld alerts whose reason is written anew in the decision itself; those behind them get theirs in their review."""


def check_dependants(draft: Draft, over: Alert) -> list[str]:
    """Ask for the checks of what stands on the recovered service and fires, the worst first, a few a second.

    Those withheld because of it are returned, for a review looks by itself; the others, which people know of, are
    probed after them. No check is probed more often than once in its own period: `check-health` sees to that.
    """
    dependants = graph_of(draft.view.config).dependants(over.service) if over.classification in SPREADS else ()
    if not dependants:
        return []
    firing = [alert for alert in draft.view.firing_of(dependants) if alert.classification in SPREADS]
    firing.sort(key=lambda alert: (-SEVERITIES.index(alert.severity), alert.starts_at))
    by = set(draft.view.withheld_by(over.id))
    withheld = [alert for alert in firing if alert.id in by]
    for alert in withheld[:REASONS_AT_ONCE]:
        if own_check(draft.view.config, alert) is not None:
            _say_so(draft, alert, over)
    place = len(by)
    for alert in firing:
        own = own_check(draft.view.config, alert)
        if alert.id not in by and own is not None:
            key = (own.service, own.check, own.instance)
            draft.order(Look(alert.id, "recovery", (key,), draft.now + micros(place / TIMERS_A_SECOND)))
            place += 1
    return [alert.id for alert in withheld]


def _say_so(draft: Draft, alert: Alert, over: Alert) -> None:
    """The reason it is withheld for is another from now on."""
    said = recovered_lately(draft, alert, over, draft.now)
    for one in draft.view.withheld(alert.id):
        reasons = tuple(_instead(reason, over, said) for reason in one.reasons)
        draft.put_withheld(Withheld(alert.id, one.route, one.since, reasons), alert.incident_id)
    draft.because("checked-again", f"{said.text}.", alert.id, alert.incident_id)


def _instead(reason: Suppression, over: Alert, said: Suppression) -> Suppression:
    return said if reason.kind == "dependency" and reason.by == over.id else reason
