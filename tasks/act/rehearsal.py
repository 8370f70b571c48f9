"""What a remedy in shadow would have needed: its runbook, inputs that fit its form, its command, its pid file.

Nothing is run. It is looked at with the rights and from the folder the runbook would have.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from forewatch import registry
from forewatch.config.models import Config, Remedy
from forewatch.errors import ForewatchError, StepFailed
from tasks.act import pidfiles


@dataclass(frozen=True)
class Rehearsed:
    """`problems`: why it could not have run, a clause each; `found`: what was looked at and is as it should be."""

    problems: list[str]
    found: list[str]


def rehearse(config: Config, remedy: Remedy, service: str) -> Rehearsed:
    """Look whether the remedy could run. Blocks for some milliseconds, and as long as its file takes to import."""
    try:
        runbook = registry.load("runbook")(remedy.runbook, config.runbook_folders)
    except ForewatchError as error:
        return Rehearsed([str(error).rstrip(".")], [])
    problems = runbook.problems_with({**remedy.inputs, "service": service, "incident": None, "run": None})
    found = [] if problems else ["its inputs fit its form"]
    folder = Path(config.folder)
    for wrong, right in (_command(remedy, folder), _pidfile(remedy, folder)):
        problems += [wrong] if wrong else []
        found += [right] if right else []
    return Rehearsed(problems, found)


def _command(remedy: Remedy, folder: Path) -> tuple[str, str]:
    """(what is wrong with its command, what is right): both empty where it has none."""
    command = remedy.inputs.get("command")
    if not isinstance(command, list) or not command or not isinstance(command[0], str):
        return "", ""
    program = command[0]
    where = str(folder / program) if os.sep in program else program
    if shutil.which(where) is None:
        exists = os.sep in program and Path(where).exists()
        return (f"{program} may not be executed" if exists else f"there is no program {program}"), ""
    return "", f"{program} can be executed"


def _pidfile(remedy: Remedy, folder: Path) -> tuple[str, str]:
    name = remedy.inputs.get("pidfile")
    if not isinstance(name, str):
        return "", ""
    try:
        pid = pidfiles.read(folder / name)
    except StepFailed as error:
        return str(error).rstrip("."), ""
    return "", f"{name} names pid {pid}" if pid is not None else f"{name} is not there, as of a service that is down"
