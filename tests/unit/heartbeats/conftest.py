"""A store, and a `serve` process's application on it, without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI
from heartbeat_jobs import TOKEN

from forewatch.clock import FakeClock
from forewatch.config.models import Config
from forewatch.console import pings
from forewatch.home import Home
from forewatch.store.engine import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    home = Home(tmp_path / "home")
    home.create()
    store = Store.open(home, migrate=True)
    yield store
    store.close()


@pytest.fixture
def serving(store: Store) -> SimpleNamespace:
    """What the application runs on; `checks` and `version` are the configuration's."""
    heartbeat = {"token": TOKEN, "period": 3600.0}

    def current() -> tuple[int, Config]:
        checks = [{"name": f"job-{number}", "heartbeat": one} for number, one in enumerate(runtime.jobs)]
        return runtime.version, Config.model_validate({"services": [{"name": "backup", "checks": checks}]})

    runtime = SimpleNamespace(
        store=store, clock=FakeClock(), configuration=SimpleNamespace(current=current), jobs=[heartbeat], version=1
    )
    return runtime


@pytest.fixture
async def client(serving: SimpleNamespace) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(pings.router(serving))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://forewatch") as client:
        yield client
