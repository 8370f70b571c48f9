"""What answers have that is malformed and was taken nonetheless, remembered from look to look.

Looking costs a quarter of what a check does, so it is done the first time and every ten minutes, and later where too
many are due at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tasks.probes.url import Url

LOOK_EVERY = 600.0
"""Seconds."""
AT_MOST = 100
"""Close looks in a second."""


class Remarks:
    """Of the answers to one loop's checks."""

    def __init__(self) -> None:
        self._kept: dict[Url, tuple[float, Sequence[str]]] = {}
        self._second = float("-inf")
        self._looks = 0

    def due(self, url: Url) -> bool:
        """Whether this answer is to be looked at closely."""
        now = asyncio.get_running_loop().time()
        kept = self._kept.get(url)
        if kept is not None and now < kept[0]:
            return False
        if now - self._second >= 1:
            self._second, self._looks = now, 0
        self._looks += 1
        return self._looks <= AT_MOST

    def keep(self, url: Url, remarks: Sequence[str]) -> None:
        self._kept[url] = (asyncio.get_running_loop().time() + LOOK_EVERY, remarks)

    def of(self, url: Url) -> Sequence[str]:
        """What was seen at the last close look."""
        kept = self._kept.get(url)
        return kept[1] if kept is not None else ()
