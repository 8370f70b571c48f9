"""A refused remedy is asked again: its reason has ended, automation was resumed, or the configuration is another. And
what one in shadow would have done."""

from __future__ import annotations

from forewatch.alerting.alert import SEVERITIES, Alert
from forewatch.clock import micros
from forewatch.incidents import wording
from forewatch.incidents.deciding.automation import hold_back, release_unattended, send_remedy
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.look_before_acting import Seen
from forewatch.incidents.deciding.paging import release
from forewatch.incidents.deciding.passing_check import passed_meanwhile
from forewatch.incidents.deciding.remedy_wait import IN_LINE, ask_later, end_waiting, forget_waiting, next_in_line
from forewatch.incidents.deciding.withheld_alerts import CONFIGURATION_READ_WITHIN, held_back_from_acting, one_by_one
from forewatch.incidents.events import AutomationResumed, RemediesChanged, ShadowRehearsed
from forewatch.incidents.incident import Incident
from forewatch.incidents.outcome import CancelTimers, SetTimer
from forewatch.remedy.may_act import AUTOMATION
from forewatch.remedy.wait import Wait


def ask_again(draft: Draft, alert_id: str, seen: Seen) -> None:
    """The reason of a refusal may be over: the same questions again, as long as the alert fires and nobody has it."""
    alert = draft.view.alert(alert_id)
    incident = draft.view.incident(alert.incident_id) if alert is not None and alert.incident_id is not None else None
    waits = draft.view.waits(alert_id)
    wait = next((one for one in waits if one.active), None)
    if alert is None or alert.status != "firing" or incident is None or not incident.open:
        draft.because("timer-pointless", f"{alert_id} is over: its remedy is not asked again.", alert_id)
        if alert is not None:
            # Also of one that fires on in an incident closed by hand: in line for ever, it would be next for ever.
            forget_waiting(draft, alert)
    elif incident.status == "acknowledged":
        end_waiting(draft, alert)
        who = f"{incident.acknowledged_by} has {incident.id} in hand"
        draft.because("acknowledged", f"{who}, so the remedy of {alert_id} is not asked again.", alert_id, incident.id)
        release_unattended(draft, incident, because=f"{who}, so no remedy acts.", refused=alert_id)
    elif _asked(draft, alert, incident, wait, seen):
        return  # what comes of it decides who is next
    if wait is not None and wait.by == AUTOMATION:
        next_in_line(draft, but=[alert_id])


def _asked(draft: Draft, alert: Alert, incident: Incident, wait: Wait | None, seen: Seen) -> bool:
    """Ask the remedy. Whether a run was sent."""
    passing = passed_meanwhile(draft, alert, seen)
    if passing is not None and passing.holds_until is not None and passing.holds_until > draft.now:
        hold_back(draft, alert, passing)
        ask_later(draft, alert, passing)
        return False
    end_waiting(draft, alert)
    held_back = held_back_from_acting(draft, alert)
    if held_back is not None:
        # A review comes when that ends.
        said = hold_back(draft, alert, held_back)
        release_unattended(draft, incident, because=said, refused=alert.id)
        return False
    answer = send_remedy(draft, alert, seen=seen)
    if answer.run is None and answer.holds_until is None:
        release_unattended(draft, incident, because=answer.said, refused=alert.id)
    elif answer.run is not None and wait is not None and wait.kind == "passed-meanwhile":
        # It was waited for once, and it failed again: people are notified now, not after another wait.
        release(draft, incident, f"Its check failed again. {answer.said}", alert.id)
    return answer.run is not None and not answer.covered


def shadow_rehearsed(draft: Draft, event: ShadowRehearsed) -> None:
    """What a remedy in shadow would have done, now that it was looked at whether it could."""
    alert = draft.view.alert(event.alert_id)
    if event.problems:
        code, text = "shadow-could-not", f"{event.runbook} could not have run: {'; '.join(event.problems)}"
    else:
        code, text = "shadow-could", f"{event.runbook} could have run ({', '.join(event.found)})"
    text = wording.sentence(f"In shadow: {text}")
    incident_id = alert.incident_id if alert is not None else None
    draft.because(code, text, event.alert_id, incident_id)
    draft.log(incident_id, "automation", text, alert=event.alert_id)


def automation_resumed(draft: Draft, event: AutomationResumed) -> None:
    """What was refused meanwhile is asked again, one at a time, the worst first."""
    alerts = [draft.view.alert(alert_id) for alert_id in draft.view.waits_by(AUTOMATION)]
    firing = [alert for alert in alerts if alert is not None and alert.status == "firing"]
    firing.sort(key=lambda alert: (-SEVERITIES.index(alert.severity), alert.starts_at))
    for place, alert in enumerate(firing):
        # The end of the one before brings the next; its place in line is for the case that it has none.
        due_at = draft.now + micros(IN_LINE * place)
        draft.order(CancelTimers(alert.id, "remedy"), SetTimer("remedy", alert.id, due_at))
    text = f"{event.actor} lets automation act again: {len(firing)} refused remedies are asked again, one at a time."
    draft.because("automation-resumed", text, *(alert.id for alert in firing))


def remedies_changed(draft: Draft, event: RemediesChanged) -> None:
    """Configuration `version` has other remedies for some services: they are asked for what fires there now."""
    firing = draft.view.firing_of(event.services)
    busy = {run.alert_id for run in draft.view.runs_at_work(event.services)}
    asked = [alert.id for alert in firing if alert.id not in busy and alert.incident_id is not None]
    for alert_id in asked:
        draft.order(CancelTimers(alert_id, "remedy"))
    draft.order(*one_by_one(draft, "remedy", asked, after=CONFIGURATION_READ_WITHIN))
    services = ", ".join(event.services)
    text = f"Configuration {event.version} has other remedies for {services}: {len(asked)} alerts are asked again."
    draft.because("remedies-changed", text, *asked)
