"""Group commit: nobody is answered before the commit, and what cannot be taken is refused."""

import asyncio
import contextlib
import threading

import pytest

from forewatch.clock import FakeClock
from forewatch.errors import StoreUnavailable
from forewatch.intake import writer as module
from forewatch.intake.lanes import Part
from forewatch.intake.writer import Writer
from forewatch.store import components, inbox
from forewatch.store.inbox import Mark

pytestmark = pytest.mark.unit


@pytest.fixture
async def writer(store):
    writer = Writer(store, FakeClock())
    yield writer
    await writer.close()


def stored(store):
    with store.read_intake() as conn:
        return [row.body for row in inbox.read(conn, Mark(1, 0), rows=10_000, size=1 << 30)]


async def test_what_was_answered_is_stored_in_the_order_it_was_handed_in(store, writer):
    await asyncio.gather(*(writer.put("s", "events", Part(str(n).encode())) for n in range(50)))
    assert stored(store) == [str(n).encode() for n in range(50)]


async def test_many_that_wait_are_one_transaction(store, writer, monkeypatch):
    await writer.put("s", "events", Part(b"first"))
    transactions = []
    real = store.intake
    gate = threading.Event()

    def intake():
        gate.wait(10)
        transactions.append(1)
        return real()

    monkeypatch.setattr(store, "intake", intake)
    waiting = [asyncio.create_task(writer.put("s", "events", Part(b"x"))) for _ in range(100)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*waiting)
    assert len(stored(store)) == 101
    assert len(transactions) <= 2


async def test_where_commits_are_slow_the_next_one_waits_for_those_the_last_one_answered(store, writer, monkeypatch):
    await writer.put("s", "events", Part(b"first"))
    sizes = []
    real = writer._commit
    monkeypatch.setattr(writer, "_commit", lambda batch: (sizes.append(len(batch)), real(batch)))
    monkeypatch.setattr(module, "LONGEST_GATHER", 10.0)
    writer._last = (3, 20.0)  # three were answered by a commit of 20 s
    waiting = [asyncio.create_task(writer.put("s", "events", Part(b"x")))]
    await asyncio.wait(waiting, timeout=0.1)
    assert not waiting[0].done()
    waiting += [asyncio.create_task(writer.put("s", "events", Part(b"x"))) for _ in range(3)]
    async with asyncio.timeout(5):
        await asyncio.gather(*waiting)
    assert [size for size in sizes if size] == [4]


async def test_one_that_was_alone_waits_for_nobody(writer, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_GATHER", 30.0)
    await writer.put("s", "events", Part(b"first"))
    writer._last = (1, 20.0)
    async with asyncio.timeout(5):
        await writer.put("s", "events", Part(b"second"))


async def test_the_end_is_not_waited_for(store, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_GATHER", 30.0)
    writer = Writer(store, FakeClock())
    await writer.put("s", "events", Part(b"first"))
    writer._last = (3, 60.0)
    waiting = asyncio.create_task(writer.put("s", "events", Part(b"last")))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await writer.close()
        await waiting
    assert stored(store) == [b"first", b"last"]


async def test_nobody_is_answered_before_the_commit(store, writer, monkeypatch):
    await writer.put("s", "events", Part(b"first"))
    gate = threading.Event()
    real = writer._commit
    monkeypatch.setattr(writer, "_commit", lambda batch: (gate.wait(10), real(batch)))
    waiting = asyncio.create_task(writer.put("s", "events", Part(b"second")))
    await asyncio.wait([waiting], timeout=0.1)
    assert not waiting.done()
    assert stored(store) == [b"first"]
    gate.set()
    await waiting
    assert stored(store) == [b"first", b"second"]


async def test_a_store_that_refuses_is_told_to_the_sender_and_the_next_one_is_taken(store, writer, monkeypatch):
    await writer.put("s", "events", Part(b"first"))

    def full(conn, rows):
        raise StoreUnavailable("intake.db: the disk is full; free some space")

    with monkeypatch.context() as patched:
        patched.setattr(module.inbox, "add", full)
        patched.setattr(module.ballast, "make_room", lambda home, error: False)
        with pytest.raises(StoreUnavailable, match="the disk is full"):
            await writer.put("s", "events", Part(b"lost"))
    await writer.put("s", "events", Part(b"second"))
    assert stored(store) == [b"first", b"second"]


async def test_the_ballast_is_dropped_for_what_comes_in(store, writer, monkeypatch):
    await writer.put("s", "events", Part(b"first"))
    real, tries = module.inbox.add, []

    def full_once(conn, rows):
        tries.append(1)
        if len(tries) == 1:
            raise StoreUnavailable("intake.db: the disk is full; free some space")
        return real(conn, rows)

    monkeypatch.setattr(module.inbox, "add", full_once)
    monkeypatch.setattr(module.ballast, "make_room", lambda home, error: True)
    await writer.put("s", "events", Part(b"second"))
    assert stored(store) == [b"first", b"second"]


async def test_a_fault_of_our_own_is_told_too_and_does_not_end_the_thread(store, writer, monkeypatch):
    await writer.put("s", "events", Part(b"first"))
    with monkeypatch.context() as patched:
        patched.setattr(module.inbox, "add", lambda conn, rows: 1 / 0)
        with pytest.raises(StoreUnavailable, match="ZeroDivisionError"):
            await writer.put("s", "events", Part(b"lost"))
    await writer.put("s", "events", Part(b"second"))
    assert stored(store) == [b"first", b"second"]


async def test_too_much_in_memory_is_refused(writer, monkeypatch):
    await writer.put("s", "events", Part(b"first"))
    gate = threading.Event()
    real = writer._commit
    monkeypatch.setattr(writer, "_commit", lambda batch: (gate.wait(10), real(batch)))
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    waiting = [asyncio.create_task(writer.put("s", "events", Part(b"x"))) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable, match="3 requests wait to be written"):
        await writer.put("s", "events", Part(b"one too many"))
    monkeypatch.setattr(module, "MOST_WAITING_BYTES", 10)
    monkeypatch.setattr(module, "MOST_WAITING", 100)
    with pytest.raises(StoreUnavailable, match="wait to be written"):
        await writer.put("s", "events", Part(b"many bytes"))
    gate.set()
    await asyncio.gather(*waiting)
    await writer.put("s", "events", Part(b"room again"))


async def test_too_much_undecided_is_refused_until_it_is_decided(store, writer, monkeypatch):
    monkeypatch.setattr(module, "MOST_UNDECIDED", 2)
    monkeypatch.setattr(module, "LOOK_EVERY", 0.0)
    await writer.put("s", "events", Part(b"1"))
    await writer.put("s", "events", Part(b"2"))
    with pytest.raises(StoreUnavailable, match="2 requests are waiting to be processed"):
        await writer.put("s", "events", Part(b"3"))
    with store.decide() as conn:
        inbox.put_mark(conn, Mark(inbox_end(store), 0))
    for _ in range(300):
        await asyncio.sleep(0.01)
        with contextlib.suppress(StoreUnavailable):
            await writer.put("s", "events", Part(b"3"))
            break
    assert stored(store) == [b"3"]


async def test_what_is_critical_has_room_where_the_rest_has_filled_the_inbox(writer, monkeypatch):
    monkeypatch.setattr(module, "MOST_UNDECIDED", 4)
    for _ in range(4):
        await writer.put("s", "events", Part(b"x"))
    with pytest.raises(StoreUnavailable, match="4 requests are waiting to be processed"):
        await writer.put("s", "events", Part(b"x"))
    await writer.put("s", "events", Part(b"x", critical=True))
    with pytest.raises(StoreUnavailable, match="5 requests are waiting to be processed"):
        await writer.put("s", "events", Part(b"x", critical=True))


async def test_the_parts_of_a_request_are_rows_of_one_transaction(store, writer, monkeypatch):
    await writer.put("s", "events", Part(b"first"))

    def full(conn, seqs):
        raise StoreUnavailable("intake.db: the disk is full; free some space")

    with monkeypatch.context() as patched:
        patched.setattr(module.lanes, "enter", full)
        patched.setattr(module.ballast, "make_room", lambda home, error: False)
        with pytest.raises(StoreUnavailable):
            await writer.put("s", "events", Part(b"rest"), Part(b"critical", critical=True))
    assert stored(store) == [b"first"]
    await writer.put("s", "events", Part(b"rest"), Part(b"critical", critical=True))
    assert stored(store) == [b"first", b"rest", b"critical"]
    with store.read_intake() as conn:
        assert [row.body for row in inbox.read(conn, Mark(1, 0), rows=9, size=99, lane="critical")] == [b"critical"]


async def test_what_an_earlier_process_left_undecided_counts(store, monkeypatch):
    monkeypatch.setattr(module, "MOST_UNDECIDED", 3)
    first = Writer(store, FakeClock())
    for _ in range(3):
        await first.put("s", "events", Part(b"x"))
    await first.close()
    second = Writer(store, FakeClock())
    second.start()
    try:
        for _ in range(300):
            await asyncio.sleep(0.01)
            if second._begun:
                break
        with pytest.raises(StoreUnavailable, match="3 requests are waiting to be processed"):
            await second.put("s", "events", Part(b"one too many"))
    finally:
        await second.close()


async def test_after_a_restored_backup_nothing_new_counts_as_decided(store):
    with store.decide() as conn:
        inbox.put_mark(conn, Mark(5000, 0))
    writer = Writer(store, FakeClock())
    await writer.put("s", "events", Part(b"new"))
    await writer.close()
    with store.read_intake() as conn:
        (row,) = inbox.read(conn, Mark(5000, 0), rows=10, size=100)
    assert row.body == b"new"


async def test_it_says_since_when_it_listens(store, writer):
    await writer.put("s", "events", Part(b"x"))
    with store.read() as conn:
        assert components.get(conn, module.COMPONENT).data["since"] == FakeClock().now()


async def test_it_answers_what_waits_when_it_closes_and_takes_nothing_more(store):
    writer = Writer(store, FakeClock())
    waiting = [asyncio.create_task(writer.put("s", "events", Part(b"x"))) for _ in range(10)]
    await asyncio.sleep(0)
    await writer.close()
    await asyncio.gather(*waiting)
    assert len(stored(store)) == 10
    with pytest.raises(StoreUnavailable, match="starting or stopping"):
        await writer.put("s", "events", Part(b"late"))


async def test_a_sender_that_hangs_up_is_stored_all_the_same(store, writer):
    await writer.put("s", "events", Part(b"first"))
    waiting = asyncio.create_task(writer.put("s", "events", Part(b"hung up")))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await writer.put("s", "events", Part(b"last"))
    assert stored(store) == [b"first", b"hung up", b"last"]


def inbox_end(store):
    with store.read_intake() as conn:
        return inbox.newest(conn) + 1
