"""The terminal: standard output, which every process inherits from `forewatch up`, and a log that stays."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from forewatch.alerting.notification import Notification
from forewatch.clock import SystemClock
from forewatch.errors import DeliveryFailed
from forewatch.home import Home
from forewatch.notifying.sender import Receipt, Rendered
from forewatch.notifying.terminal import coloured, has_colours, laid_out, logged

TIMEOUT = 3.0
"""Seconds a terminal that takes no output (stopped with Ctrl-S, a full pipe) may hold us up: less than a stand-in for
another notifier gets, or what the log has would count as failed."""

LOG = "notifications.log"

# Not the event loop's own threads: where names cannot be resolved, the look-ups of other notifiers hold all of those,
# and this is the notifier that must be left then. A stuck terminal in turn must not hold up the log.
_LOG_THREAD = ThreadPoolExecutor(1, thread_name_prefix="console-log")
_TERMINAL_THREAD = ThreadPoolExecutor(1, thread_name_prefix="console-terminal")


class ConsoleSender:
    templates = Path(__file__).with_name("templates")

    def __init__(self, name: str, home: Home) -> None:
        self._name = name
        self._log = home.logs / LOG

    async def send(self, notification: Notification, content: Mapping[str, Any], rendered: Rendered) -> Receipt:
        now = SystemClock().now()
        lines = laid_out(now, content, rendered.text)
        shown = map(coloured, lines) if has_colours(sys.stdout) else lines
        # The log first: it must hold what a stuck terminal did not show.
        outcomes = await asyncio.gather(
            _within(TIMEOUT, _LOG_THREAD, self._append, "\n".join(logged(now, notification.id, lines))),
            _within(TIMEOUT, _TERMINAL_THREAD, _print, "\n".join(shown)),
            return_exceptions=True,
        )
        failures = [str(outcome) or "no answer" for outcome in outcomes if isinstance(outcome, BaseException)]
        if len(failures) == len(outcomes):
            raise DeliveryFailed(f"{self._name}: neither terminal nor log: {'; '.join(failures)}", permanent=False)
        return Receipt(self._name, "; ".join(["shown", *failures]))

    def _append(self, text: str) -> None:
        handle = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as log:
            log.write(text + "\n")


def _print(text: str) -> None:
    print(text, file=sys.stdout, flush=True)


async def _within(timeout: float, thread: Executor, work: Callable[[str], None], text: str) -> None:
    async with asyncio.timeout(timeout):
        await asyncio.get_running_loop().run_in_executor(thread, work, text)
