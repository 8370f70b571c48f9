"""The two answers to "may this remedy act now?"."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Allowed:
    """It may act now."""


@dataclass(frozen=True)
class Refused:
    """It may not. `code` is stable, for machines; `reason` completes the sentence "Automation does not act: ..."."""

    code: str
    reason: str
    again_at: int | None = None
    """When it is asked again, in microseconds; None: not at a time known now."""
    waits_for: str = ""
    """The run, the alert or the switch with which the reason ends."""
    holds_until: int | None = None
    """Held pages wait with it, until then at most; None: people take over now."""

    @property
    def for_now(self) -> bool:
        """Whether the reason ends, so that the remedy is asked again."""
        return self.again_at is not None or bool(self.waits_for)


Verdict = Allowed | Refused
