"""A refusal is not the end: what an alert's remedy waits for until it is asked again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wait:
    """One reason to wait for, kept as long as the alert fires so that it is not waited for twice.

    `kind`: the code of the refusal. `by`: the run, the alert or the switch it ends with; empty where a time ends it.
    """

    alert_id: str
    kind: str
    by: str
    since: int
    until: int | None
    """Until when held pages wait with it; None: they do not."""
    active: bool = True
    """It is what the remedy waits for now; False: it has been waited for."""
