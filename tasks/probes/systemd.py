"""The `systemd` check: is a unit as it should be, by `systemctl show`?

Without `expect.state` a unit passes while it is active, or reloads itself. A job that a timer starts is inactive in
between: `expect: {state: [active, activating, inactive]}` passes then, unless its last run failed.
"""

from __future__ import annotations

from collections.abc import Mapping

from tasks.probes.attempt import Answer, Attempt, Failing
from tasks.probes.program import run

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
    wanted = a.check.expect.state
    return judge(target.unit, found, RUNNING if wanted is None else (wanted,) if isinstance(wanted, str) else wanted)


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
