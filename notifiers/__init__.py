"""The channels that tell people, one small package each: `sender.py`, and its texts in `templates/`.

To add one: copy a package, add its kind to `forewatch.config.models.Notifier`, and name it here.
"""

from __future__ import annotations

from forewatch.config.models import Notifier
from forewatch.home import Home
from forewatch.notifying.sender import Sender
from notifiers.console.sender import ConsoleSender
from notifiers.webhook.sender import WebhookSender


def sender_for(notifier: Notifier, home: Home | None = None) -> Sender:
    """The sender of a configured notifier; `home` (default `FOREWATCH_HOME`) is where the console keeps its log."""
    if notifier.webhook is not None:
        return WebhookSender(notifier.name, notifier.webhook)
    return ConsoleSender(notifier.name, home or Home.from_env())
