"""Plays a timeline on the real decision and store code, under a clock that jumps from one thing to do to the next."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection
from timeline_language import Got, Push, SetSilence, Timeline, TimelineAlert, TimelineNotice

from forewatch.alerting.matchers import Matcher
from forewatch.alerting.notification import Notification
from forewatch.alerting.silence import Silence, silence_as_json
from forewatch.clock import MICROSECONDS, iso, micros, seconds
from forewatch.config.defaults import effective
from forewatch.config.models import Config
from forewatch.deciding import decide_in
from forewatch.incidents.events import AlertTimedOut, Event, SilenceSet, TimerDue
from forewatch.intake.decoding import events_of
from forewatch.store import alerts, outbox, silences, timers
from forewatch.store.inbox import Row
from forewatch.store.memory import in_memory

NINE_O_CLOCK = 1_793_696_400 * MICROSECONDS
STEP = 0.05
"""Seconds from one look at what is due to the next."""


def simulated(line: Timeline) -> list[Got]:
    """The notices a Forewatch sends."""
    silences._index.clear()  # of another store at the same address
    with in_memory() as conn:
        return _Player(conn, line).play()


class _Player:
    def __init__(self, conn: Connection, line: Timeline) -> None:
        self._conn = conn
        self._line = line
        self._config = effective(Config.model_validate(document(line)))
        self._now = NINE_O_CLOCK
        self._silences = 0
        self._got: list[Got] = []

    def play(self) -> list[Got]:
        steps = sorted(self._line.steps, key=lambda step: step.at)
        while self._now <= NINE_O_CLOCK + micros(self._line.length):
            while steps and _instant(steps[0].at) <= self._now:
                self._take(steps.pop(0))
            for mark in alerts.timed_out(self._conn, self._now, 100):
                self._decide(AlertTimedOut(mark, self._now))
            for timer in timers.due(self._conn, self._now):
                self._decide(TimerDue(timer.id, timer.kind, timer.subject, self._now))
            self._deliver()
            self._now += micros(STEP)
        return self._got

    def _take(self, step: Push | SetSilence) -> None:
        match step:
            case Push(_, pushed):
                body = json.dumps([posted(one, NINE_O_CLOCK) for one in pushed]).encode()
                for event in events_of(Row(1, self._now, "am", "alertmanager", body), self._config.sources[0]):
                    self._decide(event)
            case SetSilence(_, wanted, until):
                self._silences += 1
                silence = Silence(
                    id=f"00000000-0000-0000-0000-{self._silences:012d}",
                    matchers=tuple(Matcher(name, "=", value) for name, value in wanted.items()),
                    starts_at=self._now,
                    ends_at=_instant(until),
                    created_by="ana",
                    comment="we know",
                    updated_at=self._now,
                )
                self._decide(SilenceSet(silence_as_json(silence), "ana", self._now))

    def _decide(self, event: Event) -> None:
        decide_in(self._conn, event, config=(1, self._config), now=self._now)

    def _deliver(self) -> None:
        for claimed in outbox.claim(self._conn, now=self._now, term=1, limit=100):
            self._got.append(Got(seconds(self._now - NINE_O_CLOCK), self._notice(claimed)))
            outbox.mark_sent(self._conn, claimed.id, 1, self._now, {"notifier": claimed.notifier})

    def _notice(self, told: Notification) -> TimelineNotice:
        content = told.content
        if "alerts" in content:
            listed = content["alerts"]
            return TimelineNotice(
                frozenset(_name(one["labels"]) for one in listed if one["status"] == "firing"),
                frozenset(_name(one["labels"]) for one in listed if one["status"] == "resolved"),
                content["reason"],
                told.kind,
            )
        about = frozenset({_name(content["alert"]["labels"])} if content["alert"] else ())
        over = told.kind == "resolved"
        return TimelineNotice(frozenset() if over else about, about if over else frozenset(), "", told.kind)


def document(line: Timeline) -> dict[str, Any]:
    """The configuration of a line."""
    route: dict[str, Any] = {"notify": ["people"]}
    if line.group_by is not None:
        route |= {
            "group_by": list(line.group_by),
            "group_wait": f"{line.group_wait:g}s",
            "group_interval": f"{line.group_interval:g}s",
            "repeat_interval": f"{line.repeat_interval:g}s",
        }
    return {
        "notifiers": [{"name": "people", "console": {}}],
        "sources": [{"name": "am", "alertmanager": {}}],
        "routes": [route],
        "inhibitions": list(line.inhibitions),
        **line.config,
    }


def posted(one: TimelineAlert, beginning: int) -> dict[str, Any]:
    """As Prometheus posts it."""
    body: dict[str, Any] = {"labels": dict(one.labels), "startsAt": iso(beginning + micros(one.begins))}
    if one.ends is not None:
        body["endsAt"] = iso(beginning + micros(one.ends))
    return body


def _name(labels: dict[str, str]) -> str:
    return TimelineAlert(labels).name


def _instant(at: float) -> int:
    return NINE_O_CLOCK + micros(at)
