"""Backups hold what was committed, can be put in the place of the file, and old ones go."""

from __future__ import annotations

import shutil
import threading
from collections import namedtuple
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from forewatch.clock import micros
from forewatch.errors import StoreUnavailable
from forewatch.home import Home
from forewatch.store import backup, schema
from forewatch.store.engine import Store
from forewatch.store.sqlite import faults

pytestmark = pytest.mark.unit

NOW = micros(1_767_225_600 + 3661)  # 2026-01-01 01:01:01
DAY = micros(86400)
Usage = namedtuple("Usage", "total used free")


def audit(store: Store, count: int) -> None:
    with store.decide() as conn:
        rows = [{"at": n, "actor": "a", "action": "b", "subject": "c", "detail": {}} for n in range(count)]
        conn.execute(insert(schema.audit), rows)


def restored(path: Path, to: Path) -> Store:
    home = Home(to)
    home.create()
    for file in ("decisions", "metrics", "intake"):
        shutil.copy(path.parent / path.name.replace("decisions", file), home.root / f"{file}.db")
    return Store.open(home)


def test_a_backup_is_named_by_file_and_time_and_opens_as_a_store(store: Store, tmp_path: Path) -> None:
    audit(store, 3)
    made = backup.make(store, NOW)
    assert [path.name for path in made] == [f"{file}-20260101-010101.db" for file in ("decisions", "metrics", "intake")]
    assert [path.stat().st_mode & 0o777 for path in made] == [0o600, 0o600, 0o600]
    again = restored(made[0], tmp_path / "restored")
    with again.read() as conn:
        assert conn.execute(select(func.count()).select_from(schema.audit)).scalar() == 3
    again.close()


def test_a_backup_made_while_others_write_is_whole(store: Store, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            audit(store, 50)  # each transaction all or nothing

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = [backup.make(store, NOW + round * micros(1))[0] for round in range(3)]
    finally:
        stop.set()
        writer.join()
    for number, path in enumerate(made):
        again = restored(path, tmp_path / f"restored{number}")
        with again.read() as conn:
            assert (conn.execute(select(func.count()).select_from(schema.audit)).scalar() or 0) % 50 == 0
        again.close()


def test_old_backups_go_but_never_the_newest_of_a_file(store: Store) -> None:
    for days in (30, 20, 10):
        backup.make(store, NOW - days * DAY)
    newest = backup.listing(store.home, "decisions")[0]
    (store.home.backups / "notes.txt").touch()
    for half in (".decisions-20200101-000000.db.0123.part", ".decisions-20200101-000000.db.0123.part-journal"):
        (store.home.backups / half).touch()
    gone = backup.prune(store.home, keep=7 * 86400.0, now=NOW)
    assert len(gone) == 6
    assert backup.listing(store.home, "decisions") == [newest]
    assert {path.name for path in store.home.backups.iterdir()} >= {"notes.txt", newest.name}
    assert not list(store.home.backups.glob("*.part*"))


def test_backups_younger_than_asked_stay(store: Store) -> None:
    for days in (3, 2, 1):
        backup.make(store, NOW - days * DAY)
    assert backup.prune(store.home, keep=7 * 86400.0, now=NOW) == []


def test_without_room_no_backup_is_begun(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9 - 10**6, 10**6))
    with pytest.raises(StoreUnavailable, match="no room for a backup"):
        backup.make(store, NOW)
    assert list(store.home.backups.iterdir()) == []


def test_a_damaged_backup_does_not_count(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "backup", lambda self, file, target: target.write_bytes(b"not a database" * 100))
    with pytest.raises(StoreUnavailable, match="is damaged"):
        backup.make(store, NOW)
    assert list(store.home.backups.iterdir()) == []


def test_a_missing_and_a_broken_file_have_faults(tmp_path: Path, store: Store) -> None:
    assert faults(tmp_path / "none.db")
    broken = tmp_path / "broken.db"
    shutil.copy(store.home.metrics_db, broken)
    content = bytearray(broken.read_bytes())
    content[4096 * 2 : 4096 * 4] = b"\xff" * 8192
    broken.write_bytes(content)
    assert faults(broken)
    assert faults(store.home.metrics_db) == []


def test_a_backup_may_go_into_another_folder(store: Store, tmp_path: Path) -> None:
    made = backup.make(store, NOW, tmp_path / "elsewhere" / "safe")
    assert {path.parent for path in made} == {tmp_path / "elsewhere" / "safe"}
    assert not list(store.home.backups.glob("*.db"))


def test_a_folder_that_cannot_be_made_is_told(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="cannot be made"):
        backup.make(store, NOW, tmp_path / "file" / "below")


def test_planted_links_lead_to_no_other_file(store: Store, tmp_path: Path) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "shared"
    victim.write_text("theirs\n")
    victim.chmod(0o644)
    folder.mkdir()
    for name in ("decisions-20260101-010101.db", "decisions-20260101-010101.db.part"):
        (folder / name).symlink_to(victim)
    made = backup.make(store, NOW, folder)
    assert victim.read_text() == "theirs\n"
    assert victim.stat().st_mode & 0o777 == 0o644
    assert [path.is_symlink() for path in made] == [False, False, False]
    assert faults(made[0]) == []


def test_a_backup_that_cannot_take_its_place_is_told_in_one_sentence(store: Store, tmp_path: Path) -> None:
    (tmp_path / "decisions-20260101-010101.db").mkdir()
    with pytest.raises(StoreUnavailable, match=r"decisions-20260101-010101\.db: cannot be written: Is a directory$"):
        backup.make(store, NOW, tmp_path)
    assert not list(tmp_path.glob(".*"))
