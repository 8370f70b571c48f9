"""The head of an HTTP answer, line by line as it came."""

from __future__ import annotations

SWITCHING = 101
_BLANK = (b"\r\n", b"\n")


class Head:
    """Take lines with `add` until it says that the head is over; those of interim answers are forgotten."""

    def __init__(self) -> None:
        self.status = 0
        self.over = False
        self.size = 0
        """Bytes received."""
        self._lines: list[bytes] = []
        self._named: dict[str, list[str]] | None = None

    def add(self, line: bytes) -> bool:
        """Whether the head is over with this line; what follows later are trailers."""
        if self.over:
            return False
        self.size += len(line)
        if not self.status:
            self.status = _status(line)
            return False
        if line not in _BLANK:
            self._lines.append(line)
            return False
        if self.status < 200 and self.status != SWITCHING:
            self.status = 0
            self._lines.clear()
            return False
        self.over = True
        return True

    def all(self, name: str) -> list[str]:
        """What every line of this name says, in the order of the answer; names are the same in any case."""
        if self._named is None:
            self._named = {}
            for line in self._lines:
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
