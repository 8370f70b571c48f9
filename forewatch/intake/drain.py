"""Deciding the inbox, slice by slice: short transactions, each of which moves a lane's mark with what it decides.

Critical alerts ride in a lane of their own (`intake.lanes`): nothing of the rest is decided while one of them waits.

Most of what comes is news of alerts that fire already and of which nothing but the end has moved. All such of a slice
are one event; everything else is an event of its own, in the order it came.

An event that cannot be decided for a fault of our own rolls its slice back. Its slice is then decided event by event,
and what fails again is set aside, so that it holds up nothing behind it.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from forewatch.alerting.alert import severity_of
from forewatch.alerting.arrival import merged_end
from forewatch.clock import Clock, micros
from forewatch.config.reload import Configuration
from forewatch.deciding import decide_in
from forewatch.errors import ForewatchError, StoreError, StoreUnavailable
from forewatch.incidents.events import AlertCleared, AlertRaised, AlertsRefreshed, AlertTimedOut, Event
from forewatch.incidents.outcome import Outcome
from forewatch.intake.pending import Item, Nothing, Queue, Waiting
from forewatch.intake.writer import COMPONENT
from forewatch.store import alerts, components, firing, set_aside
from forewatch.store.engine import Store
from forewatch.store.firing import Firing
from forewatch.store.shifts import Fence, check_fence

BUDGET = 0.04
"""Seconds of work after which a slice begins nothing more: with its commit it stays below a tenth of a second."""
LONGEST = 0.12
"""Seconds on the clock after which it does not either: beside other work it gets less done, not next to nothing."""
AT_ONCE = 500
"""Events of one slice."""
LOOK_UP = 250
"""Alerts looked up with one query at most: no more than twice of what the slice before had time for."""
LOOK_UP_FIRST = 8
TIMED_OUT = 100
"""Alerts past their end that are looked at in one slice."""
REST = 60.0
"""Seconds an alert that could not be timed out, for a fault of our own, is left alone."""

log = logging.getLogger("forewatch.intake")


@dataclass(frozen=True)
class SetAside:
    """An event that could not be decided, and why."""

    event: Event
    error: Exception


@dataclass
class Slice:
    """What one slice did. `idle`: there was nothing left to do."""

    outcomes: list[Outcome] = field(default_factory=list)
    decided: int = 0
    set_aside: list[SetAside] = field(default_factory=list)
    idle: bool = False


class Drain:
    """The one that decides the inbox, for one watch. Blocks for a slice: call it through `store.run`."""

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
        self._waiting = Waiting(store, configuration)
        self._usual = LOOK_UP_FIRST
        self._rested: dict[str, float] = {}

    def slice(self) -> Slice:
        """Decide the next events; with none left, alerts whose end has come without news.

        Raises Fenced if the watch is over, StoreUnavailable where nothing can be stored: nothing is changed then.
        """
        queue = self._waiting.next()
        if queue is None:
            return self._sweep()
        try:
            return self._decide(queue, 1 if queue.alone else AT_ONCE)
        except StoreError:
            self._waiting.forget()
            raise
        except Exception as error:  # noqa: BLE001 whatever our own code may do to an event
            if queue.alone:
                return self._give_up(queue, queue.items[0], error)
            log.warning("events are decided one by one now, for one of them failed: %s", error)
            queue.alone = min(len(queue.items), AT_ONCE)
            return Slice()

    def firing_unknown(self) -> list[AlertRaised]:
        """The next critical alerts that wait here and do not fire already, where the store takes no decisions.

        Each call goes on where the one before it ended, until a slice is decided again.
        """
        raised: dict[str, AlertRaised] = {}
        for item in self._waiting.look_ahead():
            if item.fingerprint is None:
                continue
            if isinstance(item.event, AlertRaised) and severity_of(item.event.labels) == "critical":
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

    def _decide(self, queue: Queue, most: int) -> Slice:
        done = Slice()
        config = self._configuration.current()
        items = queue.items
        with self._store.decide() as conn:
            check_fence(conn, self._fence)
            if not self._waiting.stands(conn):
                raise StoreError("the inbox has been decided further by another; it is read again")
            spent = _Spent()
            now = self._clock.now()
            run = _Run(conn, items, min(2 * self._usual, LOOK_UP))
            for position in range(min(most, len(items))):
                for event in run.to_decide(position, now):
                    done.outcomes.append(decide_in(conn, self._as_told(event), config=config, now=now))
                done.decided += 1
                if spent.all():
                    break
            if run.untils:
                done.outcomes.append(decide_in(conn, AlertsRefreshed(run.untils, now), config=config, now=now))
            marks = self._waiting.put_marks(conn, queue, done.decided)
        self._waiting.move(queue, done.decided, marks)
        self._usual = max(done.decided, LOOK_UP_FIRST)
        return done

    def _give_up(self, queue: Queue, item: Item, error: Exception) -> Slice:
        """An event that failed alone: refused by the rules, which is an answer, or set aside."""
        refused = isinstance(error, ForewatchError)
        with self._store.decide() as conn:
            check_fence(conn, self._fence)
            if not refused:
                said = f"{type(error).__name__}: {error}"
                set_aside.add(conn, item.event, source=item.source, error=said, now=self._clock.now())
            marks = self._waiting.put_marks(conn, queue, 1)
        self._waiting.move(queue, 1, marks)
        if refused:
            log.warning("%s", error)
            return Slice(decided=1)
        log.error("an event of %s is set aside: %s", item.source, item.event, exc_info=error)
        return Slice(decided=1, set_aside=[SetAside(item.event, error)])

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
            return self._time_out(due)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 the one that failed shows when each is decided by itself
            log.warning("alerts past their end are looked at one by one now, for one of them failed: %s", error)
        done = Slice()
        for mark in due:
            try:
                one = self._time_out([mark])
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

    def _time_out(self, marks: Sequence[str]) -> Slice:
        """As many of them as there is time for."""
        done = Slice()
        config = self._configuration.current()
        with self._store.decide() as conn:
            check_fence(conn, self._fence)
            spent = _Spent()
            now = self._clock.now()
            for mark in marks:
                done.outcomes.append(decide_in(conn, AlertTimedOut(mark, now), config=config, now=now))
                done.decided += 1
                if spent.all():
                    break
        return done


class _Spent:
    """The time a slice has taken so far."""

    def __init__(self) -> None:
        self._work = time.thread_time()
        self._began = time.monotonic()

    def all(self) -> bool:
        return time.thread_time() - self._work > BUDGET or time.monotonic() - self._began > LONGEST


class _Run:
    """What a slice decides: `to_decide` gathers repeated news in `untils`, to be decided as one event at its end."""

    def __init__(self, conn: Connection, items: Sequence[Item], look_up: int) -> None:
        self._conn = conn
        self._items = items
        self._look_up = look_up
        self._firing: dict[str, Firing | None] = {}
        self.untils: dict[str, tuple[int | None, bool]] = {}

    def to_decide(self, position: int, now: int) -> list[Event]:
        """The events to be decided for an item, none where it is repeated news."""
        item = self._items[position]
        event, mark = item.event, item.fingerprint
        if isinstance(event, Nothing):
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
            ahead = itertools.islice(self._items, position, position + self._look_up)
            wanted = {item.fingerprint for item in ahead if item.fingerprint is not None} - self._firing.keys()
            found = firing.among(self._conn, wanted)
            self._firing |= {one: found.get(one) for one in wanted}
        return self._firing[mark]


def _same(alert: Firing, event: AlertRaised) -> bool:
    """Whether nothing but its end is new."""
    return (
        alert.generator_url == event.generator_url
        and alert.starts_at <= event.at
        and firing.says(alert.labels, event.labels)
        and firing.says(alert.annotations, event.annotations)
    )
