"""One attempt at one target: what a kind of check is given, and how it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from forewatch.checking.results import ADDRESS
from forewatch.config.models import Check, Instance
from tasks.probes.context import ProbeContext


class Answer(NamedTuple):
    """A target that is as it should be: what was found, in plain words, and what was seen beside."""

    reason: str
    details: Mapping[str, Any]


class Failing(Exception):
    """A target that is not as it should be. `timed_out`: what it should have said did not come in time."""

    def __init__(self, reason: str, details: Mapping[str, Any] | None = None, *, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details or {}
        self.timed_out = timed_out


@dataclass
class Attempt:
    check: Check
    instance: Instance | None
    context: ProbeContext
    waiting_for: str = "answer"
    """What a time-out will say was missing; a kind sets it as it gets along."""
    started: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    def elapsed(self) -> float:
        """Seconds since the attempt began."""
        return asyncio.get_running_loop().time() - self.started

    def filled(self, text: str) -> str:
        """`text` with the instance's address in it. Raises Failing where there is none to put in."""
        if ADDRESS not in text:
            return text
        if self.instance is None:
            raise Failing(f"{text} needs an instance, and the service has none")
        if self.instance.address is None:
            raise Failing(f"instance {self.instance.name} has no address to put into {text}")
        return text.replace(ADDRESS, self.instance.address)
