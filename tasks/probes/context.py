"""What the probes of one event loop share: transfers, names, the process table, the configuration's folder."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

from forewatch.checking.heartbeats import Verdict
from forewatch.checking.restarts import Restarts
from forewatch.config.targets import HeartbeatTarget
from forewatch.orchestration.lateness import Lateness
from tasks.collect.patience import Patience
from tasks.probes.curl import Transfers
from tasks.probes.names import Names
from tasks.probes.process_table import ProcessTable
from tasks.probes.remarks import Remarks

JudgeCalls = Callable[[HeartbeatTarget], Awaitable[Verdict]]


class ProbeContext:
    """Opened once a loop: `async with ProbeContext(folder) as context`. Relative paths start at `folder`.

    `calls` says how a job stands that must call in; without it, heartbeats cannot be checked.
    """

    def __init__(self, folder: Path, calls: JudgeCalls | None = None) -> None:
        self.folder = folder
        self.calls = calls
        self.names = Names()
        self.processes = ProcessTable()
        self.patience = Patience()
        self.restarts = Restarts()
        """How often systemd restarted units of late."""
        self.lateness = Lateness()
        """How late this loop runs; known where somebody measures it."""
        self.remarks = Remarks()
        self._transfers: Transfers | None = None

    @property
    def transfers(self) -> Transfers:
        """Opened by the first check that needs them."""
        if self._transfers is None:
            self._transfers = Transfers()
        return self._transfers

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        if self._transfers is not None:
            self._transfers.close()
            self._transfers = None
        await self.names.close()
