"""Deciding upon the inbox, slice by slice: short transactions, each of which moves the mark with what it decides.

Most of what comes is news of alerts that fire already and of which nothing but the end has moved. All such of a slice
are one event; everything else is an event of its own, in the order it came.

An event that cannot be decided upon for a fault of our own rolls its slice back. Its slice is then decided event by
event, and what fails again is set aside, so that it holds up nothing behind it.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from forewatch.alerting.arrival import merged_end
from forewatch.clock import Clock, micros
from forewatch.config.follow import Configuration
from forewatch.deciding import decide_in
from forewatch.errors import ForewatchError, StoreError, StoreUnavailable
from forewatch.incidents.events import AlertCleared, AlertRaised, AlertsRefreshed, AlertTimedOut, Event
from forewatch.incidents.outcome import Outcome
from forewatch.intake.decoding import events_of, mark_of, source_named
from forewatch.intake.writer import COMPONENT
from forewatch.store import alerts, components, firing, inbox, set_aside
from forewatch.store.engine import Store
from forewatch.store.firing import Firing
from forewatch.store.inbox import Mark, Row
from forewatch.store.shifts import Fence, check_fence

BUDGET = 0.04
"""Seconds after which a slice begins nothing more: with its commit it stays below a tenth of a second."""
AT_ONCE = 500
"""Events of one slice."""
LOOK_UP = 250
"""Alerts looked up with one query."""
ROWS = 500
"""Rows, and bytes, read from the inbox at once."""
ROWS_BYTES = 2 << 20
TIMED_OUT = 100
"""Alerts past their end that are looked at in one slice."""
REST = 60.0
"""Seconds an alert that could not be timed out, for a fault of our own, is left alone."""

log = logging.getLogger("forewatch.intake")


@dataclass(frozen=True)
class SetAside:
    """An event that could not be decided upon, and why."""

    event: Event
    error: Exception


@dataclass
class Slice:
    """What one slice did. `idle`: there was nothing left to do."""

    outcomes: list[Outcome] = field(default_factory=list)
    decided: int = 0
    set_aside: list[SetAside] = field(default_factory=list)
    idle: bool = False


@dataclass(frozen=True, slots=True)
class _Item:
    """An event, who sent it, and where the mark stands once it is decided."""

    event: Event
    fingerprint: str | None
    source: str
    after: Mark


class Drain:
    """The one that decides upon the inbox, for one watch. Blocks for a slice: call it through `store.run`."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        configuration: Configuration,
        fence: Fence,
        as_told: Callable[[Event], Event] = lambda event: event,
    ) -> None:
        """`as_told` says of an event who was paged of it while the store took no decisions."""
        self._as_told = as_told
        self._store = store
        self._clock = clock
        self._configuration = configuration
        self._fence = fence
        self._items: deque[_Item] = deque()
        self._mark: Mark | None = None
        self._alone = 0
        self._rested: dict[str, float] = {}

    def slice(self) -> Slice:
        """Decide upon the next events; with none left, upon alerts whose end has come without news.

        Raises Fenced if the watch is over, StoreUnavailable where nothing can be stored: nothing is changed then.
        """
        if not self._items:
            self._fetch()
        if not self._items:
            return self._sweep()
        try:
            return self._decide(1 if self._alone else AT_ONCE)
        except StoreError:
            self._forget()
            raise
        except Exception as error:  # noqa: BLE001 whatever our own code may do to an event
            if self._alone:
                return self._give_up(self._items[0], error)
            log.warning("events are decided one by one now, for one of them failed: %s", error)
            self._alone = min(len(self._items), AT_ONCE)
            return Slice()

    def firing_unknown(self) -> list[AlertRaised]:
        """The next critical alerts that wait here and do not fire already, where the store takes no decisions."""
        if not self._items:
            self._fetch()
        raised: dict[str, AlertRaised] = {}
        for item in self._items:
            if item.fingerprint is None:
                continue
            if isinstance(item.event, AlertRaised) and item.event.labels.get("severity") == "critical":
                raised[item.fingerprint] = item.event
            else:
                raised.pop(item.fingerprint, None)
        try:
            with self._store.read() as conn:
                known = firing.among(conn, raised)
        except StoreUnavailable as error:
            log.error("it cannot be looked up which alerts fire already: %s", error)
            known = {}
        return [event for mark, event in raised.items() if mark not in known]

    def _fetch(self) -> None:
        with self._store.read() as conn:
            mark = inbox.mark(conn)
        with self._store.read_intake() as conn:
            rows = inbox.read(conn, mark, rows=ROWS, size=ROWS_BYTES)
        self._mark = mark
        for row in rows:
            self._unpack(row, mark.done if row.seq == mark.seq else 0)

    def _unpack(self, row: Row, done: int) -> None:
        """The events of a row as items; a row without any, or one that cannot be read, leaves its trace in the mark."""
        _, config = self._configuration.current()
        try:
            events = list(events_of(row, source_named(config, row.source)))
        except Exception as error:
            # It was checked when it came, so it is a fault of ours: the row goes to people as it is.
            log.exception("row %d of the inbox cannot be read", row.seq)
            events = [_Unreadable(row.seq, row.body.decode(errors="replace")[:10_000], str(error))]
            done = 0
        if done >= len(events):
            events, done = [_Nothing()], 0
        last = len(events) - 1
        for position, event in enumerate(events):
            if position >= done:
                after = Mark(row.seq + 1, 0) if position == last else Mark(row.seq, position + 1)
                self._items.append(_Item(event, _fingerprint(event), row.source, after))

    def _decide(self, most: int) -> Slice:
        done = Slice()
        config = self._configuration.current()
        with self._store.decide() as conn:
            check_fence(conn, self._fence)
            if inbox.mark(conn) != self._mark:
                raise StoreError("the inbox has been decided further by another; it is read anew")
            began = time.monotonic()
            now = self._clock.now()
            run = _Run(conn, self._items)
            for position in range(min(most, len(self._items))):
                for event in run.to_decide(position, now):
                    done.outcomes.append(decide_in(conn, self._as_told(event), config=config, now=now))
                done.decided += 1
                if time.monotonic() - began > BUDGET:
                    break
            if run.untils:
                done.outcomes.append(decide_in(conn, AlertsRefreshed(run.untils, now), config=config, now=now))
            mark = self._items[done.decided - 1].after
            inbox.put_mark(conn, mark)
        self._move(mark, done.decided)
        return done

    def _give_up(self, item: _Item, error: Exception) -> Slice:
        """An event that failed alone: refused by the rules, which is an answer, or set aside."""
        refused = isinstance(error, ForewatchError)
        with self._store.decide() as conn:
            check_fence(conn, self._fence)
            if not refused:
                said = f"{type(error).__name__}: {error}"
                set_aside.add(conn, item.event, source=item.source, error=said, now=self._clock.now())
            inbox.put_mark(conn, item.after)
        self._move(item.after, 1)
        if refused:
            log.warning("%s", error)
            return Slice(decided=1)
        log.error("an event of %s is set aside: %s", item.source, item.event, exc_info=error)
        return Slice(decided=1, set_aside=[SetAside(item.event, error)])

    def _move(self, mark: Mark, count: int) -> None:
        self._mark = mark
        for _ in range(count):
            self._items.popleft()
        self._alone = max(0, self._alone - count)

    def _forget(self) -> None:
        """The next slice starts from what is stored."""
        self._items.clear()

    def _sweep(self) -> Slice:
        """Only with the inbox empty: in it may lie the news for which an alert is not over."""
        now = self._clock.now()
        config = self._configuration.current()
        with self._store.read() as conn:
            listening = components.get(conn, COMPONENT)
            patience = max((source.resolve_after for source in config[1].sources), default=0.0)
            since = int(listening.data.get("since", 0)) if listening is not None else 0
            # Nobody could tell us anything while we were away: what we last heard before that gets its time once more.
            heard = since if now < since + micros(patience) else 0
            over = alerts.timed_out(conn, now, TIMED_OUT + len(self._rested), heard_since=heard)
        moment = time.monotonic()
        self._rested = {mark: until for mark, until in self._rested.items() if until > moment}
        due = [mark for mark in over if mark not in self._rested]
        if not due:
            return Slice(idle=True)
        try:
            return self._time_out(due, now)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 the one that failed shows when each is decided by itself
            log.warning("alerts past their end are looked at one by one now, for one of them failed: %s", error)
        done = Slice()
        for mark in due:
            try:
                one = self._time_out([mark], now)
            except StoreError:
                raise
            except Exception as error:
                log.exception("an alert past its end cannot be resolved: %s", mark)
                self._rested[mark] = moment + REST
                done.set_aside.append(SetAside(AlertTimedOut(mark, now), error))
                continue
            done.outcomes += one.outcomes
            done.decided += one.decided
        return done

    def _time_out(self, marks: Sequence[str], now: int) -> Slice:
        """As many of them as there is time for."""
        done = Slice()
        config = self._configuration.current()
        with self._store.decide() as conn:
            check_fence(conn, self._fence)
            began = time.monotonic()
            for mark in marks:
                done.outcomes.append(decide_in(conn, AlertTimedOut(mark, now), config=config, now=now))
                done.decided += 1
                if time.monotonic() - began > BUDGET:
                    break
        return done


class _Run:
    """What a slice decides: `to_decide` gathers repeated news in `untils`, to be decided as one event at its end."""

    def __init__(self, conn: Connection, items: Sequence[_Item]) -> None:
        self._conn = conn
        self._items = items
        self._firing: dict[str, Firing | None] = {}
        self.untils: dict[str, tuple[int | None, bool]] = {}

    def to_decide(self, position: int, now: int) -> list[Event]:
        """The events to be decided for an item, none where it is repeated news."""
        item = self._items[position]
        event, mark = item.event, item.fingerprint
        if isinstance(event, _Nothing):
            return []
        if mark is None:
            return [event]
        alert = self._alert(mark, position)
        if isinstance(event, AlertCleared) and alert is None:
            # Senders repeat for minutes that an alert is over: where none fires there is nothing to decide.
            return []
        if isinstance(event, AlertRaised) and alert is not None and _same(alert, event):
            until, timeout = self.untils.get(mark, (alert.until, alert.timeout))
            self.untils[mark] = merged_end(until, timeout, event.until, event.timeout)
            return []
        del self._firing[mark]
        gathered = self.untils.pop(mark, None)
        return [event] if gathered is None else [AlertsRefreshed({mark: gathered}, now), event]

    def _alert(self, mark: str, position: int) -> Firing | None:
        """What fires under a fingerprint, looked up for many items ahead at once."""
        if mark not in self._firing:
            ahead = itertools.islice(self._items, position, position + LOOK_UP)
            wanted = {item.fingerprint for item in ahead if item.fingerprint is not None} - self._firing.keys()
            found = firing.among(self._conn, wanted)
            self._firing |= {one: found.get(one) for one in wanted}
        return self._firing[mark]


@dataclass(frozen=True)
class _Nothing(Event):
    """A row without any event: only the mark moves."""


@dataclass(frozen=True)
class _Unreadable(Event):
    """A row that no event can be made of: `decide` refuses it, so it is set aside."""

    seq: int
    body: str
    error: str


def _same(alert: Firing, event: AlertRaised) -> bool:
    """Whether nothing but its end is new."""
    return (
        alert.generator_url == event.generator_url
        and alert.starts_at <= event.at
        and firing.says(alert.labels, event.labels)
        and firing.says(alert.annotations, event.annotations)
    )


def _fingerprint(event: Event) -> str | None:
    if isinstance(event, AlertRaised | AlertCleared):
        return mark_of(event.identity if event.identity is not None else event.labels)
    return None
