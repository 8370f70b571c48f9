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


Verdict = Allowed | Refused
