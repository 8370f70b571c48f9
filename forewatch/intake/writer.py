"""Group commit: whatever waits to be written down is written in one transaction with one sync of the disk.

    request ─┐                                    ┌─ 200
    request ─┼─ queue ─ one thread ─ commit ─ ring ┼─ 200
    request ─┘                                    └─ 200

Critical alerts get a place in the critical lane in that very transaction (`intake.lanes`).

Nobody is answered before the commit. What cannot be taken is refused at once, in a sentence, so that the sender keeps
it and tries again: we never hold more than a bounded amount in memory, and never more undecided on the disk.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from dataclasses import dataclass

from sqlalchemy import Connection

from forewatch.bell import ring
from forewatch.clock import Clock
from forewatch.errors import StoreBusy, StoreError, StoreUnavailable
from forewatch.intake.lanes import Part
from forewatch.store import alerts, ballast, components, inbox, lanes
from forewatch.store.engine import Store
from forewatch.store.inbox import Mark

COMPONENT = "intake"
MOST_WAITING = 4_000
"""Requests in memory."""
MOST_WAITING_BYTES = 64 << 20
MOST_UNDECIDED = 200_000
"""Requests on the disk."""
MOST_UNDECIDED_BYTES = 256 << 20
RESERVE = 1.25
"""How many times these limits what is critical may fill: it has room where the rest has filled the inbox."""
AT_ONCE = 1_000
"""Requests, and bytes, in one transaction."""
AT_ONCE_BYTES = 16 << 20
SLOW = 0.001
"""Seconds of a commit from which on it is worth to gather more for the next one."""
GATHER = 0.5
"""Share of a slow commit's time that the next one waits for those it answered: they send again, and one sync serves
all where two would take turns. One that was alone waits for nobody."""
LONGEST_GATHER = 0.01
"""Seconds, however slow the disk."""
LOOK_EVERY = 0.25
"""Seconds between two looks at how far the inbox is decided."""
TIDY = 5_000
"""Decided rows that one transaction removes at most."""

log = logging.getLogger("forewatch.intake")


@dataclass(frozen=True)
class _Waiting:
    source: str
    kind: str
    parts: tuple[Part, ...]
    at: int
    answer: asyncio.Future[None]

    @property
    def size(self) -> int:
        return sum(len(part.body) for part in self.parts)


class Writer:
    """The one that writes to the inbox. Made and used on one event loop; `close` it before the loop ends."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._waiting = 0
        self._waiting_bytes = 0
        self._mark = Mark(1, 0)
        self._critical = Mark(1, 0)
        self._looked_at = float("-inf")
        self._undecided: deque[tuple[int, int]] = deque()
        self._undecided_bytes = 0
        self._last = (0, 0.0)
        self._begun = False
        self._untidy = True
        self._closing = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to write, on a thread of its own."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)
        self._thread.start()

    async def put(self, source: str, kind: str, *parts: Part) -> None:
        """Write the parts of one request down, each as a row; returns when all are on the disk.

        Raises StoreUnavailable where it is not: too much waits already, or the store refuses it.
        """
        if self._thread is None:
            self.start()
        if self._closing or self._thread is None or not self._thread.is_alive():
            raise StoreUnavailable("nothing is taken in: Forewatch is starting or stopping; try again in a moment")
        answer: asyncio.Future[None] = self._loop.create_future()
        item = _Waiting(source, kind, parts, self._clock.now(), answer)
        share = RESERVE if any(part.critical for part in parts) else 1.0
        if self._waiting >= MOST_WAITING or self._waiting_bytes + item.size > MOST_WAITING_BYTES:
            raise StoreBusy(f"{self._waiting} requests wait to be written to disk; try again in a moment")
        if len(self._undecided) >= share * MOST_UNDECIDED or self._undecided_bytes >= share * MOST_UNDECIDED_BYTES:
            raise StoreBusy(f"{len(self._undecided)} requests are waiting to be processed; try again in a moment")
        self._waiting += 1
        self._waiting_bytes += item.size
        self._queue.put(item)
        # A sender that hangs up stops waiting, not the writing.
        await asyncio.shield(answer)

    async def close(self) -> None:
        """Write what waits, answer it, and end."""
        self._closing = True
        if self._thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
            await asyncio.sleep(0)

    def _run(self) -> None:
        last = False
        while not last:
            batch, last = self._take()
            try:
                self._look()
                self._write(batch)
                trouble = None
            except StoreError as error:
                trouble = error
            except Exception as error:
                # A fault of ours must not end the thread: every sender would wait for ever.
                log.exception("the inbox cannot be written")
                trouble = StoreUnavailable(f"the inbox cannot be written ({type(error).__name__})")
            if batch:
                self._loop.call_soon_threadsafe(self._answer, batch, trouble)

    def _take(self) -> tuple[list[_Waiting], bool]:
        """What waits now, at least one where any comes within a second; and whether it is the last."""
        batch: list[_Waiting] = []
        size = 0
        try:
            item = self._queue.get(timeout=1.0)
            while item is not None:
                batch.append(item)
                size += item.size
                if len(batch) >= AT_ONCE or size >= AT_ONCE_BYTES:
                    return batch, False
                item = self._queue.get_nowait()
        except queue.Empty:
            return batch, not self._gather(batch)
        return batch, True

    def _gather(self, batch: list[_Waiting]) -> bool:
        """Wait a little for those the last commit answered. False if it is the end instead that comes."""
        size, took = self._last
        if not batch or size < 2 or took < SLOW:
            return True
        until = time.monotonic() + min(GATHER * took, LONGEST_GATHER)
        expected = min(len(batch) + size, AT_ONCE)
        while len(batch) < expected and (left := until - time.monotonic()) > 0:
            try:
                item = self._queue.get(timeout=left)
            except queue.Empty:
                break
            if item is None:
                return False
            batch.append(item)
        return True

    def _write(self, batch: list[_Waiting]) -> None:
        began = time.monotonic()
        try:
            self._commit(batch)
            self._last = (len(batch), time.monotonic() - began)
        except StoreUnavailable as error:
            if not ballast.make_room(self._store.home, error):
                raise
            log.error("the ballast file was freed to make room; the disk needs space")
            self._commit(batch)
        if batch:
            ring(self._store.home, "page-people")

    def _commit(self, batch: list[_Waiting]) -> None:
        if not batch and not self._untidy:
            return
        parts = [part for one in batch for part in one.parts]
        known = self._critical_of({mark for part in parts if part.if_critical for mark in part.identities})
        first = 0
        with self._store.intake() as conn:
            if parts:
                first, place = _written(conn, batch, known)
                if first < self._mark.seq or (place is not None and place < self._critical.seq):
                    self._begun = False
                    raise StoreUnavailable("intake.db has been put back to an older one; try again in a moment")
            if self._untidy:
                self._untidy = inbox.remove_decided(conn, self._mark, TIDY) > 0
        for seq, part in enumerate(parts, first):
            self._undecided.append((seq, len(part.body)))
            self._undecided_bytes += len(part.body)
        while self._undecided and self._undecided[0][0] < self._mark.seq:
            self._undecided_bytes -= self._undecided.popleft()[1]

    def _critical_of(self, ends: set[str]) -> set[str]:
        """Those of some alerts of which a critical one fires; all of them where that cannot be looked up."""
        if not ends:
            return ends
        try:
            with self._store.read() as conn:
                return alerts.critical_among(conn, ends)
        except StoreUnavailable as error:
            log.warning("it cannot be looked up how severe is what ends: %s", error)
            return ends

    def _look(self) -> None:
        """Learn how far the inbox is decided; at first also what is left in it from before."""
        if self._begun and time.monotonic() - self._looked_at < LOOK_EVERY:
            return
        try:
            with self._store.read() as conn:
                mark, critical = inbox.mark(conn), inbox.mark(conn, "critical")
        except StoreUnavailable as error:
            if not self._begun:
                raise
            # What comes in can be written down all the same.
            log.warning("it cannot be seen how far the inbox is decided: %s", error)
            mark, critical = self._mark, self._critical
        self._untidy |= mark != self._mark
        self._mark, self._critical = mark, critical
        if not self._begun:
            with self._store.intake() as conn:
                if inbox.begin_after(conn, self._mark, self._critical):
                    log.warning("intake.db is older than decisions.db: it goes on counting behind what is decided")
                self._undecided = deque(inbox.undecided(conn, self._mark))
            self._undecided_bytes = sum(size for _, size in self._undecided)
            self._begun = True
            self._say_listening()
        self._looked_at = time.monotonic()

    def _say_listening(self) -> None:
        """Alerts that nobody could have told us of meanwhile are not over because of that: see `drain`."""
        now = self._clock.now()
        try:
            with self._store.decide() as conn:
                components.report(conn, COMPONENT, "ok", "takes alerts in", now, {"since": now})
        except StoreUnavailable as error:
            log.warning("since when alerts are taken in cannot be stored: %s", error)

    def _answer(self, batch: list[_Waiting], trouble: StoreError | None) -> None:
        for one in batch:
            self._waiting -= 1
            self._waiting_bytes -= one.size
            if one.answer.done():
                continue
            if trouble is None:
                one.answer.set_result(None)
            else:
                one.answer.set_exception(StoreUnavailable(str(trouble)))


def _written(conn: Connection, batch: list[_Waiting], known: set[str]) -> tuple[int, int | None]:
    """Write requests down, each part in its lane; those of the alerts in `known` that end are critical.

    Returns the number of the first row, and the first place given in the critical lane, if any was.
    """
    rows: list[dict[str, object]] = [
        {"at": one.at, "source": one.source, "kind": one.kind, "body": part.body} for one in batch for part in one.parts
    ]
    first = inbox.add(conn, rows) - len(rows) + 1
    places = 0
    entering: list[int] = []
    for seq, part in enumerate((part for one in batch for part in one.parts), first):
        if not part.identities:
            entering += [seq] if part.critical else []
            continue
        lanes.note(conn, seq, part.identities)
        lanes.enter(conn, entering)
        places, entering = places + len(entering), []
        if part.critical or (part.if_critical and (part.identities & known or lanes.inside(conn, part.identities))):
            # Itself is the last of these: nothing overtakes an older row about the same alert.
            moving = lanes.left_behind(conn, part.identities)
            lanes.enter(conn, moving)
            places += len(moving)
    lanes.enter(conn, entering)
    places += len(entering)
    return first, lanes.newest(conn) - places + 1 if places else None
