"""Disks that fill: two weeks of history, and the moment each is full, known because the future was drawn as well.

A disk grows by a rate with a daily and perhaps a weekly rhythm, with noise from hour to hour. What its kind adds:

* plain: `steady`, `weekly`, `rotation` (daily saw-tooth), `clean-ups` (now and then something is removed),
  `acceleration` (one to six days ago the growth became 1.5 to 4 times what it was).
* hard: `fresh` (that was 3 to 20 hours ago), `slower` (the growth fell), `by size` (a saw-tooth at odd moments),
  `every third day` (rotation), `weekly purge`, `workdays` (no growth at weekends), `nightly` (one batch a day),
  `lump` (something large was put there yesterday), `noisy`, `coarse` (whole thousandths), `gap` (hours not measured).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forewatch.clock import MICROSECONDS, micros

Vector = NDArray[np.float64]

STEP = 300.0
DAY = 288
PAST, AHEAD = 14 * DAY, 16 * DAY
_MONDAY = 1_767_571_200 * MICROSECONDS

PLAIN = ("steady", "weekly", "rotation", "clean-ups", "acceleration")
HARD = ("fresh", "slower", "by size", "every third day", "weekly purge", "workdays", "nightly", "lump", "noisy",
        "coarse", "gap")  # fmt: skip


@dataclass(frozen=True)
class Disk:
    kind: str
    samples: list[tuple[int, float]]
    now: int
    limit: float
    left: float
    """Seconds until it is full, the truth."""
    expected: float
    """What it would be without the noise to come."""


def disks(kinds: tuple[str, ...], count: int, seed: int, every: float = 3600.0) -> list[Disk]:
    """`count` disks, the kinds by turns, measured every so many seconds."""
    random = np.random.default_rng(seed)
    return [disk(kinds[number % len(kinds)], random, every) for number in range(count)]


def disk(kind: str, random: np.random.Generator, every: float = 3600.0) -> Disk:
    """One disk; drawn again until it fills within half a day to fifteen days and was never as full before."""
    while True:
        drawn = _draw(kind, random, every)
        if drawn is not None:
            return drawn


def _draw(kind: str, random: np.random.Generator, every: float) -> Disk | None:
    offset = int(random.integers(7 * DAY))
    at = np.arange(PAST + AHEAD)
    rates, calm = _rates(kind, at + offset, random)
    events = _events(kind, at + offset, random)
    used = np.cumsum(rates) + events
    noise = random.uniform(0.2, 1.0) * (8e-3 if kind == "noisy" else 4e-4)
    seen = used + random.normal(0, noise, len(used))
    target = int(random.uniform(0.5, 15.0) * DAY)
    # Anywhere, and not where a saw-tooth happens to have its peak: a hair more or less would be a whole tooth there.
    limit = float(np.max(used[PAST : PAST + target])) - random.uniform(0, 1) * (used[-1] - used[0]) / len(used) * DAY
    reached = int(np.argmax(used[PAST:] >= limit)) + 1
    if reached < DAY // 2 or np.max(used[:PAST]) >= limit - 4 * noise:
        return None
    # As a share of the disk: between 60 and 95 % are in use now.
    scale = random.uniform(0.05, 0.4) / (limit - used[PAST - 1])
    shown = 1.0 + scale * (seen - limit)
    if kind == "coarse":
        shown = np.round(shown, 3)
    keep = np.arange(0, PAST, round(every / STEP)) + round(every / STEP) - 1
    if kind == "gap":
        start = int(random.uniform(1.0, 10.0) * DAY)
        keep = keep[(keep < start) | (keep > start + random.uniform(2, 10) * DAY / 24)]
    begin = _MONDAY + micros(offset * STEP)
    samples = [(begin + micros(int(k) * STEP), float(shown[k])) for k in keep]
    projected = used[PAST - 1] + np.cumsum(calm[PAST:]) + events[PAST:] - events[PAST - 1]
    expected = (int(np.argmax(projected >= limit)) + 1) * STEP if np.any(projected >= limit) else len(projected) * STEP
    return Disk(kind, samples, begin + micros(PAST * STEP), 1.0, reached * STEP, expected)


def _rates(kind: str, at: NDArray[np.int64], random: np.random.Generator) -> tuple[Vector, Vector]:
    """Growth a step, with the noise of its hours and without; about 1 a day on the whole."""
    day = 2 * np.pi * at / DAY
    rate = 1 + random.uniform(0, 0.9) * np.sin(day + random.uniform(0, 6.3))
    weekend = at // DAY % 7 >= 5
    if kind in ("weekly", "workdays"):
        rate = rate * np.where(weekend, random.uniform(0.3, 0.7) if kind == "weekly" else 0.02, 1.0)
    if kind == "nightly":
        hour = at % DAY // 12
        rate = np.where(hour == random.integers(24), 22.0, 0.08)
    if kind == "acceleration":
        rate = rate * np.where(at >= at[0] + PAST - random.uniform(1, 6) * DAY, random.uniform(1.5, 4), 1.0)
    if kind == "fresh":
        rate = rate * np.where(at >= at[0] + PAST - random.uniform(3, 20) * DAY / 24, random.uniform(2, 5), 1.0)
    if kind == "slower":
        rate = rate * np.where(at >= at[0] + PAST - random.uniform(1, 6) * DAY, random.uniform(0.2, 0.6), 1.0)
    spread = random.uniform(0.05, 0.5)
    hourly = np.exp(random.normal(0, spread, len(at) // 12 + 1))
    calm = rate / DAY
    return np.asarray(calm * np.repeat(hourly, 12)[: len(at)]), np.asarray(calm * np.exp(spread**2 / 2))


def _events(kind: str, at: NDArray[np.int64], random: np.random.Generator) -> Vector:
    """What comes and goes at once or is rotated away, as a level."""
    level = np.zeros(len(at))
    size = random.uniform(0.5, 2.0)
    if kind == "rotation":
        return np.asarray(size * ((at + random.integers(DAY)) % DAY) / DAY)
    if kind == "every third day":
        return np.asarray(size * ((at + random.integers(3 * DAY)) % (3 * DAY)) / DAY)
    if kind == "by size":
        period = random.uniform(5, 20) * DAY / 24
        spans = np.maximum(12, random.normal(period, 0.15 * period, 2 * len(at) // int(period)))
        ends = np.cumsum(spans)
        return np.asarray(size * (at - at[0] - np.concatenate([[0], ends])[np.searchsorted(ends, at - at[0])]) / DAY)
    if kind == "weekly purge":
        fall = random.uniform(1.0, 3.0)
        return np.asarray(-fall * np.floor((at + random.integers(7 * DAY)) / (7 * DAY)))
    if kind == "clean-ups":
        for _ in range(random.integers(1, 4)):
            level[int(random.uniform(0, PAST - DAY / 4)) :] -= random.uniform(0.3, 3.0)
    if kind == "lump":
        level[PAST - int(random.uniform(2, 30) * DAY / 24) :] += random.uniform(0.5, 3.0)
    return level
