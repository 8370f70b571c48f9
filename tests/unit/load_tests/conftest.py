from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from shop_with_benchmark import Shop

from forewatch.home import Home
from forewatch.store.engine import Store


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    home = Home(tmp_path)
    home.create()
    store = Store.open(home, migrate=True)
    yield Shop(store)
    store.close()
