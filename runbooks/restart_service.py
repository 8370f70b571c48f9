"""Restart a service that is a process of this machine."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from signal import Signals
from typing import Annotated, Any, Literal

from pydantic import Field

from forewatch.runbook import Happened, Seconds, current_run, runbook, step
from tasks.act.processes import Identity, alive, end, shown
from tasks.act.records import Records, Started
from tasks.act.service import Target, find, forget_pidfile, remaining, settle
from tasks.act.start import environment as allowed
from tasks.act.start import start_detached, started_by

Data = dict[str, Any]


@step(changes=False, timeout=15)
async def find_service(target: Data) -> Data:
    """See who the service is now: by its record, its pid file or its command line."""
    found = find(Target(**target), _records())
    return {"processes": [process.as_json() for process in found.processes], "remark": found.remark}


@step(timeout=330, repeatable=True)
async def stop_service(target: Data, processes: list[Data], stop_signal: str, grace: float) -> str:
    """Ask its processes to end, and kill those that do not within their grace."""
    known = [Identity.from_json(process) for process in processes]
    first = Signals[f"SIG{stop_signal}"]
    return await end(lambda: remaining(Target(**target), known, _records()), first=first, grace=grace)


async def _has_started(target: Data, environment: list[str]) -> Happened[Data] | None:
    """Whether this run started it before its process died: its record says so, or the mark in its environment."""
    wanted, run = Target(**target), current_run().run_id
    record = _records().of(wanted.key)
    if record is not None and record.run == run and alive(record.leader):
        return Happened(record.leader.as_json())
    leader = started_by(run)
    if leader is None:
        return None
    _remember(wanted, leader, run)
    return Happened(leader.as_json())


@step(timeout=15, probe=_has_started)
async def start_service(target: Data, environment: list[str]) -> Data:
    """Execute the command in a session of its own, where nothing of Forewatch's end can reach it."""
    wanted, run = Target(**target), current_run().run_id
    forget_pidfile(wanted)
    leader = start_detached(
        wanted.command,
        folder=Path(wanted.folder),
        directory=Path(wanted.directory),
        output=Path(wanted.output),
        env=allowed(environment, run),
    )
    _remember(wanted, leader, run)
    return leader.as_json()


@step(timeout=15, repeatable=True)
async def see_it_settle(target: Data, leader: Data) -> int:
    """Watch its first moment, and write its pid file where the command does not."""
    return (await settle(Target(**target), Identity.from_json(leader), _records())).pid


@runbook(title="Restart a service", timeout=420)
async def restart_service(
    command: Annotated[list[str], Field(min_length=1)],
    pidfile: str | None = None,
    argv: list[str] | None = None,
    stop_signal: Literal["TERM", "INT", "QUIT", "HUP"] = "TERM",
    grace: Annotated[Seconds, Field(le=300)] = 5.0,
    working_directory: str | None = None,
    environment: list[str] | None = None,
    output: str | None = None,
    dry_run: bool = False,
    service: str | None = None,
) -> str:
    """Stop a service, if it still runs, and start it afresh. The command alone is enough.

    A process is signalled only if it is known for certain: Forewatch started it, or it is the one that the pid file
    names (without a pid file: the only one in that folder) and its command line is the command. The new process has a
    session of its own and outlives Forewatch.

    Args:
        command: What starts it, as a list of program and arguments; no shell. A relative program or path starts at the
            configuration's folder.
        pidfile: File with its pid. If the command does not write it within a second, Forewatch does.
        argv: The command line the running service shows, where it is not the command's own.
        stop_signal: Signal that asks it to end.
        grace: Seconds it gets to end before it is killed.
        working_directory: Folder it runs in; default the configuration's folder.
        environment: Names of environment variables it gets beside PATH, HOME, USER, LANG, TZ and their like.
        output: File its output is appended to; default a file in the logs of Forewatch's state folder.
        dry_run: Say what would be done, and do nothing.
    """
    target = _target(command, pidfile, argv, working_directory, output, service)
    found = await find_service(target)
    pids = ", ".join(str(process["pid"]) for process in found["processes"])
    if dry_run:
        first = f"would send {stop_signal} to pid {pids}, then" if pids else "would"
        return f"{found['remark']}; {first} start `{shown(command)}`"
    stopped = ""
    if pids:
        took = await stop_service(target, found["processes"], stop_signal, grace)
        stopped = f"stopped pid {pids} with {took} and "
    leader = await start_service(target, environment or [])
    pid = await see_it_settle(target, leader)
    return f"{stopped}started `{shown(command)}` as pid {pid}"


def _target(
    command: list[str],
    pidfile: str | None,
    argv: list[str] | None,
    working_directory: str | None,
    output: str | None,
    service: str | None,
) -> Data:
    run = current_run()
    name = service or run.service or os.path.basename(command[0])
    folder = run.folder
    logs = run.runtime.home.logs
    target = Target(
        service=name,
        command=command,
        argv=argv or command,
        folder=str(folder),
        directory=str((folder / (working_directory or ".")).resolve()),
        pidfile=str(folder / pidfile) if pidfile else None,
        output=str(folder / output) if output else str(logs / f"service-{name.replace('/', '-')}.log"),
    )
    return asdict(target)


def _records() -> Records:
    return Records(current_run().runtime.home.started)


def _remember(target: Target, leader: Identity, run: str) -> None:
    now = current_run().runtime.clock.now()
    started = Started(target.service, run, tuple(target.command), target.output, now, leader)
    _records().put(target.key, started)
