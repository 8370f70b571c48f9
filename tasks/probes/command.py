"""The `command` check: a program of one's own, judged by its exit code and what it writes.

The program is started from an argument list, never through a shell, in the configuration's folder, in a session of its
own and with an allow-listed environment. Nothing it started is left running.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

from tasks.probes.attempt import Answer, Attempt, Failing

OUTPUT_CAP = 1024 * 1024
ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME", "TMPDIR")
"""What a program sees of our environment: enough to run, no secrets."""

_LAST_WORDS = 0.2
"""Seconds for what is still in the pipe once the program has ended."""


async def attempt(a: Attempt) -> Answer:
    argv = [a.filled(word) for word in a.check.command or []]
    a.waiting_for = "end"
    run = _Run()
    try:
        transport, _ = await asyncio.get_running_loop().subprocess_exec(
            lambda: run,
            *argv,
            cwd=a.context.folder,
            env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        missing = "program" if a.context.folder.is_dir() else "folder"
        raise Failing(f"no such {missing}: {argv[0] if missing == 'program' else a.context.folder}") from error
    except PermissionError as error:
        raise Failing(f"{argv[0]} may not be executed") from error
    except OSError as error:
        raise Failing(f"{argv[0]} cannot be started: {error.strerror}") from error
    try:
        await run.over.wait()
        _kill_group(transport.get_pid())
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                await run.silent.wait()
        code = transport.get_returncode()
    finally:
        _kill_group(transport.get_pid())
        transport.close()
    return _judge(a, code, run)


def _judge(a: Attempt, code: int | None, run: _Run) -> Answer:
    output = run.output.decode(errors="replace")
    details = {"exit": code, "output": output[-400:]}
    expect = a.check.expect
    if run.flooded:
        raise Failing("output larger than 1 MiB", details)
    if code is not None and code < 0:
        raise Failing(f"killed by {_signal_name(-code)}", details)
    if code != expect.exit:
        said = output.strip().splitlines()
        last = f": {said[-1].strip()[:120]}" if said else ""
        raise Failing(f"exit {code}, expected {expect.exit}{last}", details)
    if expect.output is not None and expect.output not in output:
        raise Failing(f'output lacks "{expect.output}"', details)
    return Answer(f"exit {code}", details)


class _Run(asyncio.SubprocessProtocol):
    """Collects the output up to the cap; knows the program's end from its pipe's, which a grandchild may hold open."""

    def __init__(self) -> None:
        self.output = bytearray()
        self.flooded = False
        self.over = asyncio.Event()
        self.silent = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.output += data[: OUTPUT_CAP - len(self.output)]
        if len(self.output) >= OUTPUT_CAP:
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


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
