"""Keeping a stand-by: a spare inside a running flow run of `respond`, waiting to be told of the next remedy.

One takes the place of another as shifts do: after an hour, after it was told of a run, or died. Where no remedy acts by
itself nobody waits for one: it would be 55 MB for nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from prefect.client.orchestration import PrefectClient
from prefect.states import Pending

from forewatch.orchestration.deployed import Deployed
from forewatch.orchestration.flow_jobs import AWAY
from forewatch.orchestration.launcher import Job, Launcher
from forewatch.orchestration.run_records import STAND_BY

log = logging.getLogger("forewatch.stand_bys")

LOOK_EVERY = 0.25
RELIEVED_AFTER = 3600.0
"""Seconds after which another takes its place: a record that runs for days tells people nothing."""
STAND_WITHIN = 30.0
"""Seconds that a stand-by may take until it waits for a run; the server may be slow."""
MAKE_WITHIN = 15.0
REFILL_DELAY = 1.0
"""Seconds before a stand-by that was told of a run is replaced: the remedy needs the cores now."""
AGAIN_AFTER = 5.0
"""Seconds before the next try where none could be made, doubled each time."""
AT_LAST_AFTER = 300.0

Ready = Callable[[], tuple[PrefectClient, Mapping[str, Deployed]] | None]


class StandBys:
    """`ready()` gives the client and the deployments while Prefect answers, None while it does not. `wanted()`: whether
    a remedy may be due that is to begin at once."""

    def __init__(
        self, launcher: Launcher, ready: Ready, wanted: Callable[[], bool], monotonic: Callable[[], float]
    ) -> None:
        self._launcher = launcher
        self._ready = ready
        self._wanted = wanted
        self._now = monotonic
        self._coming: Job | None = None
        self._standing: Job | None = None
        self._sent = self._stood = 0.0
        """When the one that comes was sent, and since when the other stands."""
        self._not_before = 0.0
        self._failures = 0
        self._closed = False

    @property
    def standing(self) -> bool:
        """Whether one waits for a run."""
        return self._standing is not None and self._standing.child.alive and not self._standing.cancelled

    def take(self, run_id: str) -> bool:
        """Have the stand-by carry out a run. False where none stands."""
        job, self._standing = self._standing, None
        # One that is cancelled does nothing any more, though its engine may live on for a while.
        if job is None or job.cancelled:
            return False
        if job.child.stopped:
            job.child.kill()
            return False
        if not job.child.send("respond", run_id):
            return False
        job.run_id = run_id
        self._not_before = self._now() + REFILL_DELAY
        return True

    def retire(self) -> None:
        """Relieve it: what it was made with has changed."""
        for job in (self._coming, self._standing):
            if job is not None:
                self._launcher.relieve(job)
        self._coming = self._standing = None

    def close(self) -> None:
        """Send no more: the worker ends."""
        self._closed = True

    async def keep(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """See that one stands, or is on its way."""
        now = self._now()
        if not self.standing:
            self._standing = None
        if self._coming is not None:
            if not self._coming.child.alive:
                self._coming = None
                self._try_again_later()
            elif now - self._sent > STAND_WITHIN:
                log.warning("a stand-by does not come to stand within %.0f s and is ended", STAND_WITHIN)
                self._coming.child.kill()
            return
        if self._standing is not None and now - self._stood < RELIEVED_AFTER:
            return
        ready = self._ready() if self._wanted() and not self._closed else None
        if ready is not None and now >= self._not_before:
            await self._send(*ready)

    async def _send(self, client: PrefectClient, deployments: Mapping[str, Deployed]) -> None:
        if (deployed := deployments.get("respond")) is None:
            return
        try:
            async with asyncio.timeout(MAKE_WITHIN):
                flow_run = await client.create_flow_run_from_deployment(
                    deployed.id, parameters={"run": STAND_BY}, state=Pending(), name=STAND_BY, tags=[STAND_BY]
                )
            job = await self._launcher.stand_by(flow_run, deployed.entrypoint, self._stands)
        except (*AWAY, RuntimeError) as error:
            # A client that the link closes meanwhile, because Prefect fell silent, raises RuntimeError.
            log.warning("no stand-by could be made: %s", error or type(error).__name__)
            self._try_again_later()
            return
        self._coming, self._sent = job, self._now()

    def _try_again_later(self) -> None:
        self._not_before = self._now() + min(AGAIN_AFTER * 2**self._failures, AT_LAST_AFTER)
        self._failures += 1

    def _stands(self, job: Job) -> None:
        if job is not self._coming:
            # Not wanted any more, since configuration has changed.
            self._launcher.relieve(job)
            return
        self._failures = 0
        if self._standing is not None:
            self._launcher.relieve(self._standing)
        self._coming, self._standing, self._stood = None, job, self._now()
