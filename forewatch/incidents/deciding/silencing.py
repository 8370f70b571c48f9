"""The life of a silence: set, about to end, ended; and what it leaves to be told."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from forewatch.alerting.alert import Alert
from forewatch.alerting.classification import labels_for_routing
from forewatch.alerting.matchers import matches
from forewatch.alerting.routing import routes_of
from forewatch.alerting.silence import Silence, over_at, silence_from_json, state_of
from forewatch.clock import iso, micros, seconds
from forewatch.errors import NotFound
from forewatch.incidents import wording
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.paging import tell_of_silence
from forewatch.incidents.deciding.withheld_alerts import look_again, silenced_by, withhold
from forewatch.incidents.events import SilenceExpired, SilenceSet
from forewatch.incidents.outcome import CancelTimers, PutSilence, SetTimer
from forewatch.units import format_duration

WARN_BEFORE = 900.0
"""Seconds before its end that the author of a silence is warned, or a tenth of its life where that is less."""
WORTH_A_WARNING = 600.0
"""Seconds; a shorter silence ends before anybody could act on a warning."""
MOST_SHOWN = 10
COVERED_AT_ONCE = 500
"""Alerts that fire already which one decision withholds; the next ones follow a second later."""


def silence_set(draft: Draft, event: SilenceSet) -> None:
    """A silence is made, or takes the place of another. What fires already is withheld from now on as well."""
    silence = silence_from_json(event.silence)
    if event.replaces is not None:
        _end_now(draft, event.replaces, f"{event.actor} put {silence.id} in its place")
    draft.change(PutSilence(silence))
    draft.order(CancelTimers(silence.id))
    shown = ", ".join(map(str, silence.matchers))
    text = (
        f"{event.actor} silences {shown} from {iso(silence.starts_at)} to {iso(silence.ends_at)} as {silence.id}: "
        f"{silence.comment}"
    )
    draft.because("silence-set", wording.sentence(text), silence.id)
    for kind in ("silence-start", "silence-warning", "silence-end"):
        due_at = _due_at(silence, kind)
        if due_at is not None and due_at > draft.now:
            draft.order(SetTimer(kind, silence.id, due_at))
    look_again(draft, silence.id)
    if state_of(silence, draft.now) == "active":
        _cover(draft, silence)


def silence_expired(draft: Draft, event: SilenceExpired) -> None:
    """A person ends a silence. Raises NotFound."""
    if draft.view.silence(event.silence_id) is None:
        raise NotFound(f"there is no silence {event.silence_id} (forewatch silences list shows them)")
    _end_now(draft, event.silence_id, f"{event.actor} ended it")


def silence_due(draft: Draft, kind: str, silence_id: str) -> None:
    """A silence begins, is about to end, or has ended."""
    silence = draft.view.silence(silence_id)
    if silence is None:
        draft.because("timer-pointless", f"There is no silence {silence_id} any more.", silence_id)
        return
    state = state_of(silence, draft.now)
    match kind, state:
        case "silence-start", "active":
            draft.because("silence-begins", f"{silence_id} begins to hide what it matches.", silence_id)
            _cover(draft, silence)
        case "silence-warning", "active":
            _warn(draft, silence)
        case "silence-end", "expired":
            _report_end(draft, silence)
            look_again(draft, silence_id)
        case _:
            draft.because("timer-pointless", f"{silence_id} is {state}: its {kind} is not now.", silence_id)
            # The clock was set back: timers come early then, and what this one waits for is still to come.
            due_at = _due_at(silence, kind)
            if due_at is not None and due_at > draft.now:
                draft.order(SetTimer(kind, silence_id, due_at))


def _due_at(silence: Silence, kind: str) -> int | None:
    """When the timer of a kind is due; None where the silence is too short for it."""
    match kind:
        case "silence-start":
            return silence.starts_at
        case "silence-warning":
            length = seconds(silence.ends_at - silence.starts_at)
            return silence.ends_at - micros(min(WARN_BEFORE, length / 10)) if length >= WORTH_A_WARNING else None
        case _:
            return over_at(silence)


def _end_now(draft: Draft, silence_id: str, because: str) -> None:
    silence = draft.view.silence(silence_id)
    if silence is None or state_of(silence, draft.now) == "expired":
        draft.because("silence-over", f"{silence_id} is over already.", silence_id)
        return
    # One that has not begun never will; the last instant of an active one is the one before now.
    ends_at = draft.now - 1
    ended = replace(silence, starts_at=min(silence.starts_at, ends_at), ends_at=ends_at, updated_at=draft.now)
    draft.change(PutSilence(ended))
    draft.order(CancelTimers(silence_id))
    draft.because("silence-ended", wording.sentence(f"{silence_id} ends now: {because}"), silence_id)
    _report_end(draft, ended)
    look_again(draft, silence_id)


def _cover(draft: Draft, silence: Silence) -> None:
    """Withhold what fires already, so that people hear of it afresh if it still does in the end."""
    wanted = {one.name: one.value for one in silence.matchers if one.operator == "=" and one.value}
    reason = silenced_by(silence)
    covered = set(draft.view.withheld_by(silence.id))
    fresh = (
        alert
        for alert in draft.view.firing_where(wanted)
        if alert.id not in covered and matches(silence.matchers, labels_for_routing(alert))
    )
    for alert in islice(fresh, COVERED_AT_ONCE):
        before = next((one.reasons for one in draft.view.withheld(alert.id) if one.route == ""), ())
        withhold(draft, alert, "", (*before, reason))
    if next(fresh, None) is not None:
        # No decision takes so long that a page has to wait for it.
        draft.order(SetTimer("silence-start", silence.id, draft.now + micros(1)))


def _warn(draft: Draft, silence: Silence) -> None:
    hidden = _hidden(draft, silence)
    left = format_duration(round(seconds(silence.ends_at - draft.now)))
    if not hidden:
        draft.because("silence-hides-nothing", f"{silence.id} ends in {left} and hides nothing now.", silence.id)
        return
    shown = ", ".join(wording.named(alert) for alert in hidden[:MOST_SHOWN])
    more = f" and {len(hidden) - MOST_SHOWN} more" if len(hidden) > MOST_SHOWN else ""
    title = f"A silence by {silence.created_by} ends in {left}: {silence.comment}"
    reason = f"It hides {shown}{more}, which will notify people again if still firing then"
    _tell(draft, silence, hidden, title, reason)


def _report_end(draft: Draft, silence: Silence) -> None:
    incidents = draft.view.hidden_by(silence.id)
    if incidents:
        text = f"{silence.id} is over; it hid alerts of {', '.join(incidents)}."
        draft.because("silence-hid", text, silence.id, *incidents)
        for incident_id in incidents:
            draft.log(incident_id, "withheld", text)
    else:
        draft.because("silence-unused", f"{silence.id} is over and has hidden nothing.", silence.id)


def _hidden(draft: Draft, silence: Silence) -> list[Alert]:
    found = (draft.view.alert(alert_id) for alert_id in draft.view.withheld_by(silence.id))
    return [alert for alert in found if alert is not None and alert.status == "firing"]


def _tell(draft: Draft, silence: Silence, hidden: list[Alert], title: str, reason: str) -> None:
    """The author, where a notifier goes by that name; else those who would hear of what is hidden."""
    config = draft.view.config
    if config.notifier(silence.created_by) is not None:
        notifiers = [silence.created_by]
    else:
        notifiers = [name for alert in hidden for route in routes_of(config, alert) for name in route.notify]
    ends = iso(silence.ends_at)[11:19]
    said = wording.content(
        title=title,
        text=wording.joined(
            f"It hides {wording.summaries(hidden)}",
            f"People are notified again at {ends} UTC of whatever still fires (silence {silence.id})",
        ),
        severity="info",
        service=None,
        reason=reason,
    )
    tell_of_silence(draft, silence.id, notifiers, said)
