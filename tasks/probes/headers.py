"""The head of an HTTP answer, line by line as it came."""

from __future__ import annotations

from collections.abc import Callable

SWITCHING = 101
_BLANK = (b"\r\n", b"\n")
STOP = 0
"""What tells libcurl to end a transfer."""


class Head:
    """Takes lines with `add`, as libcurl hands them over; those of interim answers are forgotten.

    `enough` is asked once the head is over, and says whether the transfer may end there.
    """

    __slots__ = ("_enough", "_lines", "_named", "over", "status")

    def __init__(self, enough: Callable[[], bool] = lambda: False) -> None:
        self.status = 0
        self.over = False
        self._enough = enough
        self._lines: list[bytes] = []
        self._named: dict[str, list[str]] | None = None

    def add(self, line: bytes) -> int | None:
        if self.over:
            return None  # a trailer
        if line not in _BLANK:
            self._lines.append(line)
            return None
        self.status = _status(self._lines[0]) if self._lines else 0
        if 100 <= self.status < 200 and self.status != SWITCHING:
            self._lines.clear()
            return None
        self.over = True
        return STOP if self._enough() else None

    def break_off(self) -> None:
        """There are no more lines, though it is not over."""
        self.status = _status(self._lines[0]) if self._lines else 0

    @property
    def size(self) -> int:
        """Bytes received."""
        return sum(map(len, self._lines))

    def all(self, name: str) -> list[str]:
        """What every line of this name says, in the order of the answer; names are the same in any case."""
        if self._named is None:
            self._named = {}
            for line in self._lines[1:]:
                key, _, value = _text(line).partition(":")
                self._named.setdefault(key.strip().lower(), []).append(value.strip())
        return self._named.get(name.lower(), [])

    def first(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)

    @property
    def bare_line_feeds(self) -> bool:
        return any(not line.endswith(b"\r\n") for line in self._lines)


def _status(line: bytes) -> int:
    words = line.split(None, 2)
    return int(words[1][:3]) if len(words) > 1 and words[1][:3].isdigit() else 0


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")
