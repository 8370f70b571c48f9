"""Standing by: a process that is inside a running flow run already, and waits to be told which run to carry out.

Making a flow run and starting it takes Prefect 0.3 s quiet and over a second on a busy machine; done beforehand, a
remedy begins some milliseconds after it was decided on. Set up by the child that the worker made a stand-by.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class StandBy:
    """`ready` is called once the process waits; whoever told it to stand by may give it a run from then on."""

    def __init__(self, ready: Callable[[], None]) -> None:
        self._ready = ready
        self._order: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

    async def order(self) -> str | None:
        """Wait for the run to carry out; None where it was relieved instead."""
        self._ready()
        return await self._order

    def give(self, run_id: str) -> None:
        """Carry out this run. The first order stays."""
        if not self._order.done():
            self._order.set_result(run_id)

    def relieve(self) -> None:
        """No run came; end."""
        if not self._order.done():
            self._order.set_result(None)


_here: StandBy | None = None


def stand_by(here: StandBy | None) -> None:
    """Make this process a stand-by, or (None) not one any more."""
    global _here
    _here = here


def standing_by() -> StandBy | None:
    """What this process stands by with; None where the worker did not ask it to."""
    return _here
