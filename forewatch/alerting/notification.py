"""The notification: one message to one notifier, from being decided to being received."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

NotificationState = Literal["held", "due", "claimed", "sent", "failed", "dead", "merged"]


@dataclass(frozen=True)
class Notification:
    """`NT-n`. Instants in microseconds UTC.

    `held` waits for a remedy until `not_before`; `failed` waits for its next attempt until then; `dead` is given up;
    `merged` went out in another one.
    """

    id: str
    incident_id: str | None
    alert_id: str | None
    run_id: str | None
    kind: str
    """page | update | report | resolved | failure | test"""
    severity: str
    notifier: str
    state: NotificationState
    not_before: int
    content: dict[str, Any]
    """What the templates see."""
    created_at: int
    attempts: int = 0
    claimed_term: int | None = None
    claimed_until: int | None = None
    sent_at: int | None = None
    last_error: str | None = None
    receipt: dict[str, Any] | None = None
