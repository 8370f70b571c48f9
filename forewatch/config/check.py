"""`forewatch check`: is a configuration file right?"""

from __future__ import annotations

from pathlib import Path

from forewatch.config.loader import RunbookNames, load_files, parse
from forewatch.errors import ConfigError


def check_file(path: Path, known_runbooks: RunbookNames | None = None) -> list[str]:
    """One line for each problem of a file and all it includes; none if it is right. Never raises for its content."""
    try:
        parse(load_files(path), known_runbooks=known_runbooks)
    except ConfigError as error:
        return error.problems
    return []
