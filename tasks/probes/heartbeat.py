"""The `heartbeat` check: has a job called in as it must? The calls come in at `/ping/<token>`; here they are judged."""

from __future__ import annotations

from forewatch.clock import iso
from tasks.probes.attempt import Answer, Attempt, Failing


async def attempt(a: Attempt) -> Answer:
    target = a.check.heartbeat
    if target is None:
        raise Failing("the check names no job")
    if a.context.calls is None:
        raise Failing("could not be checked: no Forewatch has run here that the job could have called")
    a.waiting_for = "answer of the store"
    verdict = await a.context.calls(target)
    details = {"state": verdict.status}
    if verdict.deadline is not None:
        details["deadline"] = iso(verdict.deadline)
    if verdict.failing:
        raise Failing(verdict.reason, details)
    return Answer(verdict.reason, details)
