"""What looking for anomalies costs the shift that collects: CPU, the longest piece of work, memory, bytes kept."""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from forewatch.clock import MICROSECONDS, micros
from forewatch.config.models import Config
from forewatch.home import Home
from forewatch.store import points
from forewatch.store.engine import Store
from forewatch.store.points import Point
from tasks.scoring.anomaly_alerts import tell
from tasks.scoring.anomaly_table import anomaly_rows
from tasks.scoring.scorer import Scorer

NAME = "watch-anomalies"

SERIES = (100, 2000)
HISTORY, ROUNDS = 150, 5
"""Minutes before and after the detectors have begun."""
A_MINUTE = 4
"""Points of each series."""
_T0 = 1_767_225_600 * MICROSECONDS


async def run(options: argparse.Namespace) -> dict[str, Any]:
    sizes = SERIES[:1] if options.quick else SERIES
    return {"series": {str(count): _measured(count) for count in sizes}}


def table(result: dict[str, Any]) -> str:
    lines = ["series  CPU a minute  of a core  longest piece  a new watch  memory a series  kept a series"]
    lines += [
        f"{count:>6}  {one['round']:>10.3f} s  {one['round'] / 60:>8.2%}  {one['longest'] * 1000:>10.0f} ms  "
        f"{one['new_watch']:>9.3f} s  {one['memory'] / 1000:>12.1f} kB  {one['kept'] / 1000:>10.1f} kB"
        for count, one in result["series"].items()
    ]
    return "\n".join([*lines, "CPU: median minute; longest piece: of CPU, on the store's thread."])


class _World:
    """A store with some series, and the minutes that pass."""

    def __init__(self, store: Store, count: int) -> None:
        self.store, self.count, self.minute = store, count, 0
        services = [{"name": f"s{index}"} for index in range(max(1, count // 10))]
        self.config = Config.model_validate({"services": services})
        self.scorer = Scorer(store)
        self.dice = np.random.default_rng(1)
        self.longest = 0.0

    def pass_by(self, per_minute: int) -> None:
        batch = []
        for part in range(per_minute):
            at = _T0 + micros(60 * self.minute + 60 / per_minute * part)
            for one, value in enumerate(self.dice.normal(10, 1, self.count)):
                batch.append(Point(f"app.metric{one % 10}", {}, f"s{one // 10}", at, float(value)))
        with self.store.measure() as conn:
            points.write(conn, batch)
        self.minute += 1

    def look(self) -> float:
        """A round; returns the seconds of CPU it took."""
        now, began = _T0 + micros(60 * self.minute + 11), time.process_time()
        self._piece(lambda: self.scorer.begin(self.config, now))
        while not self._piece(self.scorer.work):
            pass
        told = self._piece(lambda: tell(self.store, self.config, self.scorer.looked_at, now))
        self.scorer.now_told(told.changed)
        self._piece(lambda: anomaly_rows(self.store, self.scorer.looked_at, now))
        return time.process_time() - began

    def save(self) -> None:
        while not self._piece(self.scorer.save):
            pass

    def _piece(self, work: Callable[[], Any]) -> Any:
        began = time.process_time()
        try:
            return work()
        finally:
            self.longest = max(self.longest, time.process_time() - began)


def _measured(count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        home.create()
        store = Store.open(home, migrate=True)
        try:
            world = _World(store, count)
            for _ in range(HISTORY):
                world.pass_by(1)
            gc.collect()
            before = psutil.Process().memory_info().rss
            world.look()
            memory = psutil.Process().memory_info().rss - before
            world.longest = 0.0
            rounds = []
            for _ in range(ROUNDS):
                world.pass_by(A_MINUTE)
                rounds.append(world.look())
            world.save()
            with store.read_metrics() as conn:
                kept = conn.exec_driver_sql("SELECT avg(length(state)) FROM detectors").scalar_one()
            world.scorer = Scorer(store)
            world.pass_by(A_MINUTE)
            new_watch = world.look()
        finally:
            store.close()
    return {
        "round": float(np.median(rounds)),
        "longest": world.longest,
        "new_watch": new_watch,
        "memory": memory / count,
        "kept": float(kept),
    }
