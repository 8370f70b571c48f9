"""What disks say of themselves, with smartctl, once an hour.

It may take long, or hang on a dying disk: nobody waits for it. A round takes home what the look begun earlier found.
A disk that cannot be read is no trouble of ours: `system.disk.smart.readable` is 0 then and its label says why.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from typing import Any

from sqlalchemy import Connection, func, select

from forewatch.clock import micros
from forewatch.detection import smart
from forewatch.store.engine import Store
from forewatch.store.schema import points, series
from tasks.collect.gathering import Gathering

EVERY = 3600.0
TIMEOUT = 30.0
"""Seconds smartctl gets for one disk."""
READABLE = "system.disk.smart.readable"

_MOST_DISKS = 64


class Smart:
    """Kept as long as a shift lasts; the store tells when a shift before looked."""

    def __init__(self, store: Store, program: str = "smartctl") -> None:
        self._store = store
        self._program = program
        self._looking: threading.Thread | None = None
        self._looked: Gathering | None = None
        self._due: int | None = None

    async def __call__(self, into: Gathering) -> None:
        looked, self._looked = self._looked, None
        if looked is not None:
            into.points += looked.points
        if self._due is None:
            looked_at = await self._store.run(self._looked_at)
            # One in the future was looked at before the clock was set back.
            self._due = looked_at + micros(EVERY) if looked_at and looked_at <= into.now else into.now
        if into.now >= self._due and (self._looking is None or not self._looking.is_alive()):
            self._due = into.now + micros(EVERY)
            # A daemon: it holds up neither the round nor the end of the shift.
            self._looking = threading.Thread(target=self._look, args=(into.now,), name="collect smart", daemon=True)
            self._looking.start()

    def _looked_at(self) -> int | None:
        with self._store.read_metrics() as conn:
            return _newest(conn)

    def _look(self, now: int) -> None:
        self._looked = look(Gathering(now), self._program)


def look(into: Gathering, program: str = "smartctl") -> Gathering:
    """Ask every disk once. Blocks, for half a minute a disk at most."""
    path = shutil.which(program)
    if path is None:
        into.add(READABLE, 0.0, device="all", reason="smartctl is not installed (package smartmontools)")
        return into
    scan = _report(path, "--scan")
    found = smart.devices(scan) if isinstance(scan, dict) else []
    if not found:
        reason = scan if isinstance(scan, str) else "smartctl finds no disk here"
        into.add(READABLE, 0.0, device="all", reason=reason)
    for name, kind in found[:_MOST_DISKS]:
        # A disk that sleeps is not woken for this.
        report = _report(path, "--all", "--nocheck=standby", f"--device={kind}", name)
        _add(into, name, smart.read(report) if isinstance(report, dict) else report)
    return into


def _newest(conn: Connection) -> int | None:
    newest = select(func.max(points.c.at)).join(series, series.c.id == points.c.series_id)
    return conn.execute(newest.where(series.c.metric == READABLE)).scalar()


def _add(into: Gathering, device: str, disk: smart.Disk | str) -> None:
    if isinstance(disk, str):
        into.add(READABLE, 0.0, device=device, reason=disk)
        return
    into.add(READABLE, 1.0, device=device)
    told = {
        "passed": None if disk.passed is None else float(disk.passed),
        "wear": disk.wear,
        "sectors": disk.sectors,
        "temperature": disk.temperature,
        "powered": disk.powered,
    }
    for name, value in told.items():
        if value is not None:
            into.add(f"system.disk.smart.{name}", value, device=device)


def _report(program: str, *arguments: str) -> dict[str, Any] | str:
    """What smartctl writes as JSON, or why there is none. Its exit status tells of the disk, not of the call."""
    try:
        done = subprocess.run(
            [program, "--json", *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False
        )
        found = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return f"smartctl has not answered within {TIMEOUT:g}s"
    except OSError as error:
        return f"smartctl cannot be started: {error.strerror}"
    except ValueError:
        return "smartctl gave no JSON (it takes version 7.0)"
    return found if isinstance(found, dict) else "smartctl gave no JSON object"
