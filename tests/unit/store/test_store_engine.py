"""Opening the store, its transactions, and what a broken file is called."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError, OperationalError

from forewatch.errors import StoreBusy, StoreError, StoreTooNew, StoreUnavailable
from forewatch.home import Home
from forewatch.store import audit, engine, ids
from forewatch.store.engine import Store
from forewatch.store.revisions import REVISIONS, File

pytestmark = pytest.mark.unit

FILES: list[File] = ["decisions", "metrics", "intake"]


def counter(store: Store) -> int:
    with store.read() as conn:
        return int(conn.exec_driver_sql("SELECT coalesce(max(value), 0) FROM counters").scalar_one())


def test_decisions_are_synced_and_metrics_are_not(store: Store) -> None:
    with store.read() as conn:
        pragmas = {
            name: conn.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys", "auto_vacuum")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "busy_timeout": 5000,
        "foreign_keys": 1,
        "auto_vacuum": 2,  # INCREMENTAL
    }
    with store.read_metrics() as conn:
        assert conn.exec_driver_sql("PRAGMA synchronous").scalar_one() == 1  # NORMAL
        assert conn.exec_driver_sql("PRAGMA auto_vacuum").scalar_one() == 2


def test_the_process_that_migrated_waits_no_longer_than_the_others(tmp_path: Path) -> None:
    store = Store.open(Home(tmp_path), migrate=True)
    with store.decide() as conn:
        assert conn.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 5000
    store.close()


def test_the_reading_select_is_inside_the_write_transaction(store: Store, home: Home) -> None:
    with store.decide() as conn:
        conn.exec_driver_sql("SELECT 1")
        other = sqlite3.connect(home.decisions_db, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


def test_an_exception_rolls_everything_back(store: Store) -> None:
    def fail_half_way() -> None:
        with store.decide() as conn:
            ids.next_id(conn, "INC")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert counter(store) == 0


def test_a_read_sees_one_moment(store: Store) -> None:
    with store.read() as view:
        assert view.exec_driver_sql("SELECT count(*) FROM counters").scalar_one() == 0
        with store.decide() as conn:
            ids.next_id(conn, "INC")
        assert view.exec_driver_sql("SELECT count(*) FROM counters").scalar_one() == 0
    assert counter(store) == 1


def test_nothing_written_in_a_read_stays(store: Store) -> None:
    with store.read() as conn:
        ids.next_id(conn, "INC")
    assert counter(store) == 0


async def test_run_works_on_one_thread_and_lets_the_loop_go_on(store: Store) -> None:
    gate = threading.Event()

    def wait_for_the_loop() -> str:
        assert gate.wait(5)
        return threading.current_thread().name

    first = asyncio.ensure_future(store.run(wait_for_the_loop))
    await asyncio.sleep(0)
    gate.set()
    names = {await first, await store.run(lambda: threading.current_thread().name)}
    assert len(names) == 1
    assert names != {threading.current_thread().name}


async def test_run_passes_arguments_and_raises_what_the_function_raises(store: Store) -> None:
    assert await store.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await store.run(divmod, 7, 0)


def test_a_missing_store_is_not_made_by_accident(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="run `forewatch up` once"):
        Store.open(Home(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", FILES)
def test_a_store_of_a_newer_version_is_refused(home: Home, file: File) -> None:
    path = engine.path_of(home, file)
    with sqlite3.connect(path) as conn:
        conn.execute("UPDATE alembic_version SET version_num = '9999'")
    for migrate in (False, True):
        with pytest.raises(StoreTooNew, match=rf"{path.name}.*revision 9999.*{REVISIONS[file][-1]}.*upgrade Forewatch"):
            Store.open(home, migrate=migrate)


def test_an_outdated_store_asks_for_forewatch_up(home: Home) -> None:
    with sqlite3.connect(home.decisions_db) as conn:
        conn.execute("DELETE FROM alembic_version")
    with pytest.raises(StoreError, match=r"is at revision none.*run `forewatch up`"):
        Store.open(home)


def test_a_full_disk_is_said_and_costs_nothing_that_was_there(store: Store, home: Home) -> None:
    with store.decide() as conn:
        ids.next_id(conn, "INC")
        pages = conn.exec_driver_sql("PRAGMA page_count").scalar_one()
        conn.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    def fill() -> None:
        with store.decide() as conn:
            ids.next_id(conn, "INC")
            for _ in range(200):
                audit.add(conn, actor="test", action="fill", subject="disk", now=1, detail={"text": "x" * 4000})

    with pytest.raises(StoreUnavailable, match=r"decisions\.db: the disk is full; free some space") as caught:
        fill()
    assert not caught.value.permanent
    assert str(home.decisions_db) in str(caught.value)
    assert counter(store) == 1


def test_a_lock_held_too_long_is_said(store: Store, home: Home) -> None:
    with store.decide() as conn:
        conn.exec_driver_sql("PRAGMA busy_timeout=10")
    other = sqlite3.connect(home.decisions_db, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy, match="another process has held its lock"), store.decide():
        pytest.fail("two processes decide at once")
    other.close()


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to be taken for one" * 40, b"SQLite format 3\0" * 300]
)
def test_a_damaged_file_is_said_to_be_damaged(home: Home, content: bytes) -> None:
    home.decisions_db.write_bytes(content)
    with pytest.raises(StoreUnavailable, match="restore it from the backups folder") as caught:
        Store.open(home)
    assert caught.value.permanent


def test_a_wrong_statement_is_not_blamed_on_the_file(store: Store) -> None:
    with pytest.raises(OperationalError, match="no such table"), store.decide() as conn:
        conn.exec_driver_sql("SELECT * FROM nowhere")
    with pytest.raises(IntegrityError), store.decide() as conn:
        conn.exec_driver_sql("INSERT INTO counters VALUES ('INC', 1), ('INC', 2)")


def test_a_forked_child_may_not_use_its_parents_store(store: Store) -> None:
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with store.read():
                os.write(send, b"used it")
        except StoreError as error:
            os.write(send, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(send)
    assert "open it after the fork" in os.read(receive, 1000).decode()
    os.close(receive)


def test_vacuum_gives_pages_back_a_slice_at_a_time(store: Store, home: Home) -> None:
    with store.decide() as conn:
        for _ in range(300):
            audit.add(conn, actor="test", action="fill", subject="disk", now=1, detail={"text": "x" * 4000})
    with store.decide() as conn:
        conn.exec_driver_sql("DELETE FROM audit")
    assert store.vacuum_slice("decisions", 0.0) > 200
    assert store.vacuum_slice("decisions", 5.0) == 0
    with store.read() as conn:
        assert conn.exec_driver_sql("PRAGMA page_count").scalar_one() < 200


@pytest.mark.parametrize("file", FILES)
def test_a_sound_file_has_no_faults(store: Store, file: File) -> None:
    assert store.integrity(file) == []


def test_a_backup_holds_what_was_committed_and_opens_alone(store: Store, tmp_path: Path) -> None:
    with store.decide() as conn:
        ids.next_id(conn, "INC")
    target = tmp_path / "copy.db"
    store.backup("decisions", target)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("copy")] == ["copy.db"]
    with sqlite3.connect(f"file:{target}?mode=ro", uri=True) as copy:
        assert copy.execute("SELECT value FROM counters").fetchall() == [(1,)]


def test_json_columns_take_mappings_and_dataclasses_but_nothing_that_would_not_come_back(store: Store) -> None:
    with store.decide() as conn:
        with pytest.raises(Exception, match="object cannot be stored as JSON"):
            audit.add(conn, actor="test", action="store", subject="thing", now=1, detail={"thing": object()})
        audit.add(conn, actor="test", action="store", subject="Käse", now=1, detail={"größe": 1})
    with store.read() as conn:
        assert audit.listing(conn)[0].detail == {"größe": 1}


def test_a_commit_that_fails_leaves_no_lock_behind(store: Store) -> None:
    def refuse(_conn: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    event.listen(store._engines["decisions"], "commit", refuse)
    with pytest.raises(sqlite3.OperationalError), store.decide() as conn:
        ids.next_id(conn, "AL")
    event.remove(store._engines["decisions"], "commit", refuse)
    with store.decide() as conn:
        assert ids.next_id(conn, "AL") == "AL-1"
