"""The terminal: standard output, which every process inherits from `forewatch up`, and a log that stays."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from forewatch.alerting.notification import Notification
from forewatch.clock import SystemClock, iso, seconds
from forewatch.errors import DeliveryFailed
from forewatch.home import Home
from forewatch.notifying.sender import Receipt, Rendered

TIMEOUT = 3.0
"""Seconds a terminal that takes no output (stopped with Ctrl-S, a full pipe) may hold us up: less than a stand-in for
another notifier gets, or what the log has would count as failed."""

LOG = "notifications.log"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")

# Not the event loop's own threads: where names cannot be resolved, the look-ups of other notifiers hold all of those,
# and this is the notifier that must be left then. A stuck terminal in turn must not hold up the log.
_LOG_THREAD = ThreadPoolExecutor(1, thread_name_prefix="console-log")
_TERMINAL_THREAD = ThreadPoolExecutor(1, thread_name_prefix="console-terminal")


WIDTH = 88
"""Characters after which the id of the incident and the link stand."""
INDENT = " " * 9
COLOURS = {
    "CRITICAL": "1;31",
    "FAILED": "1;31",
    "WARNING": "33",
    "UPDATE": "33",
    "FIXED": "32",
    "RESOLVED": "32",
    "ENDED": "36",
}
"""ANSI colours of the first word, where the terminal shows them and NO_COLOR is not set."""


class ConsoleSender:
    templates = Path(__file__).with_name("templates")

    def __init__(self, name: str, home: Home) -> None:
        self._name = name
        self._log = home.logs / LOG

    async def send(self, notification: Notification, content: Mapping[str, Any], rendered: Rendered) -> Receipt:
        now = SystemClock().now()
        line = one_line(f"{iso(now)} {notification.id} {rendered.text}")
        shown = "\n".join(laid_out(now, content, rendered.text, coloured=_coloured()))
        # The log first: it must hold what a stuck terminal did not show.
        outcomes = await asyncio.gather(
            _within(TIMEOUT, _LOG_THREAD, self._append, line),
            _within(TIMEOUT, _TERMINAL_THREAD, _print, shown),
            return_exceptions=True,
        )
        failures = [str(outcome) or "no answer" for outcome in outcomes if isinstance(outcome, BaseException)]
        if len(failures) == len(outcomes):
            raise DeliveryFailed(f"{self._name}: neither terminal nor log: {'; '.join(failures)}", permanent=False)
        return Receipt(self._name, "; ".join(["shown", *failures]))

    def _append(self, line: str) -> None:
        handle = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as log:
            log.write(line + "\n")


def laid_out(now: int, content: Mapping[str, Any], text: str, *, coloured: bool = False) -> list[str]:
    """A message as it stands on the terminal: the local time, the word in a column, the incident and the link beside.

    16:49:01 CRITICAL website is down: home refused by localhost:8491                                 INC-3
             restart-service is trying to fix it (RUN-2).                127.0.0.1:4280/incidents/INC-3
    """
    first, *rest = [clean(part.strip()) for part in text.splitlines() if part.strip()] or [""]
    word = str(content.get("word", ""))
    if word and first.startswith(f"{word} "):
        painted = f"\x1b[{COLOURS[word]}m{word}\x1b[0m" if coloured and word in COLOURS else word
        first = f"{painted}{' ' * max(0, 8 - len(word))} {first[len(word) + 1 :]}"
    head = f"{datetime.fromtimestamp(seconds(now)).astimezone():%H:%M:%S} {first}"
    hidden = len(head) - len(_ANSI.sub("", head))
    lines = [_beside(head, str(content.get("incident_id") or ""), hidden), *(INDENT + part for part in rest)]
    link = str((content.get("links") or {}).get("incident", "")).partition("://")[2]
    if link and rest and len(lines[-1]) + len(link) + 2 <= WIDTH + 16:
        lines[-1] = f"{lines[-1]}{' ' * max(2, WIDTH - len(lines[-1]) - len(link) + 5)}{link}"
    elif link:
        lines.append(INDENT + link)
    return lines


def _beside(line: str, what: str, hidden: int) -> str:
    return f"{line:<{WIDTH + hidden}} {what}".rstrip() if what else line


def _coloured() -> bool:
    isatty = getattr(sys.stdout, "isatty", None)
    return isatty is not None and isatty() and "NO_COLOR" not in os.environ


def clean(text: str) -> str:
    """The text without characters that could steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def one_line(text: str) -> str:
    """The text on one line, without characters that could steer a terminal."""
    return clean(" | ".join(part.strip() for part in text.splitlines() if part.strip()))


def _print(line: str) -> None:
    print(line, file=sys.stdout, flush=True)


async def _within(timeout: float, thread: Executor, work: Callable[[str], None], line: str) -> None:
    async with asyncio.timeout(timeout):
        await asyncio.get_running_loop().run_in_executor(thread, work, line)
