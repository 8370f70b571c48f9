"""Our own failures to Sentry (or a server that speaks its protocol), once each, redacted.

`SENTRY_DSN` turns it on; without it nothing is imported, nothing sent and nothing slow. The same error object is sent
once however many layers report it, and each kind of error at most `BURST` times in `WINDOW`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from forewatch import __version__
from forewatch.guard.redact import redact, redact_data, remember

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

BURST = 3
WINDOW = 300.0
"""Seconds in which one kind of error is sent at most BURST times."""

_KINDS = 500
_SHUTDOWN = 2.0
_OURS = ("forewatch", "flows", "tasks", "runbooks", "notifiers")
# What an error is about, most telling first; with its type and place this makes the group.
_ABOUT = ("runbook", "notifier", "flow", "component", "process")

logger = logging.getLogger(__name__)

_tags: ContextVar[Mapping[str, str]] = ContextVar("forewatch_error_tags", default={})  # noqa: B039 - never changed
_process: tuple[int, str] | None = None
_sent: dict[tuple[str, ...], tuple[float, int, int]] = {}


def start_sentry(process: str) -> bool:
    """Send this process's failures, if `SENTRY_DSN` is set. False where it is not, or is broken (said in the log)."""
    global _process
    dsn = os.environ.get("SENTRY_DSN", "").strip()
    if not dsn:
        return False
    remember(dsn)

    import sentry_sdk
    from sentry_sdk.integrations.atexit import AtexitIntegration
    from sentry_sdk.integrations.excepthook import ExcepthookIntegration
    from sentry_sdk.integrations.logging import LoggingIntegration
    from sentry_sdk.integrations.threading import ThreadingIntegration

    try:
        sentry_sdk.init(
            dsn=dsn,
            release=f"forewatch@{__version__}",
            environment=os.environ.get("SENTRY_ENVIRONMENT", "production"),
            server_name=socket.gethostname(),
            auto_enabling_integrations=False,
            default_integrations=False,
            integrations=[
                AtexitIntegration(callback=lambda pending, timeout: None),
                ExcepthookIntegration(),
                ThreadingIntegration(propagate_scope=True),
                LoggingIntegration(level=logging.INFO, event_level=None, sentry_logs_level=None),
            ],
            send_default_pii=False,
            include_source_context=False,
            max_request_body_size="never",
            auto_session_tracking=False,
            shutdown_timeout=_SHUTDOWN,
            ignore_errors=[KeyboardInterrupt],
            before_send=_before_send,
        )
    except ValueError as error:  # sentry_sdk's BadDsn is one
        logger.error("SENTRY_DSN is not a valid DSN (%s): errors are not sent; copy it from Sentry again", error)
        return False
    _process = (os.getpid(), process)
    return True


@contextlib.contextmanager
def scope(**tags: object) -> Iterator[None]:
    """Errors raised or reported inside carry these tags: flow, flow_run_id, flow_run_url, incident, runbook, step,
    service, notifier. An error keeps the tags of where it was raised, also when it is reported further out."""
    merged = {**_tags.get(), **{name: str(value) for name, value in tags.items() if value is not None}}
    token = _tags.set(merged)
    try:
        yield
    except Exception as error:
        if not hasattr(error, "_forewatch_tags"):
            _mark(error, "_forewatch_tags", merged)
        raise
    finally:
        _tags.reset(token)


def report(error: BaseException, **tags: object) -> bool:
    """Send `error` with the tags of `scope` and these. False where it is not sent: no DSN, sent already, too many.

    It never raises and never waits for the network. Logging the error is the caller's business.
    """
    if _process is None or _reported(error):
        return False
    import sentry_sdk

    with scope(**tags):
        return sentry_sdk.capture_exception(error) is not None


def flush(timeout: float = _SHUTDOWN) -> None:
    """Wait until what was reported has left, at most `timeout` seconds: before a process ends by `os._exit`."""
    if _process is not None:
        import sentry_sdk

        sentry_sdk.flush(timeout)


def _before_send(event: Event, hint: Hint) -> Event | None:
    error = hint["exc_info"][1] if hint.get("exc_info") else None
    if error is not None and _reported(error):
        return None
    data: dict[str, Any] = dict(event)
    tags = {**_tags.get(), **getattr(error, "_forewatch_tags", {})}
    if _process is not None:
        tags.setdefault("process", _process[1])
    data["tags"] = {**dict(data.get("tags") or {}), **tags}
    data["contexts"] = {**dict(data.get("contexts") or {}), "forewatch": tags}
    kind = _kind(data, tags)
    if kind is not None:
        data["fingerprint"] = list(kind)
        admitted, left_out = _admit(kind, time.monotonic())
        if not admitted:
            return None
        if left_out:
            data["extra"] = {**dict(data.get("extra") or {}), "left_out_before": left_out}
    if error is not None:
        _mark(error, "_forewatch_reported", True)
    redacted: Event = redact_data(data)
    return redacted


def _kind(event: Mapping[str, Any], tags: Mapping[str, str]) -> tuple[str, ...] | None:
    """(what it is about, error type, place): the place is our own innermost function, not a line that moves."""
    exceptions = (event.get("exception") or {}).get("values") or []
    if not exceptions:
        return None
    last = exceptions[-1]
    frames = (last.get("stacktrace") or {}).get("frames") or []
    ours = [frame for frame in frames if str(frame.get("module") or "").split(".")[0] in _OURS]
    frame = (ours or frames or [{}])[-1]
    place = f"{frame.get('module')}:{frame.get('function')}" + (f":{tags['step']}" if "step" in tags else "")
    about = next((f"{name} {tags[name]}" for name in _ABOUT if name in tags), "forewatch")
    return redact(about), str(last.get("type")), place


def _admit(kind: tuple[str, ...], now: float) -> tuple[bool, int]:
    """Whether one more of this kind may be sent at `now` (monotonic seconds), and how many were left out before it."""
    since, sent, left_out = _sent.pop(kind, (now, 0, 0))
    if now - since >= WINDOW:
        since, sent = now, 0
    admitted = sent < BURST
    _sent[kind] = (since, sent + 1, 0) if admitted else (since, sent, left_out + 1)
    while len(_sent) > _KINDS:
        del _sent[next(iter(_sent))]
    return admitted, left_out if admitted else 0


def _reported(error: BaseException) -> bool:
    """Whether this error, or the one it was raised from, has been sent."""
    seen: BaseException | None = error
    for _ in range(10):
        if seen is None:
            return False
        if getattr(seen, "_forewatch_reported", False):
            return True
        seen = seen.__cause__
    return False


def _mark(error: BaseException, name: str, value: object) -> None:
    # A class with __slots__ takes no marks; its errors may then be sent twice, which is the smaller harm.
    with contextlib.suppress(AttributeError, TypeError):
        setattr(error, name, value)
