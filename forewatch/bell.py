"""Waking another process at once: a datagram on a local socket. A lost ring costs one poll interval, never more."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import tempfile
from pathlib import Path

from forewatch.home import Home

# sun_path holds 108 bytes on Linux, 104 on macOS.
_LONGEST_PATH = 100


def _address(home: Home, name: str) -> str:
    path = str(home.run / f"{name}.sock")
    if len(path.encode()) <= _LONGEST_PATH:
        return path
    digest = hashlib.sha256(path.encode()).hexdigest()[:16]
    return str(Path(tempfile.gettempdir(), f"forewatch-{digest}.sock"))


def ring(home: Home, name: str) -> bool:
    """Wake whoever listens as `name` (`worker`, `page-people`). False where nobody does; never blocks, never raises."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        wire.setblocking(False)
        try:
            wire.sendto(b"1", _address(home, name))
        except OSError:
            return False
    return True


class Bell:
    """The listening end, made inside a running event loop. A newer listener takes the name over from an older one."""

    def __init__(self, home: Home, name: str) -> None:
        self._path = Path(_address(home, name))
        self._path.unlink(missing_ok=True)
        self._wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._wire.setblocking(False)
        self._wire.bind(str(self._path))
        self._inode = self._path.stat().st_ino
        self._rung = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._wire.fileno(), self._heard)

    def _heard(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wire.recv(16):
                self._rung.set()

    async def wait(self, timeout: float) -> bool:
        """Until somebody rings, at most `timeout` seconds. True if somebody did; rings meanwhile are one."""
        try:
            async with asyncio.timeout(timeout):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True

    def close(self) -> None:
        self._loop.remove_reader(self._wire.fileno())
        self._wire.close()
        # The path may belong to a newer listener by now.
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()
