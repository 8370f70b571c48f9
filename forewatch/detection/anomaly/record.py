"""When a surprise counts: only where it beats what was told of in the last days."""

from __future__ import annotations

from forewatch.detection.anomaly.state import Reader, Writer

__all__ = ["Record"]

_HALF_LIFE = 2 * 86_400e6
_ROWS = 24
"""The half life is at least this many rows."""


class Record:
    """The highest surprise so far, halved every two days: an incident raises one alarm and not one a minute."""

    def __init__(self, step: float) -> None:
        self._half_life = max(_HALF_LIFE, _ROWS * step * 1e6)
        self._highest = 0.0
        self._at = 0

    def add(self, at: list[int], surprise: list[float]) -> list[float]:
        """The surprises that beat the record of their time; 0 for the others."""
        counted = []
        highest, last, spacing, fade = self._highest, self._at, -1, 1.0
        for now, value in zip(at, surprise, strict=True):
            if now - last != spacing:
                spacing = now - last
                fade = 0.5 ** (spacing / self._half_life)
            highest *= fade
            last = now
            if value > highest:
                highest = value
                counted.append(value)
            else:
                counted.append(0.0)
        self._highest, self._at = highest, last
        return counted

    def dump(self, into: Writer) -> None:
        into.numbers(self._highest, self._at)

    def restore(self, state: Reader) -> None:
        self._highest, at = state.numbers(2)
        self._at = int(at)
