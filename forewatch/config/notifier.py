"""Channels that tell people: the `notifiers` of `forewatch.yaml`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from forewatch.config.base import Duration, Model, Name
from forewatch.config.secrets import Secret

NOTIFIER_KINDS = ("console", "webhook")


class Console(Model):
    """Writes one line a notification to the terminal of `forewatch up`."""


class Webhook(Model):
    """POSTs JSON; with a secret, signed (`X-Forewatch-Signature`: see docs/operations/notifications.md)."""

    url: str | Secret
    secret: Secret | None = None
    headers: dict[str, str | Secret] = Field(default_factory=dict)
    timeout: Annotated[Duration, Field(gt=0)] = 10.0
    format: Literal["forewatch", "alertmanager"] = "forewatch"
    """`alertmanager`: the body Alertmanager's webhooks have (version 4), for receivers made for those."""
    max_alerts: int = Field(default=0, ge=0)
    """Alerts in one body; how many more there are it says. 0: as many as there are, at most a hundred."""


class Notifier(Model):
    """A channel that tells people. Exactly one kind; `template` is a Jinja2 text for the message."""

    name: Name
    console: Console | None = None
    webhook: Webhook | None = None
    template: str | None = None

    @property
    def kind(self) -> str:
        return next(kind for kind in NOTIFIER_KINDS if getattr(self, kind) is not None)

    @model_validator(mode="after")
    def _one_kind(self) -> Notifier:
        if sum(getattr(self, kind) is not None for kind in NOTIFIER_KINDS) != 1:
            raise ValueError(f"needs exactly one of {', '.join(NOTIFIER_KINDS)}")
        return self
