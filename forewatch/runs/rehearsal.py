"""Going through the moment of acting before it comes, in memory, so that nothing of it stays.

What a process does for the first time takes several times as long as later: SQL is compiled, the configuration is put
in order for decisions, pages are copied that it shares with the process it was forked from. Between the order to a
remedy and its act it was 70 of 130 ms.
"""

from __future__ import annotations

import logging

from forewatch.alerting.matchers import matches, parse_matchers
from forewatch.checking.results import Monitor, monitors
from forewatch.config.models import Config
from forewatch.deciding import decide_in
from forewatch.incidents.deciding.look_before_acting import keys_for
from forewatch.incidents.events import AlertRaised, RunActed, RunStarting
from forewatch.store import alerts, receipts, runs
from forewatch.store.memory import in_memory

log = logging.getLogger("forewatch.runs.rehearsal")

TIMES = 2
"""What SQLAlchemy makes of a statement is kept when it comes a second time, see `store/quick.py`."""
CARRIER = "rehearsal"


def rehearse_acting(config: tuple[int, Config], now: int) -> bool:
    """Decide upon a failing check, admit its remedy, take a step. False where no check's remedy acts by itself."""
    monitor = _healable(config[1])
    if monitor is None:
        return False
    try:
        for _ in range(TIMES):
            _act(config, monitor, now)
    except Exception as error:  # noqa: BLE001 - nothing rests on it but some milliseconds
        log.warning("the moment of acting cannot be rehearsed: %s", error)
        return False
    return True


def _act(config: tuple[int, Config], monitor: Monitor, now: int) -> None:
    with in_memory() as conn:
        decide_in(conn, AlertRaised(monitor.labels, {}, now), config=config, now=now)
        for run in runs.listing(conn, limit=1):
            alert = alerts.get(conn, run.alert_id) if run.alert_id is not None else None
            keys = keys_for(config[1], alert) if alert is not None else ()
            seen = [
                {"service": service, "check": check, "instance": instance, "ok": service != monitor.key.service,
                 "reason": "", "at": now, "status": "up"}
                for service, check, instance in keys
            ]  # fmt: skip
            runs.claim(conn, CARRIER, now, 1)
            decide_in(conn, RunStarting(run.id, CARRIER, now, seen), config=config, now=now)
            runs.get(conn, run.id)
            receipts.of_run(conn, run.id)
            runs.act(conn, run.id, now)
            receipts.intend(conn, run.id, 1, name="act", kind="act", input_hash="", now=now)
            receipts.finish(conn, run.id, 1, now=now)
            decide_in(conn, RunActed(run.id, "it was rehearsed", now, CARRIER), config=config, now=now)


def _healable(config: Config) -> Monitor | None:
    """A check with a remedy that acts by itself."""
    heals = {
        service.name: [parse_matchers(remedy.on) for remedy in service.remedies if remedy.autonomy == "auto"]
        for service in config.services
    }
    return next(
        (one for one in monitors(config) if any(matches(on, one.labels) for on in heals.get(one.key.service, ()))),
        None,
    )
