"""The check engine: thousands of checks in one event loop, each at its own cadence.

* A heap holds what is due; one timer wakes the loop for its head and starts a task per due check. A check goes back on
  the heap when its round is over, so it never overlaps itself and a slow target delays nobody else.
* A check's moments lie on a fixed grid of the monotonic clock (`anchor + n * every`). Rounds that could not be held
  (a long probe, a suspended machine) are left out, never made up for in a burst.
* A time-out that our own loop may be to blame for is no verdict: the check is late, not failing. Where too many rounds
  go by without one, that is an alert of its own (`forewatch.checking.overload`).
* Somebody who is about to act may ask for a check's next result at once (`soon`): its own round is brought forward, and
  counts as any other. There are never two rounds of one check.
* A transition is handed over at once, results follow in batches. The state moves on only when the transition has been
  taken: if that fails, the check is soon probed again and the transition found again.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import random
import resource
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from forewatch.alerting.alert import Labels
from forewatch.checking.results import (
    CheckKey,
    CheckResult,
    CheckState,
    Monitor,
    ProbeResult,
    advance,
    cleared,
    dropped,
    monitors,
    raised,
    relabelled,
    take_over,
)
from forewatch.clock import Clock, SystemClock, seconds
from forewatch.config.models import Check, Config, Instance
from forewatch.incidents.events import AlertCleared, AlertRaised
from tasks.probes import ProbeContext, probe
from tasks.probes.context import JudgeCalls
from tasks.probes.own_lateness import OwnLateness
from tasks.probes.watched import Watched

log = logging.getLogger(__name__)

FIRST_ROUND = 5.0
"""Seconds over which a cold start spreads the first probes."""
BATCH = 0.25
"""Seconds at most between a result and the batch that carries it."""
AT_ONCE = 2000
"""Probes under way at once. More than that many targets must hang together before one of them delays another."""
SPARE = 256
"""File descriptors left to the rest of the process; each probe under way holds one or two."""
TOGETHER = 0.01
"""Seconds by which one of many checks may begin early, with another one that is due: to start several costs less."""
MANY = 1000
AT_A_TIME = 16
"""Checks started before the loop gets its turn: those under way go on, and are timed without the others' beginnings."""
RETRY = 1.0
"""Seconds until a check is probed again whose transition could not be handed over."""
KEPT = 100_000
"""Results kept for the next batch while they cannot be handed over; then the oldest go."""

Probe = Callable[[Check, Instance | None, ProbeContext], Awaitable[ProbeResult]]
OnTransition = Callable[[AlertRaised | AlertCleared], Awaitable[object]]
OnResults = Callable[[list[CheckResult]], Awaitable[object]]


@dataclass(frozen=True)
class Pulse:
    """How the engine does. Lateness: seconds between a check's due time and its start, since the last pulse."""

    checks: int
    running: int
    rounds: int
    lateness_max: float
    lateness_mean: float
    results_lost: int


def descriptors(wanted: int) -> int:
    """How many file descriptors this process may have, raised towards `wanted` as far as the system allows.

    Most systems start a process with 1,024, and a probe that gets none would look like a failing target.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(wanted, SPARE + 1) if soft == resource.RLIM_INFINITY else max(soft, SPARE + 1)


class CheckEngine:
    """`start`, then `reconfigure` as often as needed, then `stop`; all on one loop.

    `states`, `restarts` (of units: seconds before now, as negative, and count) and `firing` (labels of firing alerts,
    ours among them) are what the watch before left. `on_transition` and
    `on_results` may fail: what they did not take comes again. They must not call `stop` or `reconfigure` themselves.
    """

    def __init__(
        self,
        config: Config,
        folder: Path,
        states: Mapping[CheckKey, CheckState],
        on_transition: OnTransition,
        on_results: OnResults,
        *,
        firing: Iterable[Labels] = (),
        calls: JudgeCalls | None = None,
        restarts: Mapping[tuple[str, bool], Sequence[tuple[float, int]]] | None = None,
        clock: Clock | None = None,
        probe: Probe = probe,
        at_once: int = AT_ONCE,
        first_round: float = FIRST_ROUND,
        rng: random.Random | None = None,
    ) -> None:
        self._on_transition = on_transition
        self._on_results = on_results
        self._clock = clock or SystemClock()
        self._probe = probe
        self._at_once = min(at_once, descriptors(at_once + SPARE) - SPARE)
        self._first_round = first_round
        self._random = rng or random.Random()
        self._context = ProbeContext(folder, calls)
        self._restarts = restarts or {}
        self._planned = monitors(config)
        firing = list(firing)
        self._taken, self._orphans, self._moved = take_over(self._planned, states, firing)
        self._moving = asyncio.Lock()
        self._own_lateness = OwnLateness(self._context.lateness, self._clock, firing)
        self._watched: dict[CheckKey, Watched] = {}
        self._heap: list[tuple[float, int, Watched]] = []
        self._order = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._results: list[CheckResult] = []
        self._lost = 0
        self._timer: asyncio.TimerHandle | None = None
        self._wake_at = 0.0
        self._flusher: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._refusing = False
        self._rounds = 0
        self._late_sum = self._late_max = 0.0

    @property
    def states(self) -> dict[CheckKey, CheckState]:
        return {key: watched.state for key, watched in self._watched.items()}

    def pulse(self) -> Pulse:
        """How it went since the last call."""
        mean = self._late_sum / self._rounds if self._rounds else 0.0
        pulse = Pulse(len(self._watched), len(self._tasks), self._rounds, self._late_max, mean, self._lost)
        self._rounds = self._lost = 0
        self._late_sum = self._late_max = 0.0
        return pulse

    def latest(self, key: CheckKey) -> tuple[CheckResult, float] | None:
        """A check's latest result of this watch, and its age in seconds; None where there is none."""
        watched = self._watched.get(key)
        if watched is None or watched.latest is None:
            return None
        return watched.latest, asyncio.get_running_loop().time() - watched.seen_at

    def state(self, key: CheckKey) -> CheckState | None:
        watched = self._watched.get(key)
        return watched.state if watched is not None else None

    def every(self, key: CheckKey) -> float:
        """Seconds between two rounds of a check; 0 where it is not watched."""
        watched = self._watched.get(key)
        return watched.monitor.check.every if watched is not None else 0.0

    def soon(self, key: CheckKey) -> asyncio.Future[CheckResult] | None:
        """A check's next result: that of the round under way, else of its next one, which begins now. None where it is
        not watched; cancelled where it is no longer."""
        watched = self._watched.get(key)
        if watched is None or self._stopping.is_set():
            return None
        loop = asyncio.get_running_loop()
        if watched.awaited is None:
            watched.awaited = loop.create_future()
        if not watched.under_way and watched.due > loop.time():
            watched.due = loop.time()
            self._push(watched)
            self._set_timer()
        return watched.awaited

    async def start(self) -> None:
        """Begin to watch, and clear the alerts of checks that are no longer configured."""
        self._own_lateness.start()
        now = asyncio.get_running_loop().time()
        for unit, seen in self._restarts.items():
            self._context.restarts.remember(unit, [(now + before, count) for before, count in seen])
        self._flusher = asyncio.create_task(self._flush_again_and_again(), name="hand over check results")
        for monitor in self._planned:
            self._watch(monitor, self._taken[monitor.key])
        self._set_timer()
        await self._clear_orphans()

    async def reconfigure(self, config: Config, folder: Path | None = None) -> None:
        """Watch by another configuration: unchanged checks go on undisturbed, alerts nobody would clear are cleared."""
        if folder is not None:
            self._context.folder = folder
        planned = {monitor.key: monitor for monitor in monitors(config)}
        gone = [watched for key, watched in self._watched.items() if planned.get(key) != watched.monitor]
        for watched in gone:
            # Off the list first: a round that ends from now on is not heard.
            del self._watched[watched.monitor.key]
        await self._end_rounds(gone)
        kept = {watched.monitor.key: watched.state for watched in gone}
        for watched in gone:
            successor = planned.get(watched.monitor.key)
            down = watched.state.status == "down"
            if successor is None:
                kept.pop(watched.monitor.key)
                if down:
                    self._orphans.append(self._moved.pop(watched.monitor.key, watched.monitor.labels))
            elif down and dict(successor.labels) != dict(watched.monitor.labels):
                self._moved.setdefault(watched.monitor.key, watched.monitor.labels)
        for key, monitor in planned.items():
            if key not in self._watched:
                self._watch(monitor, kept.get(key, CheckState()))
        self._set_timer()
        await self._clear_orphans()

    async def stop(self) -> None:
        """End the probes under way, let transitions be handed over, hand over the last results, close connections."""
        self._stopping.set()
        if self._timer is not None:
            self._timer.cancel()
        await self._end_rounds(list(self._watched.values()))
        self._own_lateness.stop()
        if self._flusher is not None:
            await asyncio.wait([self._flusher])
        await self._flush()
        await self._context.close()

    def _watch(self, monitor: Monitor, state: CheckState) -> None:
        loop_now = asyncio.get_running_loop().time()
        every = monitor.check.every
        ago = seconds(self._clock.now() - state.at)
        if state.at and 0 <= ago < 2 * every:
            # The watch before kept a rhythm: go on with it. A missed beat is due at once.
            anchor = loop_now - ago
            due = max(loop_now, anchor + every)
        else:
            phase = self._random.random()
            anchor = loop_now + phase * every
            due = loop_now + phase * min(every, self._first_round)
        watched = self._watched[monitor.key] = Watched(monitor, state, anchor, due, self._own_lateness.now())
        self._push(watched)

    def _push(self, watched: Watched) -> None:
        watched.place = next(self._order)
        heapq.heappush(self._heap, (watched.due, watched.place, watched))

    def _set_timer(self) -> None:
        """Wake for the head of the heap; where all places are taken, the end of a round does it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._heap and len(self._tasks) < self._at_once and not self._stopping.is_set():
            self._wake_at = self._heap[0][0]
            self._timer = asyncio.get_running_loop().call_at(self._wake_at, self._tick)

    def _tick(self) -> None:
        # The loop may call a timer early by its clock's resolution.
        now = max(asyncio.get_running_loop().time(), self._wake_at)
        until = now + TOGETHER if len(self._watched) >= MANY else now
        started = 0
        while self._heap and self._heap[0][0] <= until and len(self._tasks) < self._at_once and started < AT_A_TIME:
            _, place, watched = heapq.heappop(self._heap)
            if self._watched.get(watched.monitor.key) is not watched or place != watched.place:
                continue
            late = max(0.0, now - watched.due)
            self._rounds += 1
            self._late_sum += late
            self._late_max = max(self._late_max, late)
            started += 1
            watched.probing = True
            task = watched.task = asyncio.create_task(self._round(watched))
            self._tasks.add(task)
            task.add_done_callback(self._round_over)
        self._set_timer()

    def _round_over(self, task: asyncio.Task[None]) -> None:
        was_full = len(self._tasks) >= self._at_once
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a round of a check broke off", exc_info=task.exception())
        if was_full:
            self._set_timer()

    async def _round(self, watched: Watched) -> None:
        loop = asyncio.get_running_loop()
        monitor = watched.monitor
        try:
            result = await self._probe(monitor.check, monitor.instance, self._context)
        except Exception as error:
            log.exception("the check %s of %s broke off", monitor.key.check, monitor.key.service)
            result = ProbeResult(False, 0.0, f"could not be checked: {type(error).__name__}: {error}")
        finally:
            watched.probing = False
        if self._watched.get(monitor.key) is not watched:
            return
        taken = await self._settle(watched, result)
        if self._watched.get(monitor.key) is watched and not self._stopping.is_set():
            watched.due = watched.next_due(loop.time())
            if not taken:
                watched.due = min(watched.due, loop.time() + RETRY)
            self._push(watched)
            if self._heap[0][2] is watched:
                self._set_timer()

    async def _settle(self, watched: Watched, result: ProbeResult) -> bool:
        """Move the state on; False where a transition was not taken, so that the state stays before it."""
        monitor, now = watched.monitor, self._clock.now()
        # Handing it over may take seconds: what was seen before is no younger for that.
        seen_at = asyncio.get_running_loop().time()
        before = watched.state
        state, transition = advance(before, result, monitor.check, now)
        taken = True
        if transition is not None:
            if transition != "recovered":
                late = self._own_lateness.ran_late
                event: AlertRaised | AlertCleared = raised(monitor, state, result, now, observer_late=late)
            else:
                event = cleared(monitor, state, result, now)
            taken = await (self._tell_moved(event, monitor) if monitor.key in self._moved else self._hand_over(event))
            if not taken:
                state = replace(state, status=before.status, since=before.since, kind=before.kind, others=before.others)
        watched.state = state
        if not result.late:
            watched.verdict_at = self._own_lateness.now()
        settled = CheckResult(monitor.key, now, result, state)
        self._results.append(settled)
        watched.settle(settled, seen_at)
        return taken

    async def _tell_moved(self, event: AlertRaised | AlertCleared, monitor: Monitor) -> bool:
        """Hand over a transition of a check whose alert fires under other labels still, or is being given its own."""
        async with self._moving:
            old = self._moved.get(monitor.key)
            if old is not None and isinstance(event, AlertCleared):
                event = replace(event, labels=dict(old))
            taken = await self._hand_over(event)
            if taken:
                self._moved.pop(monitor.key, None)
        return taken

    async def _hand_over(self, event: AlertRaised | AlertCleared) -> bool:
        try:
            await self._on_transition(event)
        except Exception:
            # The caller's fault must not end the watch; the check is probed again soon and tells the same once more.
            log.exception("a transition of %s was not taken; it will be handed over again", dict(event.labels))
            return False
        return True

    async def _clear_orphans(self) -> None:
        orphans, self._orphans = self._orphans, []
        for labels in orphans:
            if not await self._hand_over(dropped(labels, self._clock.now())):
                self._orphans.append(labels)
        for key in list(self._moved):
            # One after the other: a check that passes in this moment must say so under the labels its alert has then.
            async with self._moving:
                watched, before = self._watched.get(key), self._moved.get(key)
                if watched is None or before is None or watched.state.status != "down":
                    continue
                if await self._hand_over(relabelled(watched.monitor, watched.state, before, self._clock.now())):
                    self._has_moved(key, watched)

    def _has_moved(self, key: CheckKey, watched: Watched) -> None:
        """Its alert fires under the labels of `watched` now, which a newer configuration may have replaced already."""
        current = self._watched.get(key)
        if current is watched:
            self._moved.pop(key, None)
        elif current is not None:
            self._moved[key] = watched.monitor.labels
        else:
            self._moved.pop(key, None)
            self._orphans.append(watched.monitor.labels)

    async def _end_rounds(self, watched: Iterable[Watched]) -> None:
        """Cancel what is probing; wait for what is being handed over, since a decision is not to be torn."""
        tasks = []
        for one in watched:
            if one.awaited is not None:
                one.awaited.cancel()
            if one.task is not None and not one.task.done():
                tasks.append(one.task)
                if one.probing:
                    one.task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _flush_again_and_again(self) -> None:
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(BATCH):
                    await self._stopping.wait()
            await self._flush()
            verdicts = ((key, one.verdict_at, one.late_after) for key, one in self._watched.items())
            await self._own_lateness.look(verdicts, self._hand_over)
            if self._orphans or self._moved:
                await self._clear_orphans()

    async def _flush(self) -> None:
        batch, self._results = self._results, []
        if not batch:
            return
        try:
            await self._on_results(batch)
        except Exception:
            if not self._refusing:
                log.exception("%d check results were not taken; they will be handed over again", len(batch))
            self._refusing = True
            kept = batch + self._results
            self._lost += max(0, len(kept) - KEPT)
            self._results = kept[-KEPT:]
        else:
            self._refusing = False
