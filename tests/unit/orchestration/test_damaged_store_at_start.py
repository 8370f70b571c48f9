"""A start on a damaged store tells every notifier once, and how to restore the file."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from forewatch.clock import SystemClock, micros
from forewatch.errors import DeliveryFailed, StoreUnavailable
from forewatch.home import Home
from forewatch.orchestration import damaged_store
from forewatch.store import backup
from forewatch.store.engine import Store
from forewatch.store.sqlite import faults

pytestmark = pytest.mark.unit

CONFIG = """\
notifiers:
  - {name: hook, webhook: {url: "http://127.0.0.1:9/"}}
  - {name: phone, webhook: {url: "http://127.0.0.1:9/"}}
routes: [{match: {}, notify: [hook]}]
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """With a backup, in a folder whose name needs quoting."""
    home = Home(tmp_path / "the state")
    home.create()
    store = Store.open(home, migrate=True)
    backup.make(store, SystemClock().now() - micros(5 * 3600))
    store.close()
    return home


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "forewatch.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What each notifier was given; `away` says why one takes nothing."""
    sent = SimpleNamespace(given=[], away={})

    async def send_alone(notification: Any, config: Any, home: Home) -> None:
        if (error := sent.away.get(notification.notifier)) is not None:
            raise error
        sent.given.append((notification.notifier, notification.id, notification.content))

    monkeypatch.setattr(damaged_store, "load", {"send_alone": send_alone}.__getitem__)
    monkeypatch.setattr(damaged_store.asyncio, "sleep", lambda seconds: _nothing())
    return sent


async def _nothing() -> None:
    pass


def hurt(path: Path) -> StoreUnavailable:
    """Damage a file, and open the store as a start does."""
    path.write_bytes(b"this was a database once" * 500)
    with pytest.raises(StoreUnavailable) as caught:
        Store.open(Home(path.parent), migrate=True)
    return caught.value


async def start(home: Home, config: Path, error: StoreUnavailable) -> tuple[StoreUnavailable, list[str]]:
    said: list[str] = []
    return await damaged_store.told(home, config, error, said.append), said


def shell(command: str) -> None:
    subprocess.run(command, shell=True, check=True, cwd="/")


async def test_every_notifier_is_told_once_however_often_it_is_started_again(
    home: Home, config: Path, sent: SimpleNamespace
) -> None:
    error = hurt(home.decisions_db)
    for _ in range(3):
        ended, _ = await start(home, config, error)
        assert "The newest good backup is decisions-" in str(ended)
    assert [name for name, _, _ in sent.given] == ["hook", "phone"]
    content = sent.given[0][2]
    assert content["title"] == "Forewatch does not start: decisions.db is damaged"
    assert content["title"] not in content["text"]
    assert content["text"].startswith("Nothing is watched and nobody is paged until it is restored.")
    assert " 5h" in content["text"]


async def test_one_that_did_not_take_it_is_told_at_the_next_start_under_the_same_id(
    home: Home, config: Path, sent: SimpleNamespace
) -> None:
    error = hurt(home.decisions_db)
    sent.away = {"phone": DeliveryFailed("phone: no answer", permanent=False)}
    _, said = await start(home, config, error)
    assert "phone could not be notified: phone: no answer" in said
    sent.away = {}
    await start(home, config, error)
    assert [name for name, _, _ in sent.given] == ["hook", "phone"]
    assert len({id for _, id, _ in sent.given}) == 1


async def test_after_a_start_that_went_well_and_for_another_file_they_are_told_anew(
    home: Home, config: Path, sent: SimpleNamespace
) -> None:
    error = hurt(home.decisions_db)
    await start(home, config, error)
    damaged_store.mended(home)
    await start(home, config, error)
    assert [name for name, _, _ in sent.given] == ["hook", "phone"] * 2
    assert len({id for _, id, _ in sent.given}) == 2


async def test_the_command_it_names_restores_the_newest_backup_that_is_sound(
    home: Home, config: Path, sent: SimpleNamespace
) -> None:
    newest = home.backups / "decisions-20990101-000000.db"
    newest.write_bytes(b"damaged too")
    ended, _ = await start(home, config, hurt(home.decisions_db))
    command = str(ended).partition("To restore it: ")[2].partition(", then start")[0]
    assert newest.name not in command
    assert shlex.quote(str(home.decisions_db)) in command
    shell(command)
    assert faults(home.decisions_db) == []
    Store.open(home).close()
    assert home.decisions_db.with_name("decisions.db.damaged").exists()


async def test_without_a_good_backup_it_says_how_to_begin_anew(home: Home, config: Path, sent: SimpleNamespace) -> None:
    for path in home.backups.iterdir():
        path.unlink()
    ended, _ = await start(home, config, hurt(home.metrics_db))
    assert f"There is no good backup in {home.backups}. To begin with an empty metrics.db: mv " in str(ended)
    command = str(ended).partition("metrics.db: mv ")[2].partition(", then start")[0]
    shell(f"mv {command}")
    Store.open(home, migrate=True).close()


async def test_what_is_no_damage_is_told_to_nobody(home: Home, config: Path, sent: SimpleNamespace) -> None:
    full = StoreUnavailable(f"{home.decisions_db}: the disk is full; free some space")
    ended, _ = await start(home, config, full)
    assert ended is full
    assert sent.given == []


async def test_with_a_broken_configuration_the_terminal_says_that_nobody_could_be_told(
    home: Home, config: Path, sent: SimpleNamespace
) -> None:
    config.write_text("notifiers: [\n")
    ended, said = await start(home, config, hurt(home.decisions_db))
    assert "To restore it: mv " in str(ended)
    assert said[0].startswith("Nobody could be notified, because the configuration is broken too: ")
