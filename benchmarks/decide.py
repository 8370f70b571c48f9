"""How long does one decision take on a full store: 100,000 firing alerts, 10,000 open incidents, 1,000 silences?

`pure` is the decision alone, on answers it was given before; `looking` has it ask the store; `whole` is the entire
transaction, from taking the lock to the disk's word that all is on it.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks._figures import HEAD, line, summary
from benchmarks._full_store import OF_AN_INCIDENT, configuration, fill, labels_of
from forewatch.alerting.fingerprint import fingerprint
from forewatch.clock import MICROSECONDS
from forewatch.config.models import Config
from forewatch.deciding import decide
from forewatch.home import Home
from forewatch.incidents.decide import decide as pure_decide
from forewatch.incidents.events import AlertCleared, AlertRaised, AlertsRefreshed, Event
from forewatch.store import alerts, incidents
from forewatch.store.engine import Store
from forewatch.store.view import StoreView

NAME = "decide"
INCIDENTS = 10_000
SILENCES = 1_000
TRIALS = 400
Taken = tuple[float, float]
"""Milliseconds on the clock, and on the processor."""
NOW = 1_793_696_400 * MICROSECONDS


async def run(options: argparse.Namespace) -> dict[str, Any]:
    scale = 10 if options.quick else 1
    return await asyncio.to_thread(_run, INCIDENTS // scale, SILENCES // scale, TRIALS // scale)


def table(result: dict[str, Any]) -> str:
    full = (
        f"{result['alerts']:,} firing alerts, {result['incidents']:,} open incidents, {result['silences']:,} silences"
    )
    lines = [f"{full}; a file of {result['megabytes']:.0f} MB", f"{'milliseconds':34}{HEAD}{'CPU':>9}"]
    lines += [f"{row['what']:34}{line(row['ms'], 3)}{row['cpu']['median']:>9.3f}" for row in result["rows"]]
    return "\n".join(lines)


def _run(count: int, silenced: int, trials: int) -> dict[str, Any]:
    config = configuration(count)
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Home(Path(folder)), migrate=True)
        try:
            fill(store, incidents=count, silenced=silenced, now=NOW)
            rows = [
                *_decisions("a new alert", store, config, trials, lambda n: _raised(n, count)),
                *_decisions("an alert heard of again", store, config, trials, lambda n: _refreshed(n, count)),
                *_decisions("an alert that is over", store, config, trials, lambda n: _cleared(n, count)),
                _timed("the newest 50 incidents", trials // 4, lambda _: _listed(store, 50)),
                _timed("all open incidents", 10, lambda _: _listed(store, count)),
                _timed("alerts of an incident", trials, lambda n: _alerts(store, n % count + 1)),
            ]
            size = store.home.decisions_db.stat().st_size / 1e6
        finally:
            store.close()
    return {
        "alerts": count * OF_AN_INCIDENT,
        "incidents": count,
        "silences": silenced,
        "megabytes": size,
        "rows": rows,
    }


def _decisions(
    what: str, store: Store, config: Config, trials: int, event: Callable[[int], Event]
) -> Iterator[dict[str, Any]]:
    decide(store, event(trials), config=(1, config), now=NOW)  # warm: what is worked out of a configuration once
    remembered, looking = [], []
    for number in range(trials):
        with store.read() as conn:
            one = event(number)
            view: Any = _Remembering(_Numbering(conn, config))
            pure_decide(view, one, NOW)
            remembered.append(_taking(pure_decide, view, one, NOW))
            looking.append(_taking(pure_decide, _Numbering(conn, config), one, NOW))
    whole = [
        _taking(lambda event: decide(store, event, config=(1, config), now=NOW), event(number))
        for number in range(trials)
    ]
    for name, found in (("pure", remembered), ("looking", looking), ("whole", whole)):
        yield _row(f"{what}, {name}", found)


def _timed(what: str, trials: int, act: Callable[[int], object]) -> dict[str, Any]:
    return _row(what, [_taking(act, number) for number in range(max(trials, 3))])


def _row(what: str, found: list[Taken]) -> dict[str, Any]:
    """`cpu` leaves out the disk, and what else the machine had to do meanwhile."""
    return {"what": what, "ms": summary(wall for wall, _ in found), "cpu": summary(cpu for _, cpu in found)}


def _taking(act: Callable[..., object], *given: object) -> Taken:
    began, cpu = time.perf_counter(), time.thread_time()
    act(*given)
    return (time.perf_counter() - began) * 1000, (time.thread_time() - cpu) * 1000


def _raised(number: int, count: int) -> AlertRaised:
    """Of a service that has an open incident, on a host of its own."""
    service = number * 7 % count
    labels = labels_of(number, service) | {"host": f"host-new-{number}"}
    return AlertRaised(labels, {"summary": "it fails"}, NOW, sender="prometheus", until=NOW, timeout=True)


def _refreshed(number: int, count: int) -> AlertsRefreshed:
    service = number * 7 % count
    mark = _fingerprint(service * OF_AN_INCIDENT, service)
    return AlertsRefreshed({mark: (NOW + 600 * MICROSECONDS, True)}, NOW)


def _cleared(number: int, count: int) -> AlertCleared:
    service = (number * 11 + 3) % count
    return AlertCleared(labels_of(service * OF_AN_INCIDENT, service), NOW, sender="prometheus")


def _fingerprint(number: int, service: int) -> str:
    return fingerprint(labels_of(number, service))


def _listed(store: Store, limit: int) -> None:
    with store.read() as conn:
        found = incidents.listing(conn, open_only=True, limit=limit)
    if len(found) != limit:
        raise RuntimeError(f"{len(found)} incidents are listed, not {limit}")


def _alerts(store: Store, number: int) -> None:
    with store.read() as conn:
        if len(alerts.of_incident(conn, f"INC-{number}")) < OF_AN_INCIDENT:
            raise RuntimeError(f"alerts of INC-{number} are missing")


class _Numbering(StoreView):
    """A view for reading only: ids are counted here, not in the store."""

    _next = 10_000_000

    def new_id(self, prefix: str) -> str:
        _Numbering._next += 1
        return f"{prefix}-{_Numbering._next}"


class _Remembering:
    """A view that answers from memory what it was asked before: what is left is the decision alone."""

    def __init__(self, view: StoreView) -> None:
        self._view = view
        self._answers: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name in ("config", "new_id"):
            return getattr(self._view, name)

        def answer(*asked: Any, **named: Any) -> Any:
            key = repr((name, asked, named))
            if key not in self._answers:
                found = getattr(self._view, name)(*asked, **named)
                self._answers[key] = list(found) if isinstance(found, Iterator) else found
            kept = self._answers[key]
            return iter(kept) if name == "firing_where" else kept

        return answer
