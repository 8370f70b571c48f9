"""Who stands a watch: terms, relief, stand-in and fences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from forewatch.errors import Fenced
from forewatch.home import Home
from forewatch.store import shifts
from forewatch.store.engine import Store
from forewatch.store.shifts import Fence, Inherited

pytestmark = pytest.mark.unit

SHIFT = "check-health"


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[Connection]:
    store = Store.open(Home(tmp_path), migrate=True)
    with store.decide() as opened:
        yield opened
    store.close()


def begin(conn: Connection, scheduled_for: int = 100) -> Fence:
    fence = shifts.take(conn, SHIFT, "a", expected_term=None, scheduled_for=scheduled_for, now=1)
    assert fence is not None
    return fence


def test_the_first_to_come_begins_term_one(conn: Connection) -> None:
    assert begin(conn) == Fence(SHIFT, 1)
    assert shifts.take(conn, SHIFT, "b", expected_term=None, scheduled_for=100, now=1) is None


def test_a_holder_beats_and_sees_who_wants_the_watch(conn: Connection) -> None:
    fence = begin(conn)
    assert shifts.beat(conn, fence, 2).successor is None
    assert shifts.apply_as_successor(conn, SHIFT, "b", 200)
    row = shifts.beat(conn, fence, 3)
    assert (row.beat, row.beat_at, row.successor) == (2, 3, "b")


@pytest.mark.parametrize("scheduled_for", [50, 100])
def test_a_run_scheduled_no_later_than_the_holder_is_not_needed(conn: Connection, scheduled_for: int) -> None:
    begin(conn, scheduled_for=100)
    assert not shifts.apply_as_successor(conn, SHIFT, "b", scheduled_for)


def test_of_two_who_wait_the_later_scheduled_gets_the_watch(conn: Connection) -> None:
    begin(conn)
    assert shifts.apply_as_successor(conn, SHIFT, "b", 200)
    assert shifts.apply_as_successor(conn, SHIFT, "c", 300)
    assert not shifts.apply_as_successor(conn, SHIFT, "b", 200)
    row = shifts.get(conn, SHIFT)
    assert row is not None
    assert row.successor == "c"


def test_handing_over_begins_the_next_term_for_the_successor(conn: Connection) -> None:
    fence = begin(conn)
    shifts.apply_as_successor(conn, SHIFT, "b", 200)
    assert shifts.hand_over(conn, fence, successor="b", now=9)
    row = shifts.get(conn, SHIFT)
    assert row is not None
    assert (row.term, row.holder, row.scheduled_for, row.successor, row.beat) == (2, "b", 200, None, 0)


def test_a_hand_over_to_one_who_no_longer_waits_changes_nothing(conn: Connection) -> None:
    fence = begin(conn)
    shifts.apply_as_successor(conn, SHIFT, "b", 200)
    shifts.apply_as_successor(conn, SHIFT, "c", 300)
    assert not shifts.hand_over(conn, fence, successor="b", now=9)
    shifts.check_fence(conn, fence)


def test_of_two_stand_ins_one_wins(conn: Connection) -> None:
    begin(conn)
    assert shifts.take(conn, SHIFT, "b", expected_term=1, scheduled_for=100, now=5) == Fence(SHIFT, 2)
    assert shifts.take(conn, SHIFT, "c", expected_term=1, scheduled_for=100, now=5) is None


def test_a_holder_whose_term_is_over_can_write_nothing_more(conn: Connection) -> None:
    fence = begin(conn)
    shifts.take(conn, SHIFT, "b", expected_term=1, scheduled_for=100, now=5)
    with pytest.raises(Fenced, match="term 1 is over, term 2 has begun"):
        shifts.check_fence(conn, fence)
    with pytest.raises(Fenced):
        shifts.beat(conn, fence, 6)
    assert not shifts.hand_over(conn, fence, successor="x", now=6)


def test_who_inherits_the_term_of_the_dead_enters_itself_and_may_say_so_twice(conn: Connection) -> None:
    begin(conn)
    shifts.apply_as_successor(conn, SHIFT, "c", 200)
    for _ in range(2):
        shifts.enter(conn, Inherited(SHIFT, 1, "a"), "b")
    row = shifts.get(conn, SHIFT)
    assert row is not None
    assert (row.term, row.holder, row.scheduled_for, row.successor) == (1, "b", 100, "c")


def test_only_one_inherits_a_term_and_nobody_one_that_is_over(conn: Connection) -> None:
    begin(conn)
    shifts.enter(conn, Inherited(SHIFT, 1, "a"), "b")
    with pytest.raises(Fenced, match="another has inherited term 1"):
        shifts.enter(conn, Inherited(SHIFT, 1, "a"), "c")
    shifts.take(conn, SHIFT, "d", expected_term=1, scheduled_for=100, now=1)
    with pytest.raises(Fenced, match="term 2 has begun"):
        shifts.enter(conn, Inherited(SHIFT, 1, "a"), "b")
