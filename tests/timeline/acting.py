"""Plays faults, checks and remedies on the real decision and store code: what is restarted, who is told, and when.

    evening = Evening(services=[...])
    evening.breaks("db", at=1, until=12)
    evening.play(30)
    assert evening.restarted == []

Alerts of no check come in by `raises` and `clears`, what people say by `happens`.

A service fails while it is broken itself or one it needs is. Checks are held at their own cadence with the real state
machine, looks are answered at once from the same results, a run starts 0.4 s after its dispatch and acts 1 s later: its
service is down for `away` seconds then, and well again afterwards unless the remedy is `in_vain`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

from playing import NINE_O_CLOCK, STEP

from forewatch.checking import results
from forewatch.checking.results import CheckKey, CheckState, ProbeResult
from forewatch.clock import micros, seconds
from forewatch.config.defaults import effective
from forewatch.config.models import Config
from forewatch.deciding import decide_in
from forewatch.incidents.deciding.look_before_acting import keys_for
from forewatch.incidents.events import (
    AlertCleared,
    AlertRaised,
    AutomationResumed,
    Event,
    RemediesChanged,
    RunActed,
    RunStarting,
    TimerDue,
    Undelivered,
)
from forewatch.notifying.words import word_of
from forewatch.remedy.changed import changed_remedies
from forewatch.store import alerts, incidents, looks, outbox, runs, silences, switches, timeline, timers
from forewatch.store.memory import in_memory

STARTS_AFTER, ACTS_AFTER = 0.4, 1.0


def service(name: str, *needs: str, remedy: dict[str, Any] | None = None, **check: Any) -> dict[str, Any]:
    """A service with one check every 2 s that fails after two rounds, and a restart that may act at once."""
    restart = {
        "on": {"alertname": "CheckFailing"},
        "runbook": "restart-service",
        "with": {"command": ["./start.sh"]},
        "autonomy": "auto",
        "limits": {"per_hour": 9, "cooldown": "0s"},
        "verify": {"within": "10s"},
        **(remedy or {}),
    }
    check = {"name": "http", "http": "http://127.0.0.1:1/", "every": "2s", "timeout": "1s", "fails_after": 2, **check}
    return {"name": name, "depends_on": list(needs), "checks": [check], "remedies": [restart] if remedy != {} else []}


class Told(NamedTuple):
    """What left: seconds from the beginning, kind, receiver, and title and text as people read them."""

    at: float
    kind: str
    to: str
    title: str
    """With the word it begins with, as CRITICAL or RESOLVED."""
    text: str

    def __str__(self) -> str:
        return f"{self.at:.0f} s, {self.to}: {self.title}"


class Evening:
    """Faults, and what came of them. `more` is what else the configuration says."""

    def __init__(
        self, services: Iterable[dict[str, Any]], *, hold: str | None = None, away: float = 0.0, **more: Any
    ) -> None:
        route: dict[str, Any] = {"notify": ["people"]} | ({} if hold is None else {"hold": hold})
        self._document = {
            "services": list(services),
            "notifiers": [{"name": "people", "console": {}}],
            "routes": [route],
            "metrics": {"host": False, "starter_rules": False},
            **more,
        }
        self.config = effective(Config.model_validate(self._document))
        self.in_vain: set[str] = set()
        self.unreachable: dict[str, float] = {}
        """Receivers that take nothing, and from when on what is tried again for them is given up."""
        self.starts_after = STARTS_AFTER
        self.told: list[Told] = []
        self.timelines: dict[str, list[str]] = {}
        """What stands on the timeline of each incident, in the end."""
        self.restarted: list[tuple[float, str]] = []
        self._away = away
        self._down: dict[str, tuple[float, float]] = {}
        self._coming: list[tuple[float, Callable[[], None]]] = []
        self._states: dict[CheckKey, CheckState] = {}
        self._due: dict[CheckKey, float] = {one.key: number * 0.3 for number, one in enumerate(self._monitors)}
        self._now = NINE_O_CLOCK

    @property
    def _monitors(self) -> list[results.Monitor]:
        return results.monitors(self.config)

    @property
    def _at(self) -> float:
        return seconds(self._now - NINE_O_CLOCK)

    def breaks(self, name: str, *, at: float, until: float = 1e9, again_at: float | None = None) -> None:
        """It is down from `at` on, until then, until it is restarted, or for good; and once more at `again_at`."""
        self._down[name] = (at, until)
        if again_at is not None:
            self._then(again_at, lambda: self._down.update({name: (again_at, 1e9)}))

    def happens(self, at: float, event: Callable[[int], Event]) -> None:
        """What a person or another program says then; `event` is made from the instant in microseconds."""
        self._then(at, lambda: self._decide(event(self._now)))

    def raises(
        self, alertname: str, *, at: float, severity: str = "critical", values: Any = None, **labels: str
    ) -> None:
        """An alert of no check fires."""
        named = {"alertname": alertname, "severity": severity, **labels}
        self.happens(at, lambda now: AlertRaised(named, {}, now, dict(values(now) if values is not None else {})))

    def clears(self, alertname: str, *, at: float, severity: str = "critical", **labels: str) -> None:
        """It is over."""
        self.happens(at, lambda now: AlertCleared({"alertname": alertname, "severity": severity, **labels}, now))

    def configures(self, services: Iterable[dict[str, Any]], *, at: float) -> None:
        """A configuration with these services comes into force."""
        self._then(at, lambda: self._configure(list(services)))

    def turns_automation(self, state: Literal["on", "off"], *, at: float, reason: str = "") -> None:
        """`forewatch stop-automation`, and with `--resume`, by ana."""
        self._then(at, lambda: self._turn_automation(state, reason))

    def _then(self, at: float, what: Callable[[], None]) -> None:
        self._coming.append((at, what))

    def paged(self) -> list[tuple[float, str]]:
        """When people were paged, and what they read."""
        return [(one.at, f"{one.title} {one.text}") for one in self.told if one.kind == "page"]

    def heard(self) -> list[str]:
        """All that was told, a line each: `4 s, people: CRITICAL app fails: ...`."""
        return [str(one) for one in self.told]

    def play(self, length: float, step: float = STEP) -> None:
        """`step`: seconds from one look at what is due to the next."""
        silences._index.clear()  # of another store at the same address
        with in_memory() as self._conn:
            while self._at <= length:
                for what in [what for at, what in self._coming if at <= self._at]:
                    what()
                self._coming = [one for one in self._coming if one[0] > self._at]
                self._hold_rounds()
                self._carry_out_runs()
                for timer in timers.due(self._conn, self._now):
                    self._decide(TimerDue(timer.id, timer.kind, timer.subject, self._now, self._seen(timer.subject)))
                for look in looks.due(self._conn, self._now, 100):
                    self._look(look.keys)
                    looks.answer(self._conn, look.id, [], self._now)
                self._deliver()
                self._now += micros(step)
            for incident in incidents.listing(self._conn, open_only=False, limit=100):
                self.timelines[incident.id] = [entry.text for entry in timeline.of_incident(self._conn, incident.id)]

    def _configure(self, services: list[dict[str, Any]]) -> None:
        """As the watch and the supervisor go on under it."""
        before = self.config
        self.config = effective(Config.model_validate({**self._document, "services": services}))
        watched = {monitor.key: monitor for monitor in self._monitors}
        firing = [alert.labels for alert in alerts.all_firing(self._conn)]
        _, dropped, moved = results.take_over(watched.values(), self._states, firing)
        for labels in dropped:
            self._decide(results.dropped(labels, self._now))
        for key, labels in moved.items():
            self._decide(results.relabelled(watched[key], self._states[key], labels, self._now))
        if changed := changed_remedies(before, self.config):
            self._decide(RemediesChanged(changed, 2, self._now))

    def _turn_automation(self, state: Literal["on", "off"], reason: str) -> None:
        switches.turn(self._conn, switches.AUTOMATION, state, actor="ana", reason=reason, now=self._now)
        if state == "on":
            self._decide(AutomationResumed("ana", self._now))

    def _is_down(self, name: str) -> bool:
        begins, ends = self._down.get(name, (1e9, 1e9))
        needed = self.config.service(name)
        return begins <= self._at < ends or (needed is not None and any(map(self._is_down, needed.depends_on)))

    def _hold_rounds(self) -> None:
        for monitor in self._monitors:
            if self._due[monitor.key] <= self._at:
                self._due[monitor.key] += monitor.check.every
                self._probe(monitor)

    def _probe(self, monitor: results.Monitor) -> None:
        ok = not self._is_down(monitor.key.service)
        result = ProbeResult(ok, 0.001, "200" if ok else "connection refused")
        before = self._states.get(monitor.key, CheckState())
        state, transition = results.advance(before, result, monitor.check, self._now)
        self._states[monitor.key] = state
        if transition is not None:
            event = (results.raised if transition == "failing" else results.cleared)(monitor, state, result, self._now)
            self._decide(event)

    def _look(self, keys: Iterable[Any]) -> list[dict[str, Any]]:
        """As `check-health` answers: a result of this second is fresh, others are probed."""
        seen = []
        wanted = {CheckKey(*key) for key in keys}
        for monitor in self._monitors:
            if monitor.key in wanted:
                if self._states.get(monitor.key, CheckState()).at <= self._now - micros(1):
                    self._probe(monitor)
                state = self._states[monitor.key]
                answer = {"ok": state.successes > 0, "reason": state.reason, "at": state.at, "status": state.status}
                seen.append({**monitor.key.labels(), **answer})
        return seen

    def _seen(self, alert_id: str) -> list[dict[str, Any]]:
        alert = alerts.get(self._conn, alert_id)
        return self._look(keys_for(self.config, alert)) if alert is not None and alert.status == "firing" else []

    def _carry_out_runs(self) -> None:
        for run in runs.listing(self._conn, states=("waiting", "started")):
            if run.state == "waiting" and self._now >= run.created_at + micros(self.starts_after):
                order = looks.latest(self._conn, run.id)
                seen = self._look(order.keys) if order is not None else []
                self._decide(RunStarting(run.id, f"flow {run.id}", self._now, seen))
            elif run.started_at is not None and self._now >= run.started_at + micros(ACTS_AFTER):
                name = str(run.service)
                self.restarted.append((self._at, name))
                if name not in self.in_vain:
                    self._down[name] = (self._at, self._at + self._away)
                self._decide(RunActed(run.id, "restarted", self._now, f"flow {run.id}"))

    def _decide(self, event: Event) -> None:
        decide_in(self._conn, event, config=(1, self.config), now=self._now)

    def _deliver(self) -> None:
        for claimed in outbox.claim(self._conn, now=self._now, term=1, limit=100):
            if claimed.notifier in self.unreachable:
                over = self._at >= self.unreachable[claimed.notifier]
                outbox.mark_failed(self._conn, claimed.id, 1, self._now, "no answer", permanent=over)
                if over:
                    self._decide(Undelivered(claimed.id, self._now))
                continue
            said = claimed.content
            title = f"{word_of(claimed.kind, claimed.severity, said)} {said['title']}"
            self.told.append(Told(self._at, claimed.kind, claimed.notifier, title, said["text"]))
            outbox.mark_sent(self._conn, claimed.id, 1, self._now, {"notifier": claimed.notifier})
