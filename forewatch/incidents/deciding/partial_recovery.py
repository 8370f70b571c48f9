"""A service is well again while its incident goes on, for another still fails: who was told of it hears of that.

For half a minute more of them may follow, or the end of the incident itself, which says it all at once.
"""

from __future__ import annotations

from forewatch.alerting.alert import Alert
from forewatch.alerting.flapping import flaps
from forewatch.alerting.notification import Notification
from forewatch.alerting.routing import routes_of
from forewatch.clock import micros
from forewatch.incidents import wording
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.incident_assignment import recovered
from forewatch.incidents.deciding.sending import Post
from forewatch.incidents.incident import Incident
from forewatch.incidents.outcome import CancelTimers, Letter, SetTimer, Unname

TELLS_AFTER = wording.TOGETHER
"""Seconds after the last such recovery."""


def expect_more(draft: Draft, incident: Incident, over: Alert, firing: list[Alert], *, calm: bool = False) -> None:
    """An alert is over and others of its incident fire: look at its service later, where it is well. One that flaps
    does not delay the recovery notice of the others; its own follows once it is `calm`."""
    flapping = not calm and flaps(draft.view.flap(over.fingerprint))
    if not flapping and all(other.service != over.service for other in firing):
        draft.order(CancelTimers(incident.id, "partly-over"))
        draft.order(SetTimer("partly-over", incident.id, draft.now + micros(TELLS_AFTER)))


def tell_what_is_over(draft: Draft, incident_id: str) -> None:
    """Each receiver hears which of the services it was told of are well; what it was told of them is done with."""
    incident = draft.view.incident(incident_id)
    alerts = draft.view.alerts_of(incident_id) if incident is not None and incident.open else []
    firing = [alert for alert in alerts if alert.status == "firing"]
    if incident is None or not firing:
        draft.because("timer-pointless", f"{incident_id} is over: nothing more to say of its services.", incident_id)
        return
    # One that flaps is well for now, and may fail again before anybody has read that it is.
    marks = set(draft.view.flapping_in(incident_id))
    flapping = [alert for alert in alerts if alert.fingerprint in marks]
    ill = {alert.service for alert in (*firing, *flapping)}
    receivers: dict[str, list[Alert]] = {}
    concerned = {
        one.notifier
        for one in draft.view.notifications_of(incident_id)
        if one.state not in ("dead", "merged") and _is_of_any(one, ill, {alert.id for alert in firing})
    }
    # What still fires is theirs by its routes, though it may wait for a remedy or a dependency.
    concerned |= {name for alert in firing for route in routes_of(draft.view.config, alert) for name in route.notify}
    by_id = {alert.id: alert for alert in alerts if alert.severity != "info"}
    for one in draft.view.named_in(incident_id):
        alert = by_id.get(one.alert_id)
        if alert is not None and alert.service in ill:
            concerned.add(one.notifier)
        elif alert is not None:
            receivers.setdefault(one.notifier, []).append(alert)
    for notifier, over in receivers.items():
        well = [alert for alert in over if not alert.ended]
        if well:
            _tell(draft, incident, notifier, well, still_concerned=notifier in concerned)
        for alert in over:
            if alert.ended:
                _tell_unwatched(draft, incident, notifier, alert, still_concerned=notifier in concerned)
    if not receivers:
        draft.because("nothing-new", f"Nobody was notified of what has recovered in {incident_id}.", incident_id)


def _is_of_any(notice: Notification, services: set[str], alert_ids: set[str]) -> bool:
    """Whether it told of these: also a held page that left by itself, which no decision has counted as told."""
    if notice.kind == "failure":
        return notice.content.get("service") in services
    return not alert_ids.isdisjoint(notice.content.get("named", ()))


def _tell(draft: Draft, incident: Incident, notifier: str, over: list[Alert], *, still_concerned: bool) -> None:
    """`still_concerned`: something that fires on is for it as well, so that to it the incident is not over."""
    was = recovered(draft, over)
    if was is not None:
        said = wording.partly_over(incident, was.service, was.title, was.lasted, was.others, update=still_concerned)
        _post(draft, incident, notifier, said, over)


def _tell_unwatched(draft: Draft, incident: Incident, notifier: str, alert: Alert, *, still_concerned: bool) -> None:
    """What fired last and is no longer looked at is not well: its end is told with what ended it."""
    _post(draft, incident, notifier, wording.unwatched(incident, alert, update=still_concerned), [alert])


def _post(draft: Draft, incident: Incident, notifier: str, said: wording.Content, over: list[Alert]) -> None:
    """Have it sent, and forget that the receiver was told of these alerts: it hears anew if they fail anew."""
    said["alerts"] = [wording.shown_alert(alert) for alert in over[: wording.MOST_SHOWN]]
    kind = "update" if said["update"] else "resolved"
    draft.post(Post(Letter(notifier, kind, str(said["severity"]), said, incident.id, None, None, (), draft.now)))
    for alert in over:
        draft.change(Unname(alert.id, notifier))


def tell_who_knew_it_alone(draft: Draft, incident: Incident, left: Alert, rest: list[Alert]) -> None:
    """An alert has left an incident that goes on. Receivers who know of nothing else in it are told it is over."""
    known = {one.notifier for alert in rest for one in draft.view.named(alert.id)}
    for one in draft.view.named(left.id) if left.severity != "info" else ():
        if one.notifier not in known:
            _tell_unwatched(draft, incident, one.notifier, left, still_concerned=False)
