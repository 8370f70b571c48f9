"""A shop of three services with two hours of measurements, and a runtime on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from shop_with_past import SHOP, Shop

from forewatch.clock import FakeClock
from forewatch.config.models import Config
from forewatch.home import Home
from forewatch.runtime import Runtime
from forewatch.store.engine import Store


class FixedConfiguration:
    def __init__(self, config: Config) -> None:
        self.config = config

    def current(self) -> tuple[int, Config]:
        return 1, self.config


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    store = Store.open(Home(tmp_path), migrate=True)
    configuration = FixedConfiguration(Config.model_validate(SHOP))
    yield Shop(Runtime(Home(tmp_path), store, FakeClock(), configuration))  # type: ignore[arg-type]
    store.close()
