"""A Forewatch without processes: events processed on a real store, with everything around decisions done by hand."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from forewatch.alerting.fingerprint import fingerprint
from forewatch.alerting.matchers import Matcher
from forewatch.alerting.silence import Silence, silence_as_json
from forewatch.clock import MICROSECONDS, FakeClock
from forewatch.config.defaults import effective
from forewatch.config.files import ConfigFiles
from forewatch.config.loader import parse
from forewatch.config.models import Config
from forewatch.deciding import decide
from forewatch.errors import ForewatchError
from forewatch.incidents.events import (
    Acknowledged,
    AlertCleared,
    AlertRaised,
    AlertsRefreshed,
    AlertTimedOut,
    ChangeReported,
    Event,
    IncidentsMerged,
    IncidentSplit,
    Noted,
    ResolvedByHand,
    RunActed,
    RunFailed,
    RunRequested,
    RunStarting,
    SilenceExpired,
    SilenceSet,
    TimerDue,
)
from forewatch.store import alerts, components, config_versions, incidents, outbox, runs, switches, timers
from forewatch.store.engine import Store

START = 1_793_696_400 * MICROSECONDS

SHOP = """
services:
  - name: database
  - name: shop
    depends_on: [database]
    remedies:
      - {on: {alertname: CheckFailing}, runbook: restart-service, autonomy: auto, verify: {within: 20s}}
notifiers:
  - {name: ops, console: {}}
  - {name: web, console: {}}
routes:
  - {match: {check: disk}, notify: [web], group_by: [service], group_wait: 10s, group_interval: 60s}
  - {match: {service: mail}, notify: [web], continue: true, mute: [night]}
  - {notify: [ops]}
times:
  - {name: night, ranges: [{times: ["09:05-09:20"]}]}
inhibitions:
  - {source: {severity: critical}, target: {severity: warning}, equal: [service]}
"""


@dataclass
class History:
    """A store in which things happen; `config` is what is in force."""

    store: Store
    clock: FakeClock
    config: tuple[int, Config]

    @classmethod
    def begin(cls, store: Store, text: str = SHOP) -> History:
        history = cls(store, FakeClock(START), (0, Config()))
        history.configure(text)
        return history

    def configure(self, text: str) -> None:
        files = (("/etc/forewatch.yaml", text),)
        with self.store.decide() as conn:
            version = config_versions.add(conn, files, self.clock.now())
        self.config = (version, effective(parse(ConfigFiles(files), environ={})))

    def after(self, seconds: float, event: Callable[..., Event], **fields: Any) -> None:
        """Let time pass and something happen; what may not happen is refused."""
        now = self.clock.advance(seconds)
        try:
            decide(self.store, event(at=now, **fields), config=self.config, now=now)
        except ForewatchError:
            pass

    def fails(self, check: str = "http", service: str = "shop", severity: str = "critical", **labels: str) -> None:
        named = {"alertname": "CheckFailing", "service": service, "check": check, "severity": severity, **labels}
        self.after(0.1, AlertRaised, labels=named, annotations={"summary": f"{check} of {service} fails"})

    def recovers(self, check: str = "http", service: str = "shop", severity: str = "critical", **labels: str) -> None:
        named = {"alertname": "CheckFailing", "service": service, "check": check, "severity": severity, **labels}
        self.after(0.1, AlertCleared, labels=named)

    def wait(self, seconds: float) -> None:
        """Let time pass as `page-people` does: each timer when it is due."""
        until = self.clock.now() + round(seconds * MICROSECONDS)
        for _ in range(1000):
            with self.store.read() as conn:
                due = timers.due(conn, until, limit=1)
            if not due:
                break
            self.clock.jump(max(0, due[0].due_at - self.clock.now()) / MICROSECONDS)
            now = self.clock.now()
            event = TimerDue(due[0].id, due[0].kind, due[0].subject, now)
            decide(self.store, event, config=self.config, now=now)
        self.clock.jump(max(0, until - self.clock.now()) / MICROSECONDS)

    def deliver(self, *, fails: bool = False, permanent: bool = False) -> None:
        now = self.clock.now()
        with self.store.decide() as conn:
            for one in outbox.claim(conn, now=now, term=1, limit=3):
                if fails:
                    outbox.mark_failed(conn, one.id, 1, now, "no answer", permanent)
                else:
                    outbox.mark_sent(conn, one.id, 1, now, None)

    def turn(self, state: Any) -> None:
        with self.store.decide() as conn:
            switches.turn(conn, switches.AUTOMATION, state, actor="ana", reason="moving", now=self.clock.now())

    def report(self, state: Any) -> None:
        with self.store.decide() as conn:
            components.report(conn, "worker", state, "it does not answer", self.clock.now())


def at_random(history: History, seed: int, steps: int = 60) -> None:
    """Anything that can happen around decisions, in an order the seed decides."""
    dice = random.Random(seed)

    def some_run() -> str:
        with history.store.read() as conn:
            found = runs.listing(conn, limit=3)
        return dice.choice(found).id if found else "RUN-1"

    def some_incident() -> str:
        with history.store.read() as conn:
            found = incidents.listing(conn, limit=3)
        return dice.choice(found).id if found else "INC-1"

    def work(take: Callable[[Any], object]) -> None:
        with history.store.decide() as conn:
            take(conn)

    def check() -> dict[str, str]:
        return {
            "check": dice.choice(["http", "http", "tcp", "disk"]),
            "service": dice.choice(["shop", "shop", "database", "mail"]),
            "severity": dice.choice(["critical", "critical", "warning", "info"]),
        }

    def identity(check: str, service: str, severity: str) -> dict[str, str]:
        return {"alertname": "CheckFailing", "service": service, "check": check, "severity": severity}

    def silence() -> None:
        begins = history.clock.now() + dice.choice([0, 0, 60]) * MICROSECONDS
        matchers = [{"name": "service", "value": dice.choice(["shop", "mail"]), "isRegex": False, "isEqual": True}]
        made = Silence(
            id=str(uuid.UUID(int=dice.getrandbits(128), version=4)),
            matchers=tuple(Matcher.from_json(one) for one in matchers),
            starts_at=begins,
            ends_at=begins + dice.choice([30, 700, 2000]) * MICROSECONDS,
            created_by="ana",
            comment="moving house",
            updated_at=history.clock.now(),
        )
        silenced.append(made.id)
        replaces = dice.choice([None, None, *silenced[:-1]])
        history.after(0.2, SilenceSet, silence=silence_as_json(made), actor="ana", replaces=replaces)

    def merge_or_split() -> None:
        with history.store.read() as conn:
            found = incidents.listing(conn, open_only=True, limit=3)
            if not found:
                return
            ids = [alert.id for alert in alerts.of_incident(conn, found[0].id)]
        if len(found) > 1:
            history.after(0.2, IncidentsMerged, incident_id=found[0].id, merged=dice.choice(found[1:]).id, actor="ana")
        else:
            history.after(0.2, IncidentSplit, incident_id=found[0].id, alert_ids=ids[:1], actor="ana")

    def sent_from_elsewhere() -> None:
        """With an end of its own; then heard of again, or not."""
        labels, until = identity(**check()), history.clock.now() + 120 * MICROSECONDS
        fields = {"annotations": {}, "sender": "prom", "until": until, "timeout": True}
        history.after(0.1, AlertRaised, labels=labels, **fields)
        mark = fingerprint(labels)
        if dice.random() < 0.5:
            again = history.clock.now() + 300 * MICROSECONDS
            history.after(30, AlertsRefreshed, untils={mark: (again, True)})
        history.after(dice.choice([1, 100, 400]), AlertTimedOut, fingerprint=mark)

    def whole_episode() -> None:
        history.report(dice.choice(["ok", "ok", "down"]))
        history.fails("tcp")
        with history.store.read() as conn:
            newest = runs.listing(conn, limit=1)
        if newest:
            history.after(0.5, RunStarting, run_id=newest[0].id, flow_run_id="flow-3")
            history.after(0.5, RunActed, run_id=newest[0].id, outcome="restarted")
        history.recovers("tcp")

    silenced: list[str] = []
    flow = lambda: dice.choice(["flow-1", "flow-2"])  # noqa: E731
    acts: list[Callable[[], object]] = [
        *[lambda: history.fails(**check())] * 4,
        *[lambda: history.recovers(**check())] * 3,
        *[lambda: history.wait(dice.choice([0.5, 5, 30, 200, 900]))] * 3,
        silence,
        lambda: history.after(0.2, SilenceExpired, silence_id=dice.choice(silenced or ["none"]), actor="bob"),
        merge_or_split,
        *[whole_episode] * 2,
        sent_from_elsewhere,
        lambda: history.after(0.2, ChangeReported, summary="release 7", service="shop", sender="ci"),
        lambda: history.deliver(),
        lambda: history.deliver(fails=True, permanent=dice.random() < 0.3),
        lambda: history.turn(dice.choice(["on", "off", "on"])),
        lambda: history.report(dice.choice(["ok", "down", "ok"])),
        lambda: work(lambda conn: runs.claim(conn, "worker-1", history.clock.now(), 2)),
        lambda: work(lambda conn: runs.act(conn, some_run(), history.clock.now())),
        lambda: work(lambda conn: runs.release(conn, some_run(), dice.choice(["claimed", "started"]))),
        lambda: history.after(0.2, RunStarting, run_id=some_run(), flow_run_id=flow()),
        lambda: history.after(0.2, RunStarting, run_id=some_run(), flow_run_id=flow()),
        lambda: history.after(0.2, RunActed, run_id=some_run(), outcome="restarted"),
        lambda: history.after(0.2, RunFailed, run_id=some_run(), reason="exit 1", cancelled=dice.random() < 0.3),
        lambda: history.after(0.2, Acknowledged, incident_id=some_incident(), actor="ana"),
        lambda: history.after(0.2, Noted, incident_id=some_incident(), actor="ana", text="on it"),
        lambda: history.after(0.2, ResolvedByHand, incident_id=some_incident(), actor="ana", reason=""),
        lambda: history.after(0.2, RunRequested, runbook="collect-diagnostics", inputs={}, actor="ana"),
    ]
    for _ in range(steps):
        dice.choice(acts)()
