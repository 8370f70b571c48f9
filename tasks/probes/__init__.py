"""Active checks: ask a target now, and say in plain words how it is.

Each kind of check is one module with `async def attempt(attempt) -> Answer` that raises `Failing`. To add a kind: add
its field to `forewatch.config.models.Check`, copy a module and its test, name it in `KINDS`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from forewatch.checks import ProbeResult
from forewatch.config.models import Check, Instance
from forewatch.errors import SecretError
from tasks.probes import command, dns, heartbeat, http, process, sql, systemd, tcp, tls
from tasks.probes.attempt import Answer, Attempt, Failing
from tasks.probes.context import ProbeContext
from tasks.probes.words import spoken

__all__ = ["KINDS", "ProbeContext", "probe"]

log = logging.getLogger(__name__)

KINDS: Mapping[str, Callable[[Attempt], Awaitable[Answer]]] = {
    "http": http.attempt,
    "tcp": tcp.attempt,
    "process": process.attempt,
    "command": command.attempt,
    "dns": dns.attempt,
    "tls": tls.attempt,
    "sql": sql.attempt,
    "systemd": systemd.attempt,
    "heartbeat": heartbeat.attempt,
}

RETRY_PAUSE = 0.1
"""Seconds before another try; one that comes at once would meet the same moment."""
ASLEEP = 0.25
"""A time-out noticed this many seconds late says that we were stopped or starved, and nothing about the target."""
_WAKE_UPS = 3


async def probe(check: Check, instance: Instance | None, context: ProbeContext) -> ProbeResult:
    """Probe once, and up to `retries` times more while it fails; each try may take `timeout`.

    Every trouble is a failing result with its reason; raises nothing but CancelledError.
    """
    result = await _try(check, instance, context)
    for _ in range(check.retries):
        if result.ok:
            break
        await asyncio.sleep(RETRY_PAUSE)
        result = await _try(check, instance, context)
    return result


async def _try(check: Check, instance: Instance | None, context: ProbeContext) -> ProbeResult:
    for _ in range(_WAKE_UPS):
        result, late = await _once(Attempt(check, instance, context))
        if late < ASLEEP:
            break
    return result


async def _once(attempt: Attempt) -> tuple[ProbeResult, float]:
    """One try, and by how many seconds its time-out was noticed late (0 where it did not run out)."""
    check = attempt.check
    late = 0.0
    try:
        async with asyncio.timeout(check.timeout):
            reason, details = await KINDS[check.kind](attempt)
        ok = True
    except Failing as error:
        ok, reason, details = False, error.reason, error.details
    except TimeoutError:
        late = attempt.elapsed() - check.timeout
        ok, reason, details = False, f"no {attempt.waiting_for} within {spoken(check.timeout)}", {}
    except SecretError as error:
        ok, reason, details = False, f"could not be checked: {error}", {}
    except Exception as error:  # a fault of our own must show as a failing check, not stop the others
        log.exception("the %s check failed by a fault of its own", check.kind)
        ok, reason, details = False, f"could not be checked: {type(error).__name__}: {error}", {}
    duration = attempt.elapsed()
    limit = check.expect.latency
    if ok and limit is not None and duration > limit:
        ok, reason = False, f"took {spoken(duration)}, expected at most {spoken(limit)}"
    return ProbeResult(ok, duration, reason, details), late
