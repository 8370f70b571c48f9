"""What a decision tells people leaves: at once, held for a remedy, or with what else is due to the same receiver.

A decision posts letters while it is taken; at its end each receiver's go out as one notification, or wait for its next
digest (`alerting.digest`). A held page that is released is a letter like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from forewatch.alerting.alert import Alert, worst
from forewatch.alerting.digest import Receiver, ends_wait, leaves_at, sent
from forewatch.alerting.flapping import flaps
from forewatch.alerting.naming import Naming, naming
from forewatch.alerting.notification import Notification
from forewatch.alerting.suppression import Suppression
from forewatch.clock import iso, micros, seconds
from forewatch.incidents import wording
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.flapping import said_of
from forewatch.incidents.deciding.withheld_alerts import suppressions, withhold
from forewatch.incidents.outcome import (
    CancelTimers,
    DropLetters,
    Letter,
    MergeHeld,
    Name,
    Notify,
    PutLetter,
    PutReceiver,
    Release,
    SetTimer,
    Unname,
)
from forewatch.units import format_duration

CALLED = {
    "page": "a page",
    "update": "an update",
    "report": "a report",
    "failure": "a failure notice",
    "resolved": "a recovery notice",
}

LOOKED_AT_AGAIN = 1.0
"""Seconds until an alert is looked at again whose page waited and was withheld then."""


@dataclass(frozen=True)
class Post:
    """A letter that a decision wants sent. `until`: it is held for a run till then. `held`: it was held until now."""

    letter: Letter
    until: int | None = None
    held: Notification | None = None


def hold_due(draft: Draft, incident_id: str) -> None:
    """A hold of an incident is over: what was held so long leaves. It speaks for itself: nobody healed it."""
    due = [one for one in draft.view.held_in(incident_id) if one.not_before <= draft.now]
    left = _name_what_left(draft, incident_id)
    if not due and not left:
        draft.because("timer-pointless", f"Nothing of {incident_id} is held any more: nothing to do.", incident_id)
    for one in due:
        release_one(draft, one, dict(one.content))


def left_by_themselves(draft: Draft, incident_id: str) -> list[Notification]:
    """What was held and has left though nobody decided so in time, where no recovery notice of the incident has gone to
    its receiver since."""
    found: dict[str, list[Notification]] = {}
    for one in sorted(draft.view.notifications_of(incident_id), key=lambda one: one.created_at):
        if one.kind == "resolved" and one.state != "dead":
            found.pop(one.notifier, None)
        elif one.state in ("claimed", "sent", "failed") and one.content.get(wording.HELD):
            found.setdefault(one.notifier, []).append(one)
    return [one for notices in found.values() for one in notices]


def _name_what_left(draft: Draft, incident_id: str) -> bool:
    """What has left by itself is told. Whether there is any."""
    found = False
    for one in left_by_themselves(draft, incident_id):
        alerts = [draft.alert_now(alert_id) for alert_id in one.content.get("named", ())]
        news = tuple(
            naming(alert)
            for alert in alerts
            if alert is not None and all(known.notifier != one.notifier for known in draft.view.named(alert.id))
        )
        if news:
            found = True
            draft.change(Name(one.id, one.notifier, one.kind, news))
            text = f"{one.id}, {CALLED[one.kind]} for {one.notifier}, has left by itself: nobody decided in time."
            draft.because("left-by-itself", text, one.id, incident_id, *(each.alert_id for each in news))
    return found


def release_one(
    draft: Draft,
    held: Notification,
    content: wording.Content,
    *,
    kind: str | None = None,
    incident_id: str | None = None,
) -> None:
    """Post a held notification as what it is, or as another kind with other content, or of another incident."""
    named = () if kind is not None else _still_named(draft, held)
    letter = Letter(
        held.notifier,
        kind or held.kind,
        held.severity,
        {key: value for key, value in content.items() if key != wording.HELD},
        incident_id or held.incident_id,
        held.alert_id,
        held.run_id,
        named,
        draft.now,
    )
    draft.post(Post(letter, held=held))


def _still_named(draft: Draft, held: Notification) -> tuple[Naming, ...]:
    """What fires of what it names, or flaps: its receiver hears of that though it is over for now, and of its end."""
    found = [draft.alert_now(one) for one in held.content.get("named", [])]
    return tuple(
        naming(one)
        for one in found
        if one is not None and (one.status == "firing" or flaps(draft.view.flap(one.fingerprint)))
    )


def digest_due(draft: Draft, notifier: str) -> None:
    """What waited for a receiver leaves, unless it is recoveries alone and more of them are on their way."""
    receiver = draft.view.receiver(notifier) or Receiver(notifier)
    waiting = draft.view.letters(notifier)
    if not waiting:
        draft.because("timer-pointless", f"Nothing waits for {notifier}: nothing to do.")
        return
    ends = [letter.at for letter in waiting if letter.kind == "resolved"]
    settings = draft.view.config.digest
    if (
        len(ends) == len(waiting)
        and draft.view.open_for(notifier)
        and ends_wait(receiver, min(ends), max(ends), draft.now, settings)
    ):
        _wait(draft, receiver, draft.now + micros(settings.within), anew=True)
        draft.because("digest-waits", f"{len(ends)} recoveries for {notifier} wait for others still to come.")
        return
    _leave(draft, receiver, [Post(letter) for letter in waiting], waiting=True)


def send_posted(draft: Draft) -> None:
    """The end of a decision: each receiver's letters leave or wait."""
    by_notifier: dict[str, list[Post]] = {}
    for post in draft.posted():
        if post.until is not None and post.until > draft.now:
            _hold(draft, post)
        else:
            by_notifier.setdefault(post.letter.notifier, []).append(post)
    for notifier, posts in by_notifier.items():
        _send(draft, notifier, posts)


def _send(draft: Draft, notifier: str, posts: list[Post]) -> None:
    receiver = draft.view.receiver(notifier) or Receiver(notifier)
    settings = draft.view.config.digest
    leave = min(leaves_at(receiver, post.letter.kind, post.letter.severity, draft.now, settings) for post in posts)
    if leave <= draft.now:
        waiting = draft.view.letters(notifier) if receiver.due_at is not None else []
        _leave(draft, receiver, [*map(Post, waiting), *posts], waiting=bool(waiting))
        return
    if held := [post.held.id for post in posts if post.held is not None]:
        draft.order(MergeHeld(tuple(held)))
    for post in posts:
        letter = replace(post.letter, at=draft.now)
        draft.change(PutLetter(letter))
        when = min(leave, receiver.due_at if receiver.due_at is not None else leave)
        text = (
            f"{CALLED[letter.kind].capitalize()} for {notifier} goes out with whatever else is due to it by {iso(when)}"
        )
        why = wording.joined(text, letter.content["reason"])
        draft.because(f"{letter.kind}-bundled", why, letter.alert_id, letter.incident_id, letter.run_id)
        draft.log(letter.incident_id, letter.kind, wording.sentence(text))
    if receiver.due_at is None or leave < receiver.due_at:
        _wait(draft, receiver, leave, anew=receiver.due_at is not None)


def _wait(draft: Draft, receiver: Receiver, until: int, *, anew: bool) -> None:
    if anew:
        draft.order(CancelTimers(receiver.notifier, "digest"))
    draft.change(PutReceiver(replace(receiver, due_at=until)))
    draft.order(SetTimer("digest", receiver.notifier, until))


def _leave(draft: Draft, receiver: Receiver, posts: list[Post], *, waiting: bool) -> None:
    """Everything for a receiver leaves now, as one notification."""
    if waiting:
        draft.change(DropLetters(receiver.notifier))
        draft.order(CancelTimers(receiver.notifier, "digest"))
    posts = _as_it_is_now(draft, posts)
    if not posts:
        draft.change(PutReceiver(replace(receiver, due_at=None)))
        return
    letters = [post.letter for post in posts]
    letter = letters[0] if len(letters) == 1 else _digest(draft, letters)
    held = [post.held for post in posts if post.held is not None]
    # A held page keeps its id where what leaves is of its incident.
    released = next((one for one in held if one.incident_id == letter.incident_id), None)
    merged = tuple(one.id for one in held if one is not released)
    if merged:
        draft.order(MergeHeld(merged))
    if released is not None:
        notice_id = released.id
        draft.order(Release(released.id, letter.notifier, letter.kind, _listing(letter), letter.named))
    else:
        notice_id = draft.view.new_id("NT")
        draft.order(_notify(notice_id, letter, draft.now))
    if draft.view.config.digest.within:
        incidents = len({one.incident_id for one in letters})
        draft.change(PutReceiver(sent(receiver, letter.kind, letter.severity, draft.now, incidents=incidents)))
    healed = released is not None and letter.kind == "report" and len(letters) == 1
    _say(draft, notice_id, letter, letters, merged, healed=healed)


def _say(
    draft: Draft, notice_id: str, letter: Letter, letters: Sequence[Letter], merged: Sequence[str], *, healed: bool
) -> None:
    """The reason for what left, and its line on the timeline of each incident it is of."""
    what = CALLED[letter.kind]
    if healed:
        text = f"Nobody needs to be paged any more, {notice_id} became {what}"
        code, why = "page-became-report", wording.sentence(f"{text}: {letter.content['reason']}")
    else:
        text = f"{notice_id}, {what}, goes to {letter.notifier} now"
        code, why = f"{letter.kind}-due", wording.joined(f"{text} ({letter.severity})", letter.content["reason"])
    subjects = dict.fromkeys(
        one for each in letters for one in (each.alert_id, each.incident_id, each.run_id) if one is not None
    )
    draft.because(code, why, notice_id, *merged, *subjects)
    for incident_id in dict.fromkeys(each.incident_id for each in letters):
        draft.log(incident_id, letter.kind, wording.sentence(text), notification=notice_id)


def _hold(draft: Draft, post: Post) -> None:
    letter, until = post.letter, post.until or draft.now
    notice_id = draft.view.new_id("NT")
    notice = _notify(notice_id, letter, draft.now)
    draft.order(replace(notice, held=True, not_before=until, content={**notice.content, wording.HELD: True}))
    draft.hold_until(letter.incident_id, until)
    left = format_duration(seconds(until - draft.now))
    text = f"{notice_id}, {CALLED[letter.kind]} for {letter.notifier}, waits {left} for {letter.run_id or 'a remedy'}"
    why = wording.joined(f"{text} ({letter.severity})", letter.content["reason"])
    draft.because(f"{letter.kind}-held", why, notice_id, letter.alert_id, letter.incident_id, letter.run_id)
    draft.log(letter.incident_id, letter.kind, wording.sentence(text), notification=notice_id)


def _notify(notice_id: str, letter: Letter, now: int) -> Notify:
    return Notify(
        id=notice_id,
        kind=letter.kind,
        severity=letter.severity,
        notifier=letter.notifier,
        not_before=now,
        held=False,
        content=_listing(letter),
        incident_id=letter.incident_id,
        alert_id=letter.alert_id,
        run_id=letter.run_id,
        named=letter.named,
    )


def _listing(letter: Letter) -> wording.Content:
    return {**letter.content, "named": [one.alert_id for one in letter.named]}


def _as_it_is_now(draft: Draft, posts: list[Post]) -> list[Post]:
    """What waited may be over: then it is told as that, and once. What something speaks against by now, as a dependency
    that fails and was told, is withheld."""
    over: set[str | None] = set()
    kept = []
    for post in posts:
        letter = post.letter
        waited = letter.at < draft.now or post.held is not None
        alert = draft.alert_now(letter.alert_id) if letter.alert_id is not None and waited else None
        if alert is None or letter.kind not in ("page", "update"):
            kept.append(post)
        elif alert.status != "firing" and flaps(draft.view.flap(alert.fingerprint)):
            # That it flaps is for people all the same, and may be news to them.
            kept.append(replace(post, letter=replace(letter, content=_flapping(draft, letter))))
        elif alert.status != "firing":
            over.add(letter.incident_id)
            kept.append(replace(post, letter=_told_late(letter, alert)))
        elif not (reasons := suppressions(draft, alert)):
            services = draft.view.services_in(letter.incident_id) if letter.incident_id is not None else 1
            content = wording.brought_up_to_date(letter.content, alert, services)
            kept.append(replace(post, letter=replace(letter, content=content)))
        else:
            _take_back_naming(draft, letter, alert)
            if post.held is not None:
                draft.order(MergeHeld((post.held.id,)))
            why = "; ".join(reason.text for reason in reasons)
            text = f"{CALLED[letter.kind].capitalize()} for {letter.notifier} that waited is not sent: {why}."
            draft.because("withheld-meanwhile", text, alert.id, letter.incident_id)
            draft.once(("withhold", alert.id), partial(_withheld_after_all, draft, alert, reasons))
    # Who had not heard of the trouble needs no second line that says it is over.
    ended = [post for post in kept if post.letter.kind == "resolved" and post.letter.incident_id in over]
    return [post for post in kept if post not in ended or _told_before(draft, post.letter)]


def _take_back_naming(draft: Draft, letter: Letter, alert: Alert) -> None:
    """A letter is not sent: what it names is not told by it. Who was told of the alert before, as when it was less
    severe, is to hear of its end all the same."""
    if all(one.alert_id != alert.id for one in letter.named):
        return
    known = next((one for one in draft.view.named(alert.id) if one.notifier == letter.notifier), None)
    before = draft.view.notification(known.notification_id) if known is not None and known.notification_id else None
    if before is None:
        draft.change(Unname(alert.id, letter.notifier))
    else:
        told = replace(naming(alert), severity=wording.severity_of(before.severity))
        draft.change(Name(before.id, letter.notifier, before.kind, (told,)))


def _flapping(draft: Draft, letter: Letter) -> wording.Content:
    """What was to be told of an alert that is over for now and flaps, with that."""
    title, text = str(letter.content["title"]), str(letter.content.get("text", ""))
    said = text if "is flapping" in text else wording.joined(said_of(draft), text)
    return {**letter.content, "title": f"{title} (over for now, but flapping)", "text": said}


def _withheld_after_all(draft: Draft, alert: Alert, reasons: tuple[Suppression, ...]) -> None:
    withhold(draft, alert, "", reasons)
    # What explains it may be withheld in this very decision.
    draft.order(SetTimer("review", alert.id, draft.now + micros(LOOKED_AT_AGAIN)))


def _told_before(draft: Draft, letter: Letter) -> bool:
    return letter.incident_id is not None and draft.view.told_before(letter.incident_id, letter.notifier)


def _told_late(letter: Letter, alert: Alert) -> Letter:
    said = wording.was_down(alert, letter.content)
    return replace(letter, kind="report", content=said, named=())


def _over(draft: Draft, letters: Sequence[Letter], most: int) -> list[Alert]:
    """The alerts of incidents that are over, for receivers that keep count of them."""
    found: list[Alert] = []
    for letter in letters:
        over = letter.kind == "resolved" and letter.content.get("ended") != wording.NOT_YOURS
        if over and letter.incident_id is not None and len(found) < most:
            # Some of them end by this very decision; what fires on in an incident that a person has closed is not over.
            now = [draft.alert_now(one.id) or one for one in draft.view.alerts_of(letter.incident_id)]
            found += [one for one in now if one.status != "firing"]
    return found[: max(0, most)]


def _digest(draft: Draft, letters: Sequence[Letter]) -> Letter:
    """One letter of several: of an incident where they are all of it, else of none."""
    kinds = [letter.kind for letter in letters]
    kind = next((one for one in ("page", "failure", "update", "report") if one in kinds), "resolved")
    told = [letter for letter in letters if letter.kind == kind] if kind == "page" else letters
    severity = worst([wording.severity_of(letter.severity) for letter in told])
    incidents = list(dict.fromkeys(letter.incident_id for letter in letters if letter.incident_id is not None))
    named = tuple(dict.fromkeys(one for letter in letters for one in letter.named))
    shown = [draft.alert_now(one.alert_id) for one in named[: wording.MOST_SHOWN]]
    over = _over(draft, letters, wording.MOST_SHOWN - len(shown))
    content = wording.of_digest(letters, kind, severity, incidents, [*(one for one in shown if one), *over])
    alone = incidents[0] if len(incidents) == 1 else None
    runs = {letter.run_id for letter in letters}
    run = next(iter(runs)) if len(runs) == 1 else None
    return Letter(letters[0].notifier, kind, severity, content, alone, None, run, named, draft.now)
