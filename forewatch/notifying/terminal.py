"""How a message stands on a terminal, and in the log that `forewatch up` shows from.

16:49:01 CRITICAL website is down: home refused by localhost:8491                                 INC-3
         restart-service is trying to fix it (RUN-2).                127.0.0.1:4280/incidents/INC-3
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TextIO

from forewatch.clock import iso, seconds

WIDTH = 88
"""Characters after which the id of the incident and the link stand."""
INDENT = " " * 9
COLOURS = {
    "CRITICAL": "1;31",
    "FAILED": "1;31",
    "WARNING": "33",
    "UPDATE": "33",
    "FIXED": "32",
    "RESOLVED": "32",
    "ENDED": "36",
}
"""ANSI colours of the first word, where the terminal shows them and NO_COLOR is not set."""

_LOGGED = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]+Z) \S+ (  )?(.*)")
_WORD = re.compile(r"^(\d\d:\d\d:\d\d )([A-Z]+)(?= )")


def laid_out(now: int, content: Mapping[str, Any], text: str) -> list[str]:
    """The local time, the word in a column, the incident and the link beside it."""
    first, *rest = [clean(part.strip()) for part in text.splitlines() if part.strip()] or [""]
    word = str(content.get("word", ""))
    if word and first.startswith(f"{word} "):
        first = f"{word:<8} {first[len(word) + 1 :]}"
    head = f"{_local(now)} {first}"
    incident = str(content.get("incident_id") or "")
    lines = [f"{head:<{WIDTH}} {incident}".rstrip() if incident else head, *(INDENT + part for part in rest)]
    link = str((content.get("links") or {}).get("incident", "")).partition("://")[2]
    if link and rest and len(lines[-1]) + len(link) + 2 <= WIDTH + 16:
        lines[-1] = f"{lines[-1]}{' ' * max(2, WIDTH - len(lines[-1]) - len(link) + 5)}{link}"
    elif link:
        lines.append(INDENT + link)
    return lines


def logged(now: int, notification_id: str, lines: Sequence[str]) -> list[str]:
    """Lines that are laid out, as the log keeps them: each with the instant and the notification's id."""
    first, *rest = lines
    return [f"{iso(now)} {notification_id} {text}" for text in (first[9:], *(f"  {line[9:]}" for line in rest))]


def shown(line: str) -> str:
    """A line of the log as it stands on the terminal; any other as it is."""
    found = _LOGGED.fullmatch(line)
    if found is None:
        return line
    at = int(datetime.fromisoformat(found[1]).timestamp() * 1_000_000)
    return INDENT + found[3] if found[2] else f"{_local(at)} {found[3]}"


def coloured(line: str) -> str:
    """The line with its first word in colour."""
    found = _WORD.match(line)
    if found is None or found[2] not in COLOURS:
        return line
    return f"{found[1]}\x1b[{COLOURS[found[2]]}m{found[2]}\x1b[0m{line[found.end() :]}"


def has_colours(stream: TextIO | None) -> bool:
    """Whether this is a terminal whose user wants colours."""
    isatty = getattr(stream, "isatty", None)
    return isatty is not None and isatty() and "NO_COLOR" not in os.environ


def clean(text: str) -> str:
    """The text without characters that could steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _local(at: int) -> str:
    return f"{datetime.fromtimestamp(seconds(at)).astimezone():%H:%M:%S}"
