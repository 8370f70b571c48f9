"""What kind of failure a check's reason speaks of: another kind is news, also of what flaps, and sounds different."""

from __future__ import annotations

import re
from typing import Literal

Failure = Literal["refused", "time-out", "status", "body", "slow", "certificate", "process", "other"]

_KINDS: tuple[tuple[Failure, re.Pattern[str]], ...] = (
    ("certificate", re.compile(r"\bcertificate\b|\bTLS\b")),
    ("slow", re.compile(r"^took .*, expected at most ")),
    ("status", re.compile(r"^\d{3} after ")),
    ("refused", re.compile(r"^refused by |^connection reset by |^no route to |hung up without")),
    ("time-out", re.compile(r"^no (answer|connection|response|reply|headers?|body|[a-z ]+) (within|to|from)\b")),
    ("process", re.compile(r"^pid file |^process |^no process ")),
    ("body", re.compile(r"^(body|json|header) ")),
)

HEADLINES: dict[Failure, str] = {
    "refused": "is down",
    "time-out": "does not answer",
    "status": "answers with errors",
    "body": "answers wrongly",
    "slow": "is slow",
    "certificate": "has a certificate problem",
    "process": "is not running",
    "other": "fails",
}
"""What a service does whose check fails so."""

PAST: dict[Failure, str] = {
    "refused": "was down",
    "time-out": "did not answer",
    "status": "answered with errors",
    "body": "answered wrongly",
    "slow": "was slow",
    "certificate": "had a certificate problem",
    "process": "was not running",
    "other": "failed",
}
"""What it did, once that is over."""

DOWN: frozenset[Failure] = frozenset({"refused", "time-out", "process"})
"""Failures of a service that does not serve at all: then it comes back."""


def failure_of(reason: str) -> Failure:
    """The kind of failure of a check's reason; `other` where no word is known."""
    return next((kind for kind, words in _KINDS if words.search(reason)), "other")


def headline_of(service: str, title: str) -> Failure | None:
    """The kind of failure a title speaks of, which begins with the service and a headline; None for other titles."""
    return next((kind for kind, words in HEADLINES.items() if title.startswith(f"{service} {words}")), None)
