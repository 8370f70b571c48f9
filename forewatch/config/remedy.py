"""What may be done about a service's alerts: the `remedies` of `forewatch.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from forewatch.config.base import Duration, Matchers, Model, Name

Autonomy = Literal["shadow", "approve", "auto"]


class Limits(Model):
    """How often a remedy may act on a service."""

    per_hour: int = Field(default=3, ge=1)
    cooldown: Duration = 60.0


class Verify(Model):
    """How long the service's own checks get to turn green after a remedy acted."""

    within: Annotated[Duration, Field(gt=0)] = 60.0


class Remedy(Model):
    """Binds alerts to a runbook, with how far it may go on its own."""

    on: Matchers
    runbook: Name
    inputs: dict[str, Any] = Field(default_factory=dict, alias="with")
    autonomy: Autonomy = "shadow"
    limits: Limits = Limits()
    verify: Verify = Verify()


@dataclass(frozen=True)
class RemedyOff:
    """A remedy that is wrong, and so is not in force, while all else is."""

    service: str
    place: int
    """Among the service's remedies as they are written, from 0."""
    name: str
    """Of its runbook, as far as that is known."""
    reason: str
    """The problem, with its place in the file."""

    def __str__(self) -> str:
        return f"the remedy {self.name} of {self.service} is off: {self.reason}"
