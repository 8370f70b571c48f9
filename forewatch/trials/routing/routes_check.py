"""Expectations of who is told, in a file, checked in CI against a configuration.

    - labels: {alertname: DiskFull, service: shop, severity: critical}
      notify: [ops]
    - labels: {alertname: DiskFull, service: shop, severity: warning}
      at: 2026-11-03T23:30+01:00
      notify: []
      not_told: mute_time_interval

Without `at` the calendar is left out, so that a check passes or fails at any hour. Silences and firing alerts are never
looked at: they are not of the configuration.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import Field, TypeAdapter, ValidationError, field_validator

from forewatch.alerting.suppression import Suppression, SuppressionKind
from forewatch.clock import from_datetime
from forewatch.config.base import FROM_FILE, Model
from forewatch.config.document import read_document
from forewatch.config.models import Config
from forewatch.config.problems import from_pydantic
from forewatch.config.spots import Spot
from forewatch.errors import ConfigError
from forewatch.store.memory import in_memory
from forewatch.trials.routing.who_is_told import Told, who_is_told

BY_CALENDAR: tuple[SuppressionKind, ...] = ("mute_time_interval", "active_time_interval", "maintenance")


class RouteExpectation(Model):
    """Which notifiers an alert with these labels goes to."""

    labels: dict[str, str] = Field(min_length=1)
    notify: list[str]
    """Exactly these notifiers, in any order."""
    at: str | None = None
    """A moment with its zone (RFC 3339) at which the alert begins to fire."""
    group_by: list[str] | None = None
    """What the routes that tell group by; all of them the same."""
    not_told: str | None = None
    """The reason for which somebody is not told at `at`: one of BY_CALENDAR."""

    @field_validator("at")
    @classmethod
    def _moment(cls, at: str | None) -> str | None:
        if at is not None:
            _instant(at)
        return at

    @field_validator("not_told")
    @classmethod
    def _reason(cls, reason: str | None) -> str | None:
        if reason is not None and reason not in BY_CALENDAR:
            raise ValueError(f"{reason} is none of {', '.join(BY_CALENDAR)}")
        return reason


@dataclass(frozen=True)
class Checked:
    """How many expectations a file has, and a line for each that failed."""

    count: int
    failures: list[str]


def check_routes(file: Path, config: Config) -> Checked:
    """Hold a configuration against a file of expectations. Raises ConfigError where the file cannot be read as one."""
    expectations, spot = _read(file)
    failures = []
    with in_memory() as conn:
        for number, expected in enumerate(expectations):
            at = _instant(expected.at) if expected.at is not None else None
            told = who_is_told(conn, config, expected.labels, at or 0)
            place = spot.at(number)
            failures += [
                f"{place.file}:{place.line}: {what}" for what in _wrong(expected, told, calendar=at is not None)
            ]
    return Checked(len(expectations), failures)


def _read(file: Path) -> tuple[list[RouteExpectation], Spot]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{file}: cannot be read: {error}"]) from None
    document = read_document(str(file), text, folder=str(file.parent), environ=os.environ)
    if document.problems:
        raise ConfigError([str(problem) for problem in document.problems])
    try:
        found = TypeAdapter(list[RouteExpectation]).validate_python(document.value, context=FROM_FILE)
    except ValidationError as error:
        raise ConfigError([str(problem) for problem in from_pydantic(error, document.spot)]) from None
    return found, document.spot


def _wrong(expected: RouteExpectation, told: Told, *, calendar: bool) -> Iterator[str]:
    routes = [(route, why if calendar else ()) for route, why in told.routes]
    hushed = told.reasons if calendar else ()
    names = list(dict.fromkeys(name for route, why in routes if not why and not hushed for name in route.notify))
    on = ", ".join(route.name for route, _ in routes)
    if set(names) != set(expected.notify):
        why = _because([*hushed, *(reason for _, each in routes for reason in each)])
        yield f"expected {_listed(expected.notify)} to be notified, and it is {_listed(names)} ({on}{why})"
    if expected.group_by is not None:
        for route, _ in routes:
            if set(route.group_by or ()) != set(expected.group_by) or route.group_by is None:
                grouped = "does not group" if route.group_by is None else f"groups by {_listed(list(route.group_by))}"
                yield f"expected groups by {_listed(expected.group_by)}, and {route.name} {grouped}"
    if expected.not_told is not None:
        if not calendar:
            yield f"not_told: {expected.not_told} needs `at`, for without it the calendar is left out"
        elif expected.not_told not in (kinds := [reason.kind for reason in told.why_not]):
            kept = f"expected {expected.not_told} to keep somebody from being notified"
            yield f"{kept}, and it is {_listed(kinds)} ({on})"


def _because(reasons: list[Suppression]) -> str:
    return "; " + "; ".join(reason.text for reason in reasons) if reasons else ""


def _listed(names: list[str] | list[SuppressionKind]) -> str:
    return ", ".join(names) or "nobody"


def _instant(text: str) -> int:
    try:
        return from_datetime(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise ValueError(f"{text} is not a moment with its zone (try 2026-11-03T23:30+01:00)") from None
