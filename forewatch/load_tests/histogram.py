"""A histogram of times that can be added to another: quantiles within half a percent, in a few hundred small numbers.

Bucket `i` holds what lies above 1.01^(i-1) microseconds and up to 1.01^i; the value it stands for lies between, at most
0.5 % from any in it. This is DDSketch (Masson, Rim and Lee, VLDB 2019) without a bound on the number of buckets, which
the range of times bounds here: an hour is bucket 2,211.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_GROWTH = 1.01
_LOG = math.log(_GROWTH)
_UNIT = 1e-6
ERROR = (_GROWTH - 1) / (_GROWTH + 1)
"""The largest relative error of a quantile."""


@dataclass
class Histogram:
    """Times in seconds. `most` is exact."""

    counts: dict[int, int] = field(default_factory=dict)
    total: int = 0
    most: float = 0.0

    @classmethod
    def of(cls, times: Iterable[float]) -> Histogram:
        made = cls()
        for one in times:
            made.add(one)
        return made

    def add(self, seconds: float) -> None:
        """Count one time; what is below a microsecond counts as one."""
        bucket = max(0, math.ceil(math.log(max(seconds, _UNIT) / _UNIT) / _LOG))
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        self.total += 1
        self.most = max(self.most, seconds)

    def quantile(self, share: float) -> float | None:
        """The time that `share` (0-1) of all did not exceed: the lower of the two nearest ranks. None where empty."""
        if not self.total:
            return None
        rank = math.floor(share * (self.total - 1))
        seen = 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen > rank:
                return min(_UNIT * 2 * _GROWTH**bucket / (_GROWTH + 1), self.most)
        return self.most

    def above(self, seconds: float) -> int:
        """How many were longer, to the bucket."""
        bound = math.log(max(seconds, _UNIT) / _UNIT) / _LOG
        return sum(count for bucket, count in self.counts.items() if bucket - 1 >= bound)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` reads it back."""
        return {"counts": [list(pair) for pair in sorted(self.counts.items())], "most": self.most}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Histogram:
        counts = {int(bucket): int(count) for bucket, count in data["counts"]}
        return cls(counts, sum(counts.values()), float(data["most"]))
