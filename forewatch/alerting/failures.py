"""What kind of failure a check's reason speaks of. Another kind has another headline, and is news even of an alert that
flaps."""

from __future__ import annotations

import re
from typing import Literal

Failure = Literal["refused", "time-out", "status", "body", "slow", "certificate", "process", "overdue", "other"]

_KINDS: tuple[tuple[Failure, re.Pattern[str]], ...] = (
    ("certificate", re.compile(r"\bcertificate\b|\bTLS\b")),
    ("slow", re.compile(r"^took .*, expected at most ")),
    ("status", re.compile(r"^\d{3} after ")),
    ("refused", re.compile(r"^refused by |^connection reset by |^no route to |hung up without")),
    ("time-out", re.compile(r"^no (answer|connection|response|reply|headers?|body|[a-z ]+) (within|to|from)\b")),
    ("process", re.compile(r"^pid file |^process |^no process ")),
    ("body", re.compile(r"^(body|json|header) ")),
    # What `checking.heartbeats` says of a job whose call is late or missing; one that says it failed has failed.
    ("overdue", re.compile(r"^(last|has never) called in\b|^started .* and has not finished|^did not .* in time;")),
)

HEADLINES: dict[Failure, str] = {
    "refused": "is down",
    "time-out": "does not answer",
    "status": "answers with errors",
    "body": "answers wrongly",
    "slow": "is slow",
    "certificate": "has a certificate problem",
    "process": "is not running",
    "overdue": "is overdue",
    "other": "fails",
}
"""What is wrong with a service whose check fails this way."""

PAST: dict[Failure, str] = {
    "refused": "was down",
    "time-out": "did not answer",
    "status": "answered with errors",
    "body": "answered wrongly",
    "slow": "was slow",
    "certificate": "had a certificate problem",
    "process": "was not running",
    "overdue": "was overdue",
    "other": "failed",
}
"""The same, once it is over."""

DOWN: frozenset[Failure] = frozenset({"refused", "time-out", "process"})
"""Failures of a service that does not serve at all: once they are over, it is back."""


def failure_of(reason: str) -> Failure:
    """The kind of failure of a check's reason; `other` where its words are unknown."""
    return next((kind for kind, words in _KINDS if words.search(reason)), "other")


def headline_of(service: str, title: str) -> Failure | None:
    """The kind of failure a title speaks of, which begins with the service and a headline; None for other titles."""
    return next((kind for kind, words in HEADLINES.items() if title.startswith(f"{service} {words}")), None)
