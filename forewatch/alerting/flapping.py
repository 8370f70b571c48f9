"""Flapping: an alert that comes and goes is told once, and then not again until it has been calm for a while."""

from __future__ import annotations

from dataclasses import dataclass, replace

from forewatch.clock import micros
from forewatch.config.models import Flapping


@dataclass(frozen=True)
class Flap:
    """How often an alert fired of late, oldest first. Instants in microseconds UTC."""

    fingerprint: str
    fired_at: tuple[int, ...]
    flapping_since: int | None
    kinds: tuple[str, ...] = ()
    """Kinds of failure that were told since it flaps."""


def fired(flap: Flap | None, fingerprint: str, now: int, settings: Flapping) -> Flap:
    """The alert fires (again): what is known of it with this, and without what is too long ago to matter."""
    known = (calmed(flap, now, settings) if flap is not None else None) or Flap(fingerprint, (), None)
    kept = tuple(at for at in known.fired_at if at >= now - micros(settings.within))
    # More than `after` would not change the answer, and an alert may fire a thousand times an hour.
    times = (*kept, now)[-settings.after :]
    since = known.flapping_since
    if since is None and len(times) >= settings.after:
        since = now
    return Flap(fingerprint, times, since, known.kinds)


def flaps(flap: Flap | None) -> bool:
    """Whether it comes and goes too often to be told each time."""
    return flap is not None and flap.flapping_since is not None


def calm_at(flap: Flap, settings: Flapping) -> int:
    """When it flaps no more, unless it fires again before."""
    return max(flap.fired_at, default=0) + micros(settings.calm)


def calmed(flap: Flap, now: int, settings: Flapping) -> Flap | None:
    """What is left to know of it now: None once it has been calm, or fired too long ago to matter.

    A clock that was set back makes what is dated later count as now, so that it ends in `calm` from now at the latest:
    `calm_at` of what is returned says when to ask again.
    """
    known = _as_of(flap, now)
    if known.flapping_since is not None:
        return None if calm_at(known, settings) <= now else known
    kept = tuple(at for at in known.fired_at if at >= now - micros(settings.within))
    return replace(known, fired_at=kept) if kept else None


def _as_of(flap: Flap, now: int) -> Flap:
    since = flap.flapping_since
    times = tuple(min(at, now) for at in flap.fired_at)
    return replace(flap, fired_at=times, flapping_since=None if since is None else min(since, now))
