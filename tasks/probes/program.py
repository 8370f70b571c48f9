"""A program run on behalf of a check: bounded in what it writes, sees of us, and leaves behind.

It is started from an argument list, never through a shell, in a session of its own and with an allow-listed
environment. Nothing it started is left running.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tasks.probes.attempt import Failing

OUTPUT_CAP = 1024 * 1024
ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME", "TMPDIR")
"""What a program sees of our environment: enough to run, no secrets."""

_LAST_WORDS = 0.2
"""Seconds for what is still in the pipe once the program has ended."""


class Outcome(NamedTuple):
    code: int | None
    """Negative: killed by that signal."""
    output: str
    """Standard output and error, as they came."""
    flooded: bool
    """It wrote more than OUTPUT_CAP and was ended there."""


async def run(argv: Sequence[str], folder: Path, also: Collection[str] = ()) -> Outcome:
    """Run a program to its end, with the variables `also` in its environment; cancelled, it is killed.

    Raises Failing where it cannot be started.
    """
    output = _Output()
    try:
        transport, _ = await asyncio.get_running_loop().subprocess_exec(
            lambda: output,
            *argv,
            cwd=folder,
            env={name: os.environ[name] for name in (*ENVIRONMENT, *also) if name in os.environ},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        missing = "program" if folder.is_dir() else "folder"
        raise Failing(f"no such {missing}: {argv[0] if missing == 'program' else folder}") from error
    except PermissionError as error:
        raise Failing(f"{argv[0]} may not be executed") from error
    except OSError as error:
        raise Failing(f"{argv[0]} cannot be started: {error.strerror}") from error
    try:
        await output.over.wait()
        _kill_group(transport.get_pid())
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                await output.silent.wait()
        code = transport.get_returncode()
    finally:
        _kill_group(transport.get_pid())
        transport.close()
    return Outcome(code, output.text.decode(errors="replace"), output.flooded)


class _Output(asyncio.SubprocessProtocol):
    """Collects the output up to the cap; knows the program's end from its pipe's, which a grandchild may hold open."""

    def __init__(self) -> None:
        self.text = bytearray()
        self.flooded = False
        self.over = asyncio.Event()
        self.silent = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.text += data[: OUTPUT_CAP - len(self.text)]
        if len(self.text) >= OUTPUT_CAP:
            self.flooded = True
            self.over.set()
            self.silent.set()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self.silent.set()

    def process_exited(self) -> None:
        self.over.set()


def _kill_group(pid: int | None) -> None:
    """The program is its group's leader, so the group bears its pid."""
    if pid is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
