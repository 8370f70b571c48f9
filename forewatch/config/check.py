"""`forewatch check`: is a configuration right? Of what it says, and of what comes of it here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from forewatch.config.crosscheck_remedies import RunbookJudge
from forewatch.config.doubts import doubts
from forewatch.config.files import ConfigFiles
from forewatch.config.loader import RunbookNames, examine, load_files
from forewatch.config.models import Config
from forewatch.errors import ConfigError


@dataclass(frozen=True)
class Checked:
    """One line for each thing found, in the order of the files."""

    problems: list[str]
    """For which it cannot come into force."""
    faults: list[str] = field(default_factory=list)
    """For which remedies are off, and of runbooks that do not load."""
    warnings: list[str] = field(default_factory=list)
    """None of a configuration with problems: they may be the very reason."""
    config: Config | None = None
    """As it comes into force, without the remedies that are off; None where it cannot."""
    unneeded: list[str] = field(default_factory=list)
    """Those of the faults that are of runbook files alone."""


def check(files: ConfigFiles, known_runbooks: RunbookNames | None = None, judge: RunbookJudge | None = None) -> Checked:
    """All there is to say of a configuration. Looks at the disk and the environment for the warnings."""
    found = examine(files, known_runbooks=known_runbooks, judge=judge)
    faults = [fault for fault in found.faults if not fault.warning]
    if found.config is None or found.problems:
        return Checked(found.lines(found.problems), found.lines(faults))
    warnings = [fault for fault in found.faults if fault.warning]
    warnings += doubts(found.config, found.top, found.wrong)
    return Checked(
        [],
        found.lines(faults),
        found.lines(warnings),
        found.working(),
        found.lines([fault for fault in found.files if not fault.warning]),
    )


def check_file(path: Path, known_runbooks: RunbookNames | None = None, judge: RunbookJudge | None = None) -> Checked:
    """The same of a file and all it includes. Never raises for its content."""
    try:
        return check(load_files(path), known_runbooks, judge)
    except ConfigError as error:
        return Checked(error.problems)
