"""What follows from an alert that fires: a remedy where one may act, and word to the people its routes name.

reasons not to tell ─ remedy ─ each route: its group's next tick, or a page of the incident now
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forewatch.alerting.alert import Alert
from forewatch.alerting.routing import Route, routes_of
from forewatch.alerting.suppression import Suppression, Withheld
from forewatch.incidents import telling
from forewatch.incidents.deciding.automation import Answer, hold_back, send_remedy
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.groups import join_group
from forewatch.incidents.deciding.paging import tell_of_trouble
from forewatch.incidents.deciding.withholding import (
    holds_automation,
    route_suppressions,
    suppressions,
    withhold,
)
from forewatch.incidents.incident import Incident
from forewatch.remedy.verdict import Refused


def announce(
    draft: Draft,
    incident: Incident,
    alert: Alert,
    values: Mapping[str, Any],
    *,
    opens: bool = False,
    flapping: str = "",
    afresh: bool = False,
) -> None:
    """Answer a firing alert. `opens`: it opens the incident; `flapping`: a sentence, where it is told for the last time
    because it flaps from now on; `afresh`: tell those too who know of the incident."""
    reasons = suppressions(draft, alert)
    if opens:
        # Of a new incident people hear, however often the alert came before.
        reasons = tuple(reason for reason in reasons if reason.kind != "flapping")
    answer = _answer(draft, alert, reasons)
    now_open = _spread(draft, alert, reasons)
    if now_open:
        runbook = answer.run.runbook if answer.run is not None else None
        said = telling.trouble(alert, incident.id, values, telling.joined(flapping, answer.said), runbook)
        tell_of_trouble(
            draft,
            incident,
            alert,
            now_open,
            said,
            run=answer.run,
            covered=answer.covered,
            afresh=afresh or bool(flapping),
        )


def reroute(draft: Draft, alert_id: str) -> None:
    """Its routes are not those it had when it fired: who is on the new ones hears of it too.

    What a remedy can do about it was decided then.
    """
    alert = draft.view.alert(alert_id)
    if alert is None or alert.status != "firing":
        draft.because("timer-pointless", f"{alert_id} is over: it needs no routes any more.", alert_id)
        return
    now_open = _spread(draft, alert, suppressions(draft, alert))
    incident = draft.view.incident(alert.incident_id) if alert.incident_id is not None else None
    if now_open and incident is not None and incident.open:
        why = "Other routes lead to those who hear of it than when it fired."
        said = telling.trouble(alert, incident.id, {}, why, None)
        tell_of_trouble(draft, incident, alert, now_open, said)


def review(draft: Draft, alert_id: str) -> None:
    """Look again at an alert nobody was told of: what spoke against it may be over. Then people hear of it afresh."""
    alert = draft.view.alert(alert_id)
    incident = draft.view.incident(alert.incident_id) if alert is not None and alert.incident_id is not None else None
    before = draft.view.withheld(alert_id)
    if alert is None or alert.status != "firing" or incident is None or not incident.open or not before:
        draft.because("timer-pointless", f"{alert_id} is over or withheld no more: nothing to look at again.", alert_id)
        return
    reasons = suppressions(draft, alert)
    were = next((one for one in before if one.route == ""), None)
    if reasons:
        withhold(draft, alert, "", reasons)
        return
    freed = []
    if were is not None:
        draft.put_withheld(Withheld(alert.id, "", draft.now, ()), incident.id)
    held = {one.route for one in before}
    for route in routes_of(draft.view.config, alert):
        if route.group_by is None and (were is not None or route.name in held) and not _closed(draft, route, alert):
            if route.name in held:
                draft.put_withheld(Withheld(alert.id, route.name, draft.now, ()), incident.id)
            freed.append(route)
    if not freed:
        draft.because("nothing-new", f"{alert.id} is withheld no more where it was.", alert.id, incident.id)
        return
    ended = "; ".join(dict.fromkeys(reason.text for one in before for reason in one.reasons))
    answer = Answer(None, "")
    if were is not None and holds_automation(were.reasons) is not None:
        answer = send_remedy(draft, alert)
    why = telling.sentence(f"It fires still, and this is over: {ended}")
    draft.because("withheld-no-more", why, alert.id, incident.id)
    said = telling.trouble(
        alert,
        incident.id,
        {},
        telling.joined(why, answer.said),
        answer.run.runbook if answer.run is not None else None,
    )
    tell_of_trouble(draft, incident, alert, freed, said, run=answer.run, covered=answer.covered, afresh=True)


def _spread(draft: Draft, alert: Alert, reasons: tuple[Suppression, ...]) -> list[Route]:
    """Have its groups tell of it, or withhold it; the routes that tell of its incident now are returned."""
    if reasons:
        withhold(draft, alert, "", reasons)
    now_open = []
    for route in routes_of(draft.view.config, alert):
        if route.group_by is not None:
            join_group(draft, route, alert)
        elif not reasons and not _closed(draft, route, alert):
            now_open.append(route)
    return now_open


def _answer(draft: Draft, alert: Alert, reasons: tuple[Suppression, ...]) -> Answer:
    held_back = holds_automation(reasons)
    if held_back is not None:
        return Answer(None, hold_back(draft, alert, Refused(held_back.kind, held_back.text)))
    return send_remedy(draft, alert)


def _closed(draft: Draft, route: Route, alert: Alert) -> bool:
    """Whether the route tells nobody now by the calendar; then it is withheld there."""
    reasons = route_suppressions(draft.view.config, route, draft.now)
    if reasons:
        withhold(draft, alert, route.name, reasons)
    return bool(reasons)
