"""The memory of decisions without a store, and a world in which things happen to it.

`MemoryView.apply` keeps the promises the store keeps (compare-and-set, one open incident a group, one firing episode a
fingerprint), so a decision that would break one fails the test that made it.
"""

from dataclasses import dataclass, replace

from forewatch.alerting.alert import at_least
from forewatch.alerting.classification import labels_for_routing
from forewatch.alerting.naming import Heard, Named
from forewatch.alerting.notification import Notification
from forewatch.alerting.silence import SilenceIndex
from forewatch.clock import MICROSECONDS, micros
from forewatch.config.models import Config
from forewatch.incidents.decide import decide
from forewatch.incidents.events import (
    Acknowledged,
    AlertCleared,
    AlertRaised,
    Noted,
    ResolvedByHand,
    RunActed,
    RunFailed,
    RunRequested,
    RunStarting,
    TimerDue,
    from_json,
)
from forewatch.incidents.outcome import (
    AddChange,
    AddEntry,
    AddMember,
    CancelTimers,
    Dispatch,
    DropFlap,
    DropGroup,
    DropLetters,
    DropMembers,
    DropWaits,
    EndWaits,
    ForgetNamed,
    Look,
    MergeHeld,
    MoveNotices,
    Name,
    Notify,
    PutAlert,
    PutFlap,
    PutGroup,
    PutIncident,
    PutLetter,
    PutNotice,
    PutReceiver,
    PutRun,
    PutSilence,
    PutWait,
    PutWithheld,
    RecordSent,
    RefreshAlerts,
    Release,
    SetTimer,
    Unname,
)
from forewatch.remedy.run import UNDER_WAY

NINE_O_CLOCK = 1_793_696_400 * MICROSECONDS


@dataclass(frozen=True)
class Timer:
    id: int
    kind: str
    subject: str
    due_at: int


class MemoryView:
    def __init__(self, config):
        self.config = config
        self.alerts, self.incidents, self.runs, self.outbox = {}, {}, {}, {}
        self.timeline, self.timers, self.reasons, self.changes = [], [], [], []
        self.silences, self.held_back, self.hidden, self.flaps = {}, {}, {}, {}
        self.groups, self.group_members, self.notices = {}, {}, {}
        self.namings, self.letter_box, self.receivers = {}, {}, {}
        self.waiting, self.looks = {}, []
        self.stopped = self.down = None
        self._ids = {}
        self._timers_set = 0

    def new_id(self, prefix):
        self._ids[prefix] = self._ids.get(prefix, 0) + 1
        return f"{prefix}-{self._ids[prefix]}"

    def firing_alert(self, fingerprint):
        found = (a for a in self.alerts.values() if a.fingerprint == fingerprint and a.status == "firing")
        return next(found, None)

    def alert(self, alert_id):
        return self.alerts.get(alert_id)

    def alerts_of(self, incident_id):
        return [alert for alert in self.alerts.values() if alert.incident_id == incident_id]

    def over_lately(self, incident_id, since, most):
        lately = [one for one in self.alerts_of(incident_id) if one.status == "firing" or one.updated_at >= since]
        return sorted(lately, key=lambda one: (one.starts_at, one.id))[-most:]

    def firing_in(self, incident_id, most=None):
        return [alert for alert in self.alerts_of(incident_id) if alert.status == "firing"][:most]

    def alert_last(self, fingerprint):
        found = [alert for alert in self.alerts.values() if alert.fingerprint == fingerprint]
        return found[-1] if found else None

    def firing_of(self, services):
        return [alert for alert in self.alerts.values() if alert.status == "firing" and alert.service in services]

    def firing_where(self, equal):
        for alert in list(self.alerts.values()):
            labels = labels_for_routing(alert)
            if alert.status == "firing" and all(labels.get(name, "") == value for name, value in equal.items()):
                yield alert

    def open_incidents_with(self, services):
        last = {}
        for alert in self.alerts.values():
            incident = self.incidents.get(alert.incident_id)
            if incident is not None and incident.open and alert.service in services:
                key = (incident.id, alert.service)
                last[key] = max(last.get(key, 0), alert.starts_at)
        found = [(self.incidents[incident_id], service, at) for (incident_id, service), at in last.items()]
        return sorted(found, key=lambda each: (each[0].opened_at, each[0].id))

    def open_incidents_keyed(self, key, service):
        began = {incident.id: at for incident, _, at in self.open_incidents_with([service])}
        found = [one for one in self.incidents.values() if one.open and f"{one.group_key}/".startswith(f"{key}/")]
        return [(one, began.get(one.id, 0)) for one in sorted(found, key=lambda each: (each.opened_at, each.id))]

    def linked(self, services, since):
        found = []
        for alert in self.alerts.values():
            incident = self.incidents.get(alert.incident_id)
            lively = alert.status == "firing" or alert.updated_at >= since
            if incident is not None and incident.open and alert.service in services and lively:
                found.append((incident, alert.service))
        return sorted(dict.fromkeys(found), key=lambda each: (each[0].opened_at, each[0].id))

    def names_lately(self, source, since):
        return len(
            {
                alert.name
                for incident in self.incidents.values()
                for alert in self.alerts_of(incident.id)
                if ":{alertname=" in incident.group_key and incident.opened_at >= since and alert.source == source
            }
        )

    def fires_in(self, incident_id, service):
        return any(one.service == service for one in self.firing_in(incident_id))

    def services_in(self, incident_id):
        return len({alert.service for alert in self.firing_in(incident_id)})

    def named(self, alert_id):
        return [one for (of, _), (one, _) in sorted(self.namings.items()) if of == alert_id]

    def named_in(self, incident_id):
        alerts = sorted(self.alerts_of(incident_id), key=lambda alert: (alert.starts_at, alert.id))
        return [one for alert in alerts for one in self.named(alert.id)]

    def heard(self, incident_id, alert, since=0):
        found = {}
        for (alert_id, notifier), (one, name) in self.namings.items():
            other = self.alerts[alert_id]
            if other.incident_id != incident_id or other.id == alert.id or one.at < since:
                continue
            before = found.get(notifier, Heard("info", False, False, False))
            service = other.service == alert.service
            alike = service and name == alert.name and other.classification == alert.classification
            found[notifier] = Heard(
                before.worst if at_least(before.worst, one.severity) else one.severity,
                before.service or service,
                before.kind or (alike and one.severity == "critical"),
                before.episode or other.fingerprint == alert.fingerprint,
                max(before.paged_at, one.at if one.paged else 0),
            )
        return found

    def told_of(self, incident_id):
        of = {alert.id for alert in self.alerts_of(incident_id)}
        found = [one for one, _ in self.namings.values() if one.alert_id in of and one.severity != "info"]
        return list(dict.fromkeys(one.notifier for one in sorted(found, key=lambda one: one.at)))

    def told_before(self, incident_id, notifier):
        of = {alert.id for alert in self.alerts_of(incident_id)}
        return any(
            one.alert_id in of and one.notifier == notifier and one.notification_id and one.severity != "info"
            for one, _ in self.namings.values()
        )

    def open_for(self, notifier):
        told = [self.alerts[one.alert_id] for one, _ in self.namings.values() if one.notifier == notifier]
        return any(alert.status == "firing" and self.incidents[alert.incident_id].open for alert in told)

    def held_in(self, incident_id):
        return [one for one in self.notifications_of(incident_id) if one.state == "held"]

    def notification(self, notification_id):
        return self.outbox.get(notification_id)

    def receiver(self, notifier):
        return self.receivers.get(notifier)

    def letters(self, notifier):
        return list(self.letter_box.get(notifier, ()))

    def silences_on(self, labels, now):
        return SilenceIndex(self.silences.values()).matching(labels, now)

    def silence(self, silence_id):
        return self.silences.get(silence_id)

    def withheld(self, alert_id):
        return [one for (of, _), one in sorted(self.held_back.items()) if of == alert_id]

    def withheld_by(self, subject):
        found = {of for (of, _), one in self.held_back.items() if any(reason.by == subject for reason in one.reasons)}
        return sorted(found)

    def hidden_by(self, silence_id):
        return sorted(self.hidden.get(silence_id, ()))

    def group(self, key):
        return self.groups.get(key)

    def groups_of(self, alert_id):
        return [self.groups[key] for key, ids in self.group_members.items() if alert_id in ids]

    def members(self, group):
        return [self.alerts[alert_id] for alert_id in self.group_members.get(group, ())]

    def withheld_in(self, group):
        found = {alert.id: self.withheld(alert.id) for alert in self.members(group)}
        return {alert_id: withheld for alert_id, withheld in found.items() if withheld}

    def flaps_in(self, group):
        marks = {alert.fingerprint for alert in self.members(group)}
        return {mark: flap for mark, flap in self.flaps.items() if mark in marks and flap.flapping_since is not None}

    def flapping_in(self, incident_id):
        marks = {alert.fingerprint for alert in self.alerts_of(incident_id)}
        return [mark for mark, flap in self.flaps.items() if mark in marks and flap.flapping_since is not None]

    def last_notice(self, group, notifier):
        return self.notices.get((group, notifier))

    def flap(self, fingerprint):
        return self.flaps.get(fingerprint)

    def incident(self, incident_id):
        return self.incidents.get(incident_id)

    def run(self, run_id):
        return self.runs.get(run_id)

    def runs_of(self, incident_id):
        return [run for run in self.runs.values() if run.incident_id == incident_id]

    def runs_counted(self, remedy, since):
        return [
            run
            for run in self.runs.values()
            if run.remedy == remedy
            or (run.remedy is None and f"{run.service}/{run.runbook}" == remedy and run.state in UNDER_WAY)
        ]

    def runs_at_work(self, services):
        return [r for r in self.runs.values() if r.state in UNDER_WAY and r.remedy and r.service in services]

    def waits(self, alert_id):
        return [wait for (of, _), wait in self.waiting.items() if of == alert_id]

    def waits_by(self, subject):
        return [wait.alert_id for wait in self.waiting.values() if wait.active and wait.by == subject]

    def waits_in(self, incident_id):
        firing = {alert.id for alert in self.firing_in(incident_id)}
        return [wait for wait in self.waiting.values() if wait.active and wait.alert_id in firing]

    def notifications_of(self, incident_id):
        return [notification for notification in self.outbox.values() if notification.incident_id == incident_id]

    def automation_stopped(self):
        return self.stopped

    def automation_down(self):
        return self.down

    def apply(self, outcome, now):
        self.now = now
        for change in outcome.changes:
            match change:
                case PutAlert(alert):
                    self.alerts[alert.id] = alert
                    firing = [a.fingerprint for a in self.alerts.values() if a.status == "firing"]
                    assert len(firing) == len(set(firing)), "two firing episodes of one alert"
                case PutIncident(incident):
                    before = self.incidents.get(incident.id)
                    assert incident.revision == (before.revision + 1 if before else 1), "a lost update"
                    self.incidents[incident.id] = incident
                    groups = [i.group_key for i in self.incidents.values() if i.open]
                    assert len(groups) == len(set(groups)), "two open incidents of one group"
                case PutRun(run, expected):
                    assert expected == (self.runs[run.id].state if run.id in self.runs else None)
                    self.runs[run.id] = run
                case AddEntry(incident_id):
                    assert incident_id in self.incidents
                    self.timeline.append((now, change))
                case _:
                    self._tell_apart(change)
        for effect in outcome.effects:
            self._carry_out(effect, now)
        self.reasons += outcome.reasons

    def _tell_apart(self, change):
        match change:
            case RefreshAlerts(untils):
                for alert in list(self.alerts.values()):
                    if alert.status == "firing" and alert.fingerprint in untils:
                        until, timeout = untils[alert.fingerprint]
                        self.alerts[alert.id] = replace(alert, until=until, timeout=timeout)
            case PutSilence(silence):
                self.silences[silence.id] = silence
            case PutWithheld(one, incident_id):
                self.held_back.pop((one.alert_id, one.route), None)
                if one.reasons:
                    self.held_back[one.alert_id, one.route] = one
                for reason in one.reasons:
                    if incident_id is not None and reason.kind in ("silence", "maintenance"):
                        self.hidden.setdefault(reason.by, set()).add(incident_id)
            case PutGroup(group):
                self.groups[group.key] = group
            case DropGroup(key):
                self.groups.pop(key, None)
                self.group_members.pop(key, None)
            case AddMember(key, alert_id):
                self.group_members.setdefault(key, {})[alert_id] = None
            case DropMembers(key, alert_ids):
                for alert_id in alert_ids:
                    self.group_members.get(key, {}).pop(alert_id, None)
            case PutNotice(key, notifier, notice):
                self.notices[key, notifier] = notice
            case PutFlap(flap):
                self.flaps[flap.fingerprint] = flap
            case DropFlap(mark):
                self.flaps.pop(mark, None)
            case AddChange(event):
                self.changes.append(event)
            case MoveNotices(incident_id, into):
                for notice in self.notifications_of(incident_id):
                    self.outbox[notice.id] = replace(notice, incident_id=into)
                for notifier, waiting in self.letter_box.items():
                    moved = [
                        replace(one, incident_id=into) if one.incident_id == incident_id else one for one in waiting
                    ]
                    self.letter_box[notifier] = moved
            case PutLetter(letter):
                self.letter_box.setdefault(letter.notifier, []).append(letter)
                self._name(letter.notifier, letter, None)
            case DropLetters(notifier):
                self.letter_box.pop(notifier, None)
            case PutReceiver(receiver):
                self.receivers[receiver.notifier] = receiver
            case Name():
                self._name(change.notifier, change, change.notification_id)
            case Unname(alert_id, notifier):
                self.namings.pop((alert_id, notifier), None)
            case ForgetNamed(notification_id):
                self.namings = {
                    key: (one, name)
                    for key, (one, name) in self.namings.items()
                    if one.notification_id != notification_id
                }
            case PutWait(wait):
                self._end_waits(wait.alert_id)
                self.waiting[wait.alert_id, wait.kind] = wait
            case EndWaits(alert_id):
                self._end_waits(alert_id)
            case DropWaits(alert_id):
                self.waiting = {key: wait for key, wait in self.waiting.items() if key[0] != alert_id}
            case _:
                raise AssertionError(f"{change} is not known here")

    def _end_waits(self, alert_id):
        for key, wait in self.waiting.items():
            if key[0] == alert_id:
                self.waiting[key] = replace(wait, active=False)

    def _carry_out(self, effect, now):
        match effect:
            case Notify():
                self.outbox[effect.id] = Notification(
                    effect.id,
                    effect.incident_id,
                    effect.alert_id,
                    effect.run_id,
                    effect.kind,
                    effect.severity,
                    effect.notifier,
                    "held" if effect.held else "due",
                    effect.not_before,
                    effect.content,
                    now,
                )
                if not effect.held:
                    self._name(effect.notifier, effect, effect.id)
            case Release(notification_id, _, kind, content):
                held = self.outbox[notification_id]
                assert held.state == "held", "released, though it is not held"
                self.outbox[held.id] = replace(held, kind=kind, state="due", not_before=self.now, content=content)
                self._name(effect.notifier, effect, notification_id)
            case MergeHeld(notification_ids):
                for one in notification_ids:
                    assert self.outbox[one].state == "held", "merged, though it is not held"
                    self.outbox[one] = replace(self.outbox[one], state="merged")
            case RecordSent():
                about = (effect.id, effect.incident_id, effect.alert_id, None, effect.kind, effect.severity)
                sent = (effect.notifier, "sent", effect.sent_at, effect.content, now)
                self.outbox[effect.id] = Notification(*about, *sent, sent_at=effect.sent_at)
                self._name(effect.notifier, effect, effect.id)
            case SetTimer(kind, subject, due_at):
                self._timers_set += 1
                self.timers.append(Timer(self._timers_set, kind, subject, due_at))
            case CancelTimers(subject, kind):
                self.timers = [t for t in self.timers if t.subject != subject or kind not in (None, t.kind)]
            case Look():
                self.looks.append(effect)
            case Dispatch(run_id):
                assert self.runs[run_id].state == "waiting"

    def _name(self, notifier, letter, notification_id):
        for one in letter.named:
            before = self.namings.get((one.alert_id, notifier))
            by = notification_id or (before[0].notification_id if before is not None else None)
            named = Named(one.alert_id, notifier, one.severity, letter.kind == "page", self.now, by)
            self.namings[one.alert_id, notifier] = (named, one.name)


class World:
    """Things happen, time passes, decisions are taken and applied."""

    def __init__(self, config=None, now=NINE_O_CLOCK):
        # Each page by itself, where a test is not about digests.
        self.view = MemoryView(Config.model_validate({"digest": {"within": "0s"}, **(config or {})}))
        self.now = now
        self.last = None

    def decide(self, event):
        # Through JSON, as it is stored and replayed.
        self.last = decide(self.view, from_json(event.as_json()), self.now)
        self.view.apply(self.last, self.now)
        return self.last

    def wait(self, seconds):
        """Let time pass, fire the timers that come due meanwhile, each at its time, and send what may be sent."""
        until = self.now + micros(seconds)
        while due := [timer for timer in self.view.timers if timer.due_at <= until]:
            timer = min(due, key=lambda timer: timer.due_at)
            self.now = max(self.now, timer.due_at)
            self.view.timers.remove(timer)
            self.decide(TimerDue(timer.id, timer.kind, timer.subject, self.now))
        self.now = until
        self.send()

    def send(self):
        for page in self.view.outbox.values():
            if page.state == "due" and page.not_before <= self.now:
                self.view.outbox[page.id] = replace(page, state="sent", sent_at=self.now)

    def fails(self, check="http", service="shop", severity="critical", summary=None, values=None, **labels):
        labels = {"alertname": "CheckFailing", "service": service, "check": check, "severity": severity, **labels}
        annotations = {"summary": f"{check} of {service} fails: connection refused" if summary is None else summary}
        return self.decide(AlertRaised(labels, annotations, self.now, values or {}))

    def recovers(self, check="http", service="shop", severity="critical", **labels):
        labels = {"alertname": "CheckFailing", "service": service, "check": check, "severity": severity, **labels}
        return self.decide(AlertCleared(labels, self.now))

    def starting(self, run="RUN-1", flow_run="flow-1", seen=()):
        return self.decide(RunStarting(run, flow_run, self.now, list(seen)))

    def sees(self, ok, service="shop", check="http", status=None, at=None, instance="default"):
        """What a look saw of a check."""
        reason = {True: "200", False: "connection refused", None: "no answer within 2s"}[ok]
        status = status or ("up" if ok else "down")
        return {"service": service, "check": check, "instance": instance, "ok": ok, "reason": reason,
                "at": self.now if at is None else at, "status": status}  # fmt: skip

    def acted(self, run="RUN-1", outcome="restarted with pid 4711"):
        return self.decide(RunActed(run, outcome, self.now))

    def failed(self, run="RUN-1", reason="the command ./start.sh exited with 1", cancelled=False):
        return self.decide(RunFailed(run, reason, self.now, cancelled))

    def ack(self, incident="INC-1", actor="ana"):
        return self.decide(Acknowledged(incident, actor, self.now))

    def resolve(self, incident="INC-1", actor="ana", reason="rolled back"):
        return self.decide(ResolvedByHand(incident, actor, reason, self.now))

    def note(self, incident="INC-1", actor="ana", text="looking at it"):
        return self.decide(Noted(incident, actor, text, self.now))

    def request(self, runbook="collect-diagnostics", **fields):
        return self.decide(RunRequested(runbook, {}, "ana", self.now, **fields))

    def codes(self):
        """The codes of the last decision's reasons."""
        return [reason.code for reason in self.last.reasons]

    def told(self):
        """(kind, notifier, state) of every notification, in order."""
        return [(n.kind, n.notifier, n.state) for n in self.view.outbox.values()]


def shop(*, autonomy="auto", hold=None, limits=None, severity=None, routes=None, **remedy):
    """A service `shop` whose failing http check is healed by restart-service, and two notifiers."""
    route = {"notify": ["ops"]} | ({"hold": hold} if hold is not None else {})
    return {
        "services": [
            {
                "name": "shop",
                "checks": [{"http": "http://127.0.0.1:1/"}],
                "remedies": [
                    {
                        "on": {"alertname": "CheckFailing"},
                        "runbook": "restart-service",
                        "with": {"command": ["./start.sh"]},
                        "autonomy": autonomy,
                        "limits": limits or {"per_hour": 3, "cooldown": "60s"},
                        "verify": {"within": "20s"},
                        **remedy,
                    }
                ],
            }
        ],
        "notifiers": [{"name": "ops", "console": {}}, {"name": "web", "console": {}}],
        "routes": [route] if routes is None else routes,
    }
