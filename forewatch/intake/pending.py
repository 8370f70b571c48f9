"""What waits in the inbox, read ahead lane by lane as events; and how far each lane is decided.

    critical lane ─ its rows in the order of their places ──┐
                                                            ├─ one look at both ─> the critical queue, else the rest
    the rest ─ all rows, less those with an earlier say ────┘

What is about one alert is decided in the order it came: both lanes are read in one view of the file, and the rest goes
on only where nothing critical is in it. A row that got its place after it was read is told by its number.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection

from forewatch.config.reload import Configuration
from forewatch.incidents.events import Event
from forewatch.intake.decoding import events_of, source_named
from forewatch.intake.identity import identity_of
from forewatch.store import inbox
from forewatch.store.engine import Store
from forewatch.store.inbox import Lane, Mark, Row

ROWS = 500
"""Rows, and bytes, read from a lane at once."""
ROWS_BYTES = 2 << 20
START = Mark(1, 0)

log = logging.getLogger("forewatch.intake")


@dataclass(frozen=True, slots=True)
class Item:
    """An event, who sent it, the number of its row, and where the mark of its lane stands once it is decided."""

    event: Event
    fingerprint: str | None
    source: str
    seq: int
    after: Mark


@dataclass
class Queue:
    """What is read of a lane and not decided. `alone`: so many are decided one by one, for one of them failed."""

    lane: Lane
    items: deque[Item] = field(default_factory=deque)
    mark: Mark = START
    alone: int = 0


@dataclass(frozen=True)
class Nothing(Event):
    """A row without any event left: only the mark moves."""


@dataclass(frozen=True)
class Unreadable(Event):
    """A row that no event can be made of: `decide` refuses it, so it is set aside."""

    seq: int
    body: str
    error: str


class Waiting:
    """The two lanes as one drain sees them."""

    def __init__(self, store: Store, configuration: Configuration) -> None:
        self._store = store
        self._configuration = configuration
        self._critical = Queue("critical")
        self._rest = Queue("rest")
        self._known = False
        self._next_of_rest = 0
        """The row at or behind the mark of the rest where that is a critical one: numbers may be missing before it."""
        self._ahead: dict[Lane, Mark] | None = None

    def next(self) -> Queue | None:
        """The queue to decide from; None where nothing waits. Raises StoreUnavailable."""
        if not self._known:
            with self._store.read() as conn:
                self._critical.mark, self._rest.mark = inbox.mark(conn, "critical"), inbox.mark(conn)
            self._known = True
        if not self._critical.items:
            self._read()
        return next((queue for queue in (self._critical, self._rest) if queue.items), None)

    def stands(self, conn: Connection) -> bool:
        """Whether the marks in the store are those the queues were read by."""
        return all(inbox.mark(conn, queue.lane) == queue.mark for queue in (self._critical, self._rest))

    def put_marks(self, conn: Connection, queue: Queue, count: int) -> dict[Lane, Mark]:
        """Store how far the lanes are decided with the next `count` of a queue, in the transaction that decides."""
        done = [queue.items[position] for position in range(count)]
        marks = {queue.lane: done[-1].after}
        if queue is self._critical and (rest := self._followed(done)) != self._rest.mark:
            marks["rest"] = rest
        for lane, mark in marks.items():
            inbox.put_mark(conn, mark, lane)
        return marks

    def move(self, queue: Queue, count: int, marks: dict[Lane, Mark]) -> None:
        """The next `count` of a queue are decided, and that is committed."""
        for one in (self._critical, self._rest):
            one.mark = marks.get(one.lane, one.mark)
        for _ in range(count):
            queue.items.popleft()
        queue.alone = max(0, queue.alone - count)
        self._ahead = None

    def forget(self) -> None:
        """The next look starts from what is stored."""
        self._known = False
        for queue in (self._critical, self._rest):
            queue.items.clear()

    def look_ahead(self) -> Iterator[Item]:
        """What waits behind what was looked at before, where nothing can be decided: by the marks last known.

        Where none ever were, from the first row that is there: rather too much than too little.
        """
        if self._ahead is None:
            self._ahead = {queue.lane: queue.mark for queue in (self._critical, self._rest)}
        for queue in (self._critical, self._rest):
            with self._store.read_intake() as conn:
                rows = inbox.read(conn, self._ahead[queue.lane], rows=ROWS, size=ROWS_BYTES, lane=queue.lane)
            for row in rows:
                number = _number(row, queue.lane)
                if queue is self._critical or row.place is None:
                    yield from self._items(row, queue.lane, self._done(row, queue))
                self._ahead[queue.lane] = Mark(number + 1, 0)

    def _read(self) -> None:
        rest: list[Row] = []
        with self._store.read_intake() as conn:
            critical = inbox.read(conn, self._critical.mark, rows=ROWS, size=ROWS_BYTES, lane="critical")
            if not self._rest.items:
                rest = inbox.read(conn, self._rest.mark, rows=ROWS, size=ROWS_BYTES)
        for row in critical:
            self._critical.items.extend(self._items(row, "critical", self._done(row, self._critical)))
            if self._rest.items and row.seq <= self._rest.items[-1].seq:
                # It has moved up since it was read with the rest.
                self._rest.items.clear()
                self._rest.alone = 0
        for row in rest:
            if row.place is not None and row.place >= self._critical.mark.seq:
                if not self._rest.items:
                    self._next_of_rest = row.seq
                break
            self._rest.items.extend(self._items(row, "rest", self._done(row, self._rest)))

    def _done(self, row: Row, queue: Queue) -> int | None:
        """How many events of a row are decided, in whichever lane; None: all."""
        if queue is self._rest and row.place is not None:
            return None  # it is read with the rest only once the critical lane is past it
        if row.seq < self._rest.mark.seq:
            return None  # it was decided with the rest before it got its place
        here = queue.mark.done if _number(row, queue.lane) == queue.mark.seq else 0
        return max(here, self._rest.mark.done if row.seq == self._rest.mark.seq else 0)

    def _items(self, row: Row, lane: Lane, done: int | None) -> list[Item]:
        """The events of a row that are left; a row without any, or one that cannot be read, has its trace too."""
        number = _number(row, lane)
        events: list[Event] = []
        if done is not None:
            _, config = self._configuration.current()
            try:
                events = list(events_of(row, source_named(config, row.source)))
            except Exception as error:
                # It was checked when it came, so it is a fault of ours: the row goes to people as it is.
                log.exception("row %d of the inbox cannot be read", row.seq)
                events = [Unreadable(row.seq, row.body.decode(errors="replace")[:10_000], str(error))]
                done = 0
        if done is None or done >= len(events):
            events, done = [Nothing()], 0
        last = len(events) - 1
        return [
            Item(
                event,
                identity_of(event),
                row.source,
                row.seq,
                Mark(number + 1, 0) if position == last else Mark(number, position + 1),
            )
            for position, event in enumerate(events)
            if position >= done
        ]

    def _followed(self, done: list[Item]) -> Mark:
        """Where the mark of the rest stands with these critical ones decided: past each that is next in it too."""
        mark = self._rest.mark
        for item in done:
            if item.after.done == 0 and mark.seq <= item.seq <= max(mark.seq, self._next_of_rest):
                mark = Mark(item.seq + 1, 0)
        return mark


def _number(row: Row, lane: Lane) -> int:
    """The number of a row in a lane."""
    return row.place if lane == "critical" and row.place is not None else row.seq
