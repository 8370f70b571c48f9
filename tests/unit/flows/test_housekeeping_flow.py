"""The parts of the nightly housekeeping, each called as the plain function it is."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from forewatch.clock import FakeClock
from forewatch.config.models import Config
from forewatch.errors import StoreError
from forewatch.home import Home
from forewatch.store import ballast, points
from forewatch.store.engine import Store
from forewatch.store.points import Point

pytestmark = pytest.mark.unit

DAY = 86400.0

# By its full name: the package has the flow of the same name in its place.
module = importlib.import_module("flows.housekeeping")


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    home = Home(tmp_path)
    home.create()
    store = Store.open(home, migrate=True)
    configuration = SimpleNamespace(current=lambda: (1, Config()))
    context = SimpleNamespace(home=home, store=store, clock=FakeClock(), configuration=configuration)
    monkeypatch.setattr(module, "runtime", lambda: context)
    yield context
    store.close()


async def test_a_night_rolls_up_retains_and_backs_up(context: SimpleNamespace) -> None:
    with context.store.measure() as conn:
        points.write(conn, [Point("m", {}, "host", context.clock.now(), 1.0)])
    context.clock.advance(10 * DAY)
    assert "nothing to remove" in await module.roll_up.fn()
    assert "1 points" in await module.retain.fn()
    assert "decisions.db" in await module.vacuum.fn()
    assert await module.check_integrity.fn() == "all files are sound"
    assert "0 old removed" in await module.back_up.fn()
    assert len(list(context.home.backups.glob("*.db"))) == 3
    assert ballast.held(context.home)


async def test_backups_past_their_retention_go(context: SimpleNamespace) -> None:
    await module.back_up.fn()
    context.clock.advance(8 * DAY)
    assert "3 old removed" in await module.back_up.fn()


async def test_damage_is_said_with_the_remedy(context: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "integrity", lambda self, file: ["Tree 3 page 5: wrong"] if file == "metrics" else [])
    with pytest.raises(
        StoreError, match=r"metrics\.db is damaged \(Tree 3 page 5: wrong\): stop Forewatch and restore"
    ):
        await module.check_integrity.fn()


async def test_without_room_for_the_ballast_it_says_so(
    context: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ballast, "ensure", lambda home: False)
    assert "no room for the ballast" in await module.back_up.fn()


async def test_a_part_that_fails_leaves_the_others_to_be_done(
    context: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []

    async def show(markdown: str, **_: object) -> None:
        shown.append(markdown)

    async def outcome(act: object) -> tuple[bool, str]:
        return (False, "disk on fire") if act is module.vacuum else (True, "fine")

    monkeypatch.setattr(module, "acreate_markdown_artifact", show)
    monkeypatch.setattr(module, "_outcome", outcome)
    with pytest.raises(StoreError, match="housekeeping failed in part: vacuum: disk on fire"):
        await module.housekeeping.fn()
    assert shown[0].count("| done |") == 4
    assert "| vacuum | **failed** | disk on fire |" in shown[0]
