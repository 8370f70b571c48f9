"""The contract between what hands notifications out (`tasks.delivery`) and the channels (`notifiers`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from forewatch.alerting.notification import Notification


@dataclass(frozen=True)
class Rendered:
    """The message as people read it; no secrets in it."""

    title: str
    text: str


@dataclass(frozen=True)
class Receipt:
    """Proof that a channel took a notification."""

    notifier: str
    detail: str
    """What the receiver answered, in a few words: `204 in 35ms`."""
    instead_of: str | None = None
    """The notifier it was meant for, where another had to step in, and why."""
    reason: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Sender(Protocol):
    """One channel, ready to send. `templates` is the folder of its default texts, one `<kind>.txt` each."""

    templates: Path

    async def send(self, notification: Notification, content: Mapping[str, Any], rendered: Rendered) -> Receipt:
        """Hand one notification over. Raises DeliveryFailed, whose `permanent` says whether trying again can help,
        and SecretError where a secret it needs cannot be read."""
