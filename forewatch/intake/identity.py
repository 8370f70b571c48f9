"""Which alert an event is about. Pure."""

from __future__ import annotations

from functools import lru_cache

from forewatch.alerting import fingerprint as fingerprints
from forewatch.alerting.alert import Labels
from forewatch.incidents.events import AlertAcknowledged, AlertCleared, AlertRaised, Event


def identity_of(event: Event) -> str | None:
    """The fingerprint of the alert an event is about; None where it is about none."""
    match event:
        case AlertRaised() | AlertCleared():
            return mark_of(event.identity if event.identity is not None else event.labels)
        case AlertAcknowledged():
            return mark_of(event.identity)
        case _:
            return None


def mark_of(labels: Labels) -> str:
    """The fingerprint, remembered: most alerts come again and again, and it takes a while in Python."""
    return _mark(tuple(labels.items()))


@lru_cache(maxsize=65_536)
def _mark(labels: tuple[tuple[str, str], ...]) -> str:
    return fingerprints.fingerprint(dict(labels))
