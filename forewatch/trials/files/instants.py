"""Moments as files write them, to microseconds UTC: ISO 8601 with or without a zone, and epochs of any unit."""

from __future__ import annotations

from datetime import UTC, datetime

from forewatch.clock import from_datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)
_SHOWN = 40  # characters of a cell in a message
_FIRST, _LAST = 10**8, 7_200_000_000  # seconds: 1973 and 2198, so that no two units of an epoch overlap
_UNITS = (1, 10**3, 10**6, 10**9)  # how many make a second
_REMEDY = "write it like 2026-11-03T09:04:05Z, or as seconds since 1970"


class Instants:
    """Reads one moment after the other, and counts which of them had a zone."""

    def __init__(self) -> None:
        self.zoned = 0
        self.naive = 0

    def read(self, text: str) -> int:
        """Microseconds UTC; a moment without a zone is in UTC. Raises ValueError naming the remedy."""
        stripped = text.strip()
        if stripped[:10].isdecimal():
            # Before ISO: Python reads 1512010512345 as 23:45 of a day in 1512.
            return _digits(stripped)
        # 2026/11/03 is no ISO, but can be read in one way only.
        if stripped[4:5] == "/" == stripped[7:8]:
            stripped = stripped.replace("/", "-", 2)
        try:
            moment = datetime.fromisoformat(stripped)
            if moment.tzinfo is None:
                self.naive += 1
                since = moment - _NAIVE_EPOCH
            else:
                self.zoned += 1
                since = moment - _EPOCH
        except (ValueError, OverflowError):
            raise ValueError(f"timestamp {shown(text)} is not a moment: {_REMEDY}") from None
        # In whole numbers, and thrice as fast as by way of a timestamp: files have a million of these.
        at = (since.days * 86_400 + since.seconds) * 10**6 + since.microseconds
        if at <= 0:
            raise ValueError(f"timestamp {shown(text)} lies before 1970: {_REMEDY}")
        if at >= _LAST * 10**6:
            raise ValueError(f"timestamp {shown(text)} lies after 2198: {_REMEDY}")
        return at


def shown(text: str) -> str:
    """A cell in a message: short, on one line, without characters that could steer a terminal."""
    short = text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
    return "`" + "".join(one if one.isprintable() else "?" for one in short) + "`"


def _digits(text: str) -> int:
    """An epoch of the unit that makes it a moment between 1973 and 2198, or a day as 20261103."""
    whole, point, part = text.partition(".")
    if whole.isascii() and whole.isdecimal() and (part.isdecimal() or not point or not part):
        if len(whole) == 8 and not point:
            try:
                return from_datetime(datetime.strptime(whole, "%Y%m%d").replace(tzinfo=UTC))
            except ValueError:
                pass
        number = int(whole) if len(whole) <= 20 else 0
        for unit in _UNITS:
            if _FIRST * unit <= number < _LAST * unit:
                # In whole numbers: a float cannot tell the microseconds of today from their neighbours.
                return (number * 10**6 + round(float(f"0.{part or 0}") * 10**6)) // unit
    raise ValueError(f"timestamp {shown(text)} is no moment between 1973 and 2198: {_REMEDY}")
