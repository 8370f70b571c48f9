"""The inbox counts upwards for ever, and the mark in the other file says what of it is decided."""

import pytest

from forewatch.store import inbox
from forewatch.store.inbox import Mark

pytestmark = pytest.mark.unit


def rows(count, size=1):
    return [{"at": 1, "source": "s", "kind": "events", "body": b"x" * size} for _ in range(count)]


def test_rows_come_back_in_order_from_the_mark_on(store):
    with store.intake() as conn:
        assert inbox.add(conn, rows(5)) == 5
        assert [row.seq for row in inbox.read(conn, Mark(3, 0), rows=2, size=100)] == [3, 4]


def test_a_large_row_is_read_alone(store):
    with store.intake() as conn:
        inbox.add(conn, rows(3, size=1000))
        assert [row.seq for row in inbox.read(conn, Mark(1, 0), rows=10, size=500)] == [1]


def test_only_decided_rows_are_removed_and_no_number_comes_twice(store):
    with store.intake() as conn:
        inbox.add(conn, rows(5))
        assert inbox.remove_decided(conn, Mark(4, 2), limit=2) == 2
        assert inbox.remove_decided(conn, Mark(4, 2), limit=2) == 1
        assert inbox.remove_decided(conn, Mark(4, 2), limit=2) == 0
        assert inbox.undecided(conn, Mark(4, 2)) == [(4, 1), (5, 1)]
        inbox.remove_decided(conn, Mark(6, 0), limit=10)
        assert inbox.newest(conn) == 0
        assert inbox.add(conn, rows(1)) == 6


def test_an_inbox_older_than_the_decisions_goes_on_above_the_mark(store):
    with store.intake() as conn:
        inbox.add(conn, rows(2))
        assert inbox.begin_after(conn, Mark(1000, 0)) is True
        assert inbox.add(conn, rows(1)) >= 1000
        assert inbox.undecided(conn, Mark(1, 0))[:2] == [(1, 1), (2, 1)]


@pytest.mark.parametrize("mark", [Mark(1, 0), Mark(6, 0), Mark(5, 3)])
def test_an_inbox_of_the_same_age_goes_on_as_it_was(store, mark):
    with store.intake() as conn:
        inbox.add(conn, rows(5))
        assert inbox.begin_after(conn, mark) is False
        assert inbox.add(conn, rows(1)) > 5


def test_the_mark_begins_at_the_first_row_and_moves_with_the_decision(store):
    with store.read() as conn:
        assert inbox.mark(conn) == Mark(1, 0)
    with store.decide() as conn:
        inbox.put_mark(conn, Mark(7, 3))
    with store.read() as conn:
        assert inbox.mark(conn) == Mark(7, 3)
