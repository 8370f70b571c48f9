"""The `command` check: a program of one's own, judged by its exit code and what it writes.

It runs in the configuration's folder; see `program` for what is kept from it.
"""

from __future__ import annotations

import signal

from tasks.probes.attempt import Answer, Attempt, Failing
from tasks.probes.program import Outcome, run


async def attempt(a: Attempt) -> Answer:
    argv = [a.filled(word) for word in a.check.command or []]
    a.waiting_for = "end"
    return _judge(a, await run(argv, a.context.folder))


def _judge(a: Attempt, outcome: Outcome) -> Answer:
    code, output, flooded = outcome
    details = {"exit": code, "output": output[-400:]}
    expect = a.check.expect
    if flooded:
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


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
