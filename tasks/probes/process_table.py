"""This machine's processes, by name and by listening port, read at most twice a second however many checks ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import psutil

from tasks.process_names import names_of

FRESH = 0.5
"""Seconds a reading is used for."""

Key = TypeVar("Key")


class ProcessTable:
    """Belongs to one event loop; the reading is done in a thread, since it takes tens of milliseconds."""

    def __init__(self) -> None:
        self._names = _Reading(_by_name)
        self._ports = _Reading(_by_port)

    async def named(self, name: str) -> list[int]:
        """The pids of living processes of that name, lowest first; a script's is its file's name."""
        return (await self._names.get()).get(name, [])

    async def listening(self, port: int) -> list[int] | None:
        """The pids that listen on a local TCP port; empty where the owner may not be seen; None where nobody does."""
        return (await self._ports.get()).get(port)


class _Reading(Generic[Key]):
    """The last reading, shared by all that ask while it is fresh or under way."""

    def __init__(self, read: Callable[[], Mapping[Key, list[int]]]) -> None:
        self._read = read
        self._task: asyncio.Task[Mapping[Key, list[int]]] | None = None
        self._begun = 0.0

    async def get(self) -> Mapping[Key, list[int]]:
        now = asyncio.get_running_loop().time()
        if self._task is None or now - self._begun > FRESH:
            self._begun = now
            self._task = asyncio.create_task(asyncio.to_thread(self._read))
        # One check that runs out of time must not cancel the reading for the others.
        return await asyncio.shield(self._task)


def _by_name() -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for process in psutil.process_iter():
        try:
            with process.oneshot():
                if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
                    continue
                called = names_of(process)
        except psutil.NoSuchProcess:
            continue
        for name in called:
            found.setdefault(name, []).append(process.pid)
    return found


def _by_port() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr:
            pids = found.setdefault(connection.laddr.port, [])
            if connection.pid is not None and connection.pid not in pids:
                pids.append(connection.pid)
    return found
