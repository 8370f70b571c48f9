"""One way of logging for every process: UTC time, process, level, logger, message; secrets masked.

    2026-11-03T09:04:05.678Z page-people INFO tasks.delivery: NT-42 sent to ops-hook in 120ms

Masking happens where the record is made, not in a handler, so that handlers of libraries (Prefect's sends records to
its server) get masked text too.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
from types import TracebackType
from typing import Any

from forewatch.clock import MICROSECONDS, iso
from forewatch.guard.redact import redact, redact_data
from forewatch.home import Home

LEVEL = "FOREWATCH_LOG_LEVEL"
"""Environment variable: debug, info (default), warning, error."""

LARGEST = 10_000_000
"""Bytes of one log file; four are kept."""

# At INFO these log every request or statement, with its URL.
_CHATTY = ("httpx", "httpcore", "asyncio", "urllib3", "alembic", "aiosqlite")

_formatter = logging.Formatter()


class RedactedRecord(logging.LogRecord):
    """A record whose message, traceback and stack hold no secret, whoever formats it."""

    def __init__(
        self,
        name: str,
        level: int,
        pathname: str,
        lineno: int,
        msg: object,
        args: Any,
        exc_info: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None] | None,
        func: str | None = None,
        sinfo: str | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(name, level, pathname, lineno, msg, args, exc_info, func, redact(sinfo) if sinfo else sinfo)
        if isinstance(exc_info, tuple) and exc_info[0] is not None:
            # Formatters take this text rather than make their own.
            self.exc_text = redact(_formatter.formatException(exc_info))
        # Formatters for access logs look at the arguments themselves; numbers must stay numbers for "%d".
        if isinstance(self.args, tuple):
            self.args = tuple(redact(value) if isinstance(value, str) else value for value in self.args)
        elif self.args:
            self.args = redact_data(self.args)

    def getMessage(self) -> str:
        return redact(super().getMessage())


class OneLine(logging.Formatter):
    """Further lines of a message are indented, so that no text from outside can pass for a line of its own."""

    def __init__(self, process: str) -> None:
        super().__init__("%(message)s")
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        at = iso(round(record.created * MICROSECONDS))
        text = super().format(record).replace("\r", "").replace("\n", "\n    ")
        return f"{at} {self._process} {record.levelname} {record.name}: {text}"


class LogFile(logging.handlers.RotatingFileHandler):
    """A file that stays quiet where it cannot be written (disk full): the same line went to standard error."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass


class Terminal(logging.StreamHandler[Any]):
    """Standard error, whichever it is when a line is written."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def setup_logging(process: str, home: Home | None) -> None:
    """Log to standard error and, with a home, to `logs/<process>.log`. A second call replaces what the first set up.

    Call it after a library has configured logging its own way (Prefect does when a flow run starts).
    """
    logging.setLogRecordFactory(RedactedRecord)
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        if isinstance(handler, LogFile):
            handler.close()
    handlers: list[logging.Handler] = [Terminal()]
    if home is not None:
        handlers.append(
            LogFile(home.logs / f"{process}.log", maxBytes=LARGEST, backupCount=3, encoding="utf-8", delay=True)
        )
    for handler in handlers:
        handler.setFormatter(OneLine(process))
        root.addHandler(handler)
    root.setLevel(_level())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)


def _level() -> int:
    name = os.environ.get(LEVEL, "info").upper()
    return logging.getLevelNamesMapping().get(name, logging.INFO)
