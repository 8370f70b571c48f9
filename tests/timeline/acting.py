"""Plays faults, checks and remedies on the real decision and store code: what is restarted, who is told, and when.

    evening = Evening(services=[...])
    evening.breaks("db", at=1, until=12)
    evening.play(30)
    assert evening.restarted == []

A service fails while it is broken itself or one it needs is. Checks are held at their own cadence with the real state
machine, looks are answered at once from the same results, a run starts 0.4 s after its dispatch and acts 1 s later: its
service is down for `away` seconds then, and well again afterwards unless the remedy is `in_vain`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from playing import NINE_O_CLOCK, STEP

from forewatch.checking import results
from forewatch.checking.results import CheckKey, CheckState, ProbeResult
from forewatch.clock import micros, seconds
from forewatch.config.defaults import effective
from forewatch.config.models import Config
from forewatch.deciding import decide_in
from forewatch.incidents.deciding.look_before_acting import keys_for
from forewatch.incidents.events import Event, RunActed, RunStarting, TimerDue
from forewatch.store import alerts, looks, outbox, runs, silences, timers
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


class Evening:
    """Faults, and what came of them."""

    def __init__(self, services: Iterable[dict[str, Any]], *, hold: str | None = None, away: float = 0.0) -> None:
        route: dict[str, Any] = {"notify": ["people"]} | ({} if hold is None else {"hold": hold})
        document = {
            "services": list(services),
            "notifiers": [{"name": "people", "console": {}}],
            "routes": [route],
            "metrics": {"host": False, "starter_rules": False},
        }
        self.config = effective(Config.model_validate(document))
        self.in_vain: set[str] = set()
        self.starts_after = STARTS_AFTER
        self.told: list[tuple[float, str, str]] = []
        """(when, kind, text) of what left."""
        self.restarted: list[tuple[float, str]] = []
        self._away = away
        self._down: dict[str, tuple[float, float]] = {}
        self._coming: list[tuple[float, str]] = []
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
            self._coming.append((again_at, name))

    def paged(self) -> list[tuple[float, str]]:
        """When people were paged, and for which service."""
        return [(at, text) for at, kind, text in self.told if kind == "page"]

    def play(self, length: float) -> None:
        silences._index.clear()  # of another store at the same address
        with in_memory() as self._conn:
            while self._at <= length:
                while self._coming and self._coming[0][0] <= self._at:
                    self._down[self._coming.pop(0)[1]] = (self._at, 1e9)
                self._hold_rounds()
                self._carry_out_runs()
                for timer in timers.due(self._conn, self._now):
                    self._decide(TimerDue(timer.id, timer.kind, timer.subject, self._now, self._seen(timer.subject)))
                for look in looks.due(self._conn, self._now, 100):
                    self._look(look.keys)
                    looks.answer(self._conn, look.id, [], self._now)
                self._deliver()
                self._now += micros(STEP)

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
            self.told.append((self._at, claimed.kind, f"{claimed.content['title']} {claimed.content['text']}"))
            outbox.mark_sent(self._conn, claimed.id, 1, self._now, {"notifier": claimed.notifier})
