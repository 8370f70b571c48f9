"""Beginning to watch with a damaged memory."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from forewatch.clock import FakeClock
from forewatch.config.models import Config
from forewatch.errors import StoreUnavailable
from forewatch.home import Home
from forewatch.store.engine import Store
from forewatch.store.shifts import Fence
from tasks.shifts.check_health import CheckHealth

pytestmark = pytest.mark.unit


async def test_a_watch_begins_though_the_metrics_file_is_damaged(tmp_path, monkeypatch):
    home = Home(tmp_path)
    home.create()
    store = Store.open(home, migrate=True)
    runtime = SimpleNamespace(
        home=home, store=store, clock=FakeClock(), configuration=SimpleNamespace(current=lambda: (1, Config()))
    )

    def refuse():
        raise StoreUnavailable("metrics.db: the file is damaged; restore it from the backups folder", permanent=True)

    monkeypatch.setattr(store, "read_metrics", refuse)
    monkeypatch.setattr(store, "measure", refuse)
    duty = CheckHealth(runtime, Fence("check-health", 1))
    await duty.start()
    assert duty.rows() == []
    await duty.stop()
    store.close()
