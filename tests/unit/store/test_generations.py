"""Idempotency keys never come again: not after a start, not after a restore, not in another Forewatch."""

from __future__ import annotations

import shutil

import pytest

from forewatch.clock import micros
from forewatch.home import Home
from forewatch.store import backup, generations, ids
from forewatch.store.engine import Store

pytestmark = pytest.mark.unit

NOW = micros(1_767_225_600)


def start(store: Store, now: int) -> str:
    with store.decide() as conn:
        return generations.begin(conn, now)


def new_key(store: Store, prefix: str = "NT") -> str:
    """The key of the next id that is given."""
    with store.decide() as conn:
        return generations.key_of(conn, ids.next_id(conn, prefix))


def key(store: Store, id: str) -> str:
    with store.read() as conn:
        return generations.key_of(conn, id)


def test_a_key_names_the_store_the_generation_and_the_id(store: Store) -> None:
    generation = start(store, NOW)
    assert new_key(store) == f"{generation}-NT-1"
    assert new_key(store, "INC") == f"{generation}-INC-1"
    assert generation.endswith("-6955b900")


def test_an_id_keeps_its_key_over_later_starts(store: Store) -> None:
    start(store, NOW)
    keys = [new_key(store), new_key(store)]
    start(store, NOW + micros(60))
    assert [key(store, "NT-1"), key(store, "NT-2")] == keys
    assert new_key(store) not in keys


def test_after_a_restore_the_numbers_come_again_and_the_keys_do_not(store: Store, tmp_path) -> None:
    start(store, NOW)
    before = new_key(store)
    copy = backup.make(store, NOW + micros(1))[0]
    after_backup = new_key(store)
    home = store.home
    store.close()
    for suffix in ("", "-wal", "-shm"):
        home.decisions_db.with_name(f"decisions.db{suffix}").unlink(missing_ok=True)
    shutil.copy(copy, home.decisions_db)
    restored = Store.open(home)
    start(restored, NOW + micros(100))
    again = new_key(restored)
    assert after_backup.endswith("-NT-2")
    assert again.endswith("-NT-2")
    assert again != after_backup
    # What the backup still had to send is the same notification as before.
    assert key(restored, "NT-1") == before
    restored.close()


def test_a_whole_folder_that_is_put_back_gives_other_keys_too(store: Store, home: Home, tmp_path) -> None:
    start(store, NOW)
    store.close()
    shutil.copytree(home.root, tmp_path / "copy")
    keys = []
    for number, root in enumerate((home.root, tmp_path / "copy"), start=1):
        opened = Store.open(Home(root))
        start(opened, NOW + micros(10 * number))
        keys.append(new_key(opened))
        opened.close()
    assert keys[0] != keys[1]


def test_two_stores_made_in_the_same_second_have_keys_of_their_own(store: Store, tmp_path) -> None:
    other = Store.open(Home(tmp_path / "other"), migrate=True)
    assert start(store, NOW) != start(other, NOW)
    assert new_key(store) != new_key(other)
    other.close()


def test_starts_in_which_nothing_was_numbered_leave_no_rows(store: Store) -> None:
    for second in range(50):
        start(store, NOW + micros(second))
    with store.read() as conn:
        rows = conn.exec_driver_sql("SELECT count(*) FROM generations").scalar_one()
    assert rows == len(generations.PREFIXES)


def test_what_is_older_than_generations_or_has_no_number_goes_by_its_id(store: Store) -> None:
    with store.decide() as conn:
        ids.next_id(conn, "NT")
    start(store, NOW)
    assert key(store, "NT-1") == "NT-1"
    assert key(store, "NT-direct-507a62d79ee76c9a-1-hook") == "NT-direct-507a62d79ee76c9a-1-hook"
    assert key(store, "console") == "console"
