"""The `systemd` check: is a unit as it should be, by `systemctl show`?

Without `expect.state` a unit passes while it is active, or reloads itself. A job that a timer starts is inactive in
between: `expect: {state: [active, activating, inactive]}` passes then, unless its last run failed.

A unit that systemd restarts again and again is active at nearly every look; it fails once it was restarted
`restarts_per_hour` times within an hour.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from tasks.probes.attempt import Answer, Attempt, Failing
from tasks.probes.program import run
from tasks.probes.words import spoken

PROPERTIES = ("LoadState", "ActiveState", "SubState", "Result", "ExecMainStatus", "NRestarts")
RUNNING = ("active", "reloading", "refreshing")
BUS = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
"""What `systemctl --user` finds this user's own instance by."""


async def attempt(a: Attempt) -> Answer:
    target = a.check.systemd
    if target is None:
        raise Failing("the check names no unit")
    a.waiting_for = "answer of systemctl"
    argv = [
        "systemctl",
        *(["--user"] if target.user else []),
        "show",
        "--no-pager",
        f"--property={','.join(PROPERTIES)}",
    ]
    try:
        code, output, _ = await run([*argv, "--", target.unit], a.context.folder, BUS)
    except Failing as error:
        raise Failing(f"could not be checked: {error.reason}") from error
    found = parse(output)
    if code != 0 or "ActiveState" not in found:
        said = output.strip().splitlines()
        raise Failing(f"could not be checked: {said[0] if said else f'systemctl ended with exit {code}'}")
    count = int(found["NRestarts"]) if found.get("NRestarts", "").isdigit() else None
    now = asyncio.get_running_loop().time()
    lately = None if count is None else a.context.restarts.seen((target.unit, target.user), count, now)
    wanted = a.check.expect.state
    answer = judge(target.unit, found, RUNNING if wanted is None else (wanted,) if isinstance(wanted, str) else wanted)
    if lately is not None and target.restarts_per_hour is not None and lately[0] >= target.restarts_per_hour:
        times, within = lately
        raise Failing(
            f"{answer.reason}, but systemd restarted it {times} times within {spoken(within)} "
            f"(restarts_per_hour: {target.restarts_per_hour})",
            {**answer.details, "restarts_within_an_hour": times},
        )
    return answer


def parse(output: str) -> dict[str, str]:
    """The `Name=value` lines of `systemctl show`."""
    return dict(line.split("=", 1) for line in output.splitlines() if "=" in line)


def judge(unit: str, found: Mapping[str, str], wanted: tuple[str, ...] | list[str]) -> Answer:
    """Raises Failing with the state found."""
    load, active, sub, result = (found.get(name, "") for name in PROPERTIES[:4])
    details = {"state": active, "sub_state": sub, "result": result}
    if found.get("NRestarts", "").isdigit():
        details["restarts"] = found["NRestarts"]
    if load == "not-found":
        raise Failing(f"there is no unit {unit}", details)
    if load not in ("loaded", ""):
        raise Failing(f"unit {unit} is {load}", details)
    state = f"{active} ({sub})" if sub and sub != active else active
    why = _why(result, found.get("ExecMainStatus", ""))
    if active not in wanted:
        raise Failing(f"unit {unit} is {state}{why}, expected {' or '.join(wanted)}", details)
    if active == "inactive" and why:
        raise Failing(f"unit {unit} is {state}, but its last run failed{why}", details)
    return Answer(f"unit {unit} is {state}", details)


def _why(result: str, status: str) -> str:
    if result in ("", "success"):
        return ""
    return f": {result} {status}" if result == "exit-code" else f": {result}"
