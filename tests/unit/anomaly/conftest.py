from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from forewatch.home import Home
from forewatch.store.engine import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    home = Home(tmp_path)
    home.create()
    opened = Store.open(home, migrate=True)
    yield opened
    opened.close()
