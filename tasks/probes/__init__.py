"""Active checks: ask a target now, and say in plain words how it is.

Each kind of check is one module with `async def attempt(attempt) -> Answer` that raises `Failing`. To add a kind: add
its field to `forewatch.config.models.Check`, copy a module and its test, name it in `KINDS`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from forewatch.checking.results import ProbeResult
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
MOST_LOST = 0.2
"""Share of a try's time that our own loop may stand still before a time-out says nothing about the target either."""


async def probe(check: Check, instance: Instance | None, context: ProbeContext) -> ProbeResult:
    """Probe once, and up to `retries` times more while it fails; each try may take `timeout`.

    Every trouble is a failing result with its reason; raises nothing but CancelledError.
    """
    result = await _try(check, instance, context)
    for _ in range(check.retries):
        if result.ok or result.late:
            break
        await asyncio.sleep(RETRY_PAUSE)
        result = await _try(check, instance, context)
    return result


async def _try(check: Check, instance: Instance | None, context: ProbeContext) -> ProbeResult:
    result, overslept = await _once(Attempt(check, instance, context))
    if overslept >= ASLEEP:
        # After a pause of the whole machine all is well again; under load it is not, and more tries would add to it.
        result, _ = await _once(Attempt(check, instance, context))
    return result


async def _once(attempt: Attempt) -> tuple[ProbeResult, float]:
    """One try, and by how many seconds its time-out was noticed late (0 where it did not run out)."""
    check, lateness, loop = attempt.check, attempt.context.lateness, asyncio.get_running_loop()
    lost, overslept, timed_out = lateness.lost(attempt.started), 0.0, False
    try:
        async with asyncio.timeout(check.timeout):
            reason, details = await KINDS[check.kind](attempt)
        ok = True
    except Failing as error:
        ok, reason, details, timed_out = False, error.reason, error.details, error.timed_out
    except TimeoutError:
        overslept, timed_out = attempt.elapsed() - check.timeout, True
        ok, reason, details = False, f"no {attempt.waiting_for} within {spoken(check.timeout)}", {}
    except SecretError as error:
        ok, reason, details = False, f"could not be checked: {error}", {}
    except Exception as error:  # a fault of our own must show as a failing check, not stop the others
        log.exception("the %s check failed by a fault of its own", check.kind)
        ok, reason, details = False, f"could not be checked: {type(error).__name__}: {error}", {}
    duration = attempt.elapsed()
    limit = check.expect.latency
    if ok and limit is not None and duration > limit:
        ok, reason, timed_out = False, f"took {spoken(duration)}, expected at most {spoken(limit)}", True
    # Only what fails by the clock is doubted for our own clock: a refusal or a wrong answer is what it is.
    untimed = lateness.lost(loop.time()) - lost > MOST_LOST * duration
    late = timed_out and (untimed or overslept >= ASLEEP)
    return ProbeResult(ok, duration, reason, details, timed_out, late, untimed), overslept
