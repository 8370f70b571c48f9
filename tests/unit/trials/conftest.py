"""Commands as they are typed, on a store that holds a month of history and what happened in it."""

from __future__ import annotations

import time

import numpy as np
import pytest
from typer.testing import CliRunner

from forewatch.cli import app
from forewatch.clock import FakeClock, micros
from forewatch.errors import ForewatchError
from forewatch.home import Home
from forewatch.incidents.incident import Incident
from forewatch.runtime import open_runtime
from forewatch.store import config_versions, incidents, points, rollups
from forewatch.store.engine import Store
from forewatch.store.points import Point

CONFIG = """
services:
  - {name: shop}
  - {name: mail}
notifiers:
  - {name: ops, console: {}}
metrics: {host: false}
rules:
  - {alert: QueueLong, metric: queue.length, window: 5m, above: 100, service: shop}
  - {alert: QueueNever, metric: queue.depth, above: 1, service: shop}
  - {alert: QueueOdd, metric: queue.length, anomaly: high, service: shop}
  - {alert: QueueUnforeseen, metric: queue.length, window: 10m, above: forecast, for: 10m, service: shop}
  - {alert: QueueFullSoon, metric: queue.length, window: 30m, limit: 1000, exhausted_within: 1h, service: shop}
"""
NOW = 1_767_225_600 * 1_000_000
"""2026-01-01T00:00:00Z"""


class Tried:
    """A Forewatch with history. `say(...)` is what a command prints."""

    def __init__(self, home: Home) -> None:
        self.home, self.store = home, Store.open(home)

    def say(self, *words: str, ends: int = 0) -> str:
        ended = CliRunner().invoke(app, [*words, "--home", str(self.home.root)], env={"COLUMNS": "250"})
        assert ended.exit_code == ends, ended.output or ended.exception
        return ended.output

    def complain(self, *words: str) -> str:
        ended = CliRunner().invoke(app, [*words, "--home", str(self.home.root)], env={"COLUMNS": "250"})
        assert isinstance(ended.exception, ForewatchError), ended.output
        return str(ended.exception)

    def measured(self, metric: str, first: int, step: float, values: np.ndarray, service: str = "shop") -> None:
        """Values of a series, a step apart."""
        batch = [
            Point(metric, {"queue": "orders"}, service, first + k * micros(step), float(value))
            for k, value in enumerate(values)
        ]
        with self.store.measure() as conn:
            points.write(conn, batch)

    def rolled(self, *, keep_points_from: int | None = None) -> None:
        """Roll all up, and forget older points as the nightly upkeep does."""
        done = False
        while not done:
            with self.store.measure() as conn:
                done = rollups.roll(conn, NOW, budget=5.0)
        if keep_points_from is not None:
            with self.store.measure() as conn:
                conn.exec_driver_sql("DELETE FROM points WHERE at < ?", (keep_points_from,))

    def incident(self, number: int, start: int, end: int | None, service: str = "shop") -> None:
        """One that was."""
        begun = Incident(f"INC-{number}", service, service, f"trouble {number}", "warning", "triggered", start, 1)
        with self.store.decide() as conn:
            incidents.put(conn, begun)
            if end is not None:
                over = {**vars(begun), "status": "resolved", "resolved_at": end, "revision": 2}
                incidents.put(conn, Incident(**over))


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("trying"))
    home.create()
    store = Store.open(home, migrate=True)
    with store.decide() as conn:
        config_versions.add(conn, [(str(home.root / "forewatch.yaml"), CONFIG)], NOW)
    store.close()
    return home


@pytest.fixture
def tried(empty_home, tmp_path, monkeypatch):
    import shutil

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    home = Home(tmp_path / "home")
    shutil.copytree(empty_home.root, home.root)
    monkeypatch.setattr("forewatch.runtime.open_runtime", lambda home: open_runtime(home, FakeClock(NOW)))
    made = Tried(home)
    yield made
    made.store.close()
    monkeypatch.undo()
    time.tzset()
