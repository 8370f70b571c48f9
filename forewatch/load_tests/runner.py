"""The load itself: open loop. Every request has its moment, and its time is counted from that moment.

A client that waits for an answer before it sends the next request (closed loop) sends next to nothing while the service
stalls, and so hardly sees the stall: "coordinated omission". Here requests come due whatever the answers do. One that
finds `max_in_flight` of them under way waits for its turn with the clock running, is counted as `delayed`, and as an
error `unsent` where its time-out passes first. How late the generator was with those it was free to send is measured as
well: beyond what one core can do, the figures would be its own.
"""

from __future__ import annotations

import asyncio
import errno
import math
import socket
import ssl
from collections import deque
from collections.abc import Callable

import httpx

from forewatch.clock import Clock
from forewatch.load_tests.arrivals import arrivals
from forewatch.load_tests.lanes import Lanes
from forewatch.load_tests.load import Load, LoadRefused, check
from forewatch.load_tests.result import TIMEOUT, UNSENT, Measured, Second

Told = Callable[[Measured], None]
_TELLS_EVERY = 0.2
_LONGEST_SLEEP = 0.1


async def run(load: Load, clock: Clock, *, stop: asyncio.Event | None = None, told: Told | None = None) -> Measured:
    """Put the load on; returns what came of it, or of its part until `stop` was set.

    Takes `duration` and at most `timeout` more. `told` hears of what is measured so far a few times a second. Raises
    LoadRefused for a load that cannot be meant.
    """
    check(load)
    async with httpx.AsyncClient(headers=dict(load.headers), trust_env=False) as client:
        content = load.body.encode() if load.body is not None else None
        try:
            request = client.build_request(load.method.upper(), load.url, content=content)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise LoadRefused(f"{load.url} is not a URL: {error}") from error
    return await _Run(load, clock, request, stop or asyncio.Event(), told).carry_out()


class _Run:
    def __init__(
        self, load: Load, clock: Clock, request: httpx.Request, stop: asyncio.Event, told: Told | None
    ) -> None:
        self._load, self._request, self._stop, self._told = load, request, stop, told
        self._lanes = Lanes(load.verify_tls)
        # Not the loop's own time: uvloop's has whole milliseconds only.
        self._time = clock.monotonic
        self._waiting: deque[float] = deque()
        self._senders: set[asyncio.Task[None]] = set()
        seconds = [Second() for _ in range(math.ceil(load.duration))]
        self.measured = Measured(clock.now(), load.rate, load.duration, seconds=seconds)

    async def carry_out(self) -> Measured:
        self._begin = self._time()
        teller = asyncio.create_task(self._tell())
        try:
            await self._send_all()
            # Each sender ends by its own time-outs; the wait is bounded by them.
            while self._senders and not self._stop.is_set():
                await asyncio.wait(set(self._senders), timeout=_LONGEST_SLEEP)
        finally:
            teller.cancel()
            await self._end()
        return self.measured

    async def _send_all(self) -> None:
        load, measured = self._load, self.measured
        for offset in arrivals(load.arrivals, load.rate, load.duration, load.seed):
            due = self._begin + offset
            while (early := due - self._time()) > 0:
                await asyncio.sleep(min(early, _LONGEST_SLEEP))
                if self._stop.is_set():
                    return
            measured.due += 1
            self._second(due).due += 1
            if len(self._senders) < load.max_in_flight:
                measured.lag.add(max(0.0, self._time() - due))
                sender = asyncio.create_task(self._sender(due))
                self._senders.add(sender)
                sender.add_done_callback(self._senders.discard)
            else:
                self._waiting.append(due)
            if measured.due % 16 == 0:
                # Behind its time it never sleeps: the answers must be read all the same.
                await asyncio.sleep(0)
                if self._stop.is_set():
                    return

    async def _sender(self, due: float) -> None:
        """One request, and after it those that wait for a place."""
        await self._send(due)
        while self._waiting and not self._stop.is_set():
            due = self._waiting.popleft()
            if self._time() >= due + self._load.timeout:
                self._fails(due, UNSENT)
                self._took(due, self._load.timeout)
                # One sender may find thousands of these.
                await asyncio.sleep(0)
                continue
            self.measured.delayed += 1
            await self._send(due)

    async def _send(self, due: float) -> None:
        timeout = self._load.timeout
        try:
            async with asyncio.timeout(due + timeout - self._time()):
                status, size = await self._lanes.send(self._request)
        except TimeoutError:
            self._fails(due, TIMEOUT)
            self._took(due, timeout)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ssl.SSLError) as error:
            self._fails(due, kind_of(error))
        else:
            self.measured.bytes += size
            if status >= 400:
                self._fails(due, f"status {status}")
            else:
                self.measured.good += 1
                self._second(due).good += 1
                self._took(due, self._time() - due)

    def _took(self, due: float, time: float) -> None:
        self.measured.times.add(time)
        self._second(due).times.add(time)

    def _fails(self, due: float, kind: str) -> None:
        self.measured.errors[kind] = self.measured.errors.get(kind, 0) + 1
        self._second(due).failed += 1

    def _second(self, due: float) -> Second:
        return self.measured.seconds[min(int(due - self._begin), len(self.measured.seconds) - 1)]

    async def _tell(self) -> None:
        while self._told is not None:
            self.measured.elapsed = self._time() - self._begin
            self._told(self.measured)
            await asyncio.sleep(_TELLS_EVERY)

    async def _end(self) -> None:
        measured = self.measured
        measured.stopped = self._stop.is_set()
        measured.unfinished = len(self._senders) + len(self._waiting)
        for sender in self._senders:
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        await self._lanes.close()
        # A load that ran through took its duration, though the last request was due a gap before its end.
        elapsed = self._time() - self._begin
        measured.elapsed = elapsed if measured.stopped else max(elapsed, measured.duration)


_BY_NUMBER = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection reset",
    errno.EHOSTUNREACH: "host unreachable",
    errno.ENETUNREACH: "network unreachable",
    errno.EMFILE: "too many open files",
    errno.EADDRNOTAVAIL: "out of local ports",
}
_BY_TYPE: tuple[tuple[type[Exception], str], ...] = (
    (httpx.ConnectTimeout, "cannot connect"),
    (httpx.ConnectError, "cannot connect"),
    (httpx.RemoteProtocolError, "hung up without an answer"),
    (httpx.ReadError, "connection reset"),
    (httpx.WriteError, "connection reset"),
    (httpx.UnsupportedProtocol, "not HTTP"),
)


def kind_of(error: Exception) -> str:
    """What went wrong with a request, in two or three words."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "TLS refused"
        if isinstance(cause, socket.gaierror):
            return "name not found"
        if isinstance(cause, OSError) and cause.errno in _BY_NUMBER:
            return _BY_NUMBER[cause.errno]
        cause = cause.__cause__ or cause.__context__
    return next((kind for one, kind in _BY_TYPE if isinstance(error, one)), type(error).__name__)
