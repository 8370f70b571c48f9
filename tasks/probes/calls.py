"""How jobs that must call in stand, by what the store knows of their calls."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from forewatch.checking.heartbeats import Heartbeat, Verdict, clipped, judge, key_of
from forewatch.clock import Clock
from forewatch.config.secrets import reveal
from forewatch.config.targets import HeartbeatTarget
from forewatch.errors import StoreUnavailable
from forewatch.store import pings
from forewatch.store.engine import Store

log = logging.getLogger(__name__)

PATIENCE = 3.0
"""Seconds the store gets to answer."""


class Calls:
    """`await calls(target)` judges one job's calls. With `watches`, a job seen for the first time is expected from now.

    While the store does not answer, a verdict stays what it was: no call can be stored then either, and that is the
    fault of no job. Raises SecretError where the token cannot be read.
    """

    def __init__(self, store: Store, clock: Clock, *, watches: bool = True) -> None:
        self._store = store
        self._clock = clock
        self._watches = watches
        self._last: dict[str, Verdict] = {}

    async def __call__(self, target: HeartbeatTarget) -> Verdict:
        key = key_of(reveal(target.token))
        try:
            async with asyncio.timeout(PATIENCE):
                state = await self._store.run(self._read, key)
        except (StoreUnavailable, TimeoutError) as error:
            log.warning("calls of jobs cannot be read: %s", error or f"no answer within {PATIENCE:g}s")
            before = self._last.get(key) or Verdict("new", "not known yet")
            return replace(before, reason=f"{before.reason} (the store cannot be read at present)")
        verdict = self._last[key] = judge(state, target, self._clock.now())
        return verdict

    def _read(self, key: str) -> Heartbeat:
        with self._store.read() as conn:
            state = pings.get(conn, key)
        now = self._clock.now()
        if state is not None and clipped(state, now) is state:
            return state
        if not self._watches:
            return clipped(state or Heartbeat(now), now)
        with self._store.decide() as conn:
            state = clipped(pings.get(conn, key) or Heartbeat(now), now)
            pings.put(conn, key, state)
        return state
