"""The forecasts a rule would have been held against: stored ones where they are kept, else made again from what was
known at each full hour."""

from __future__ import annotations

from collections.abc import Sequence

from forewatch.clock import micros
from forewatch.detection.band import Forecast, NotYet
from forewatch.detection.counters import is_counter, to_rates
from forewatch.detection.quantity import range_of
from forewatch.detection.statistics import Sample

_HOUR = micros(3600.0)
_REACH = 2 * 3600.0
"""Seconds a forecast made again reaches, so that one made before a trouble began covers the hour after."""


class Held:
    """The forecasts of one series. Call it with the moment and since when a rule is pending."""

    def __init__(self, metric: str, history: Sequence[Sample], stored: Sequence[tuple[int, Forecast]]) -> None:
        """`history`: what was measured, oldest first; `stored`: (made at, forecast), oldest first."""
        self._range = range_of(metric)
        self._history = to_rates(history) if is_counter(metric) else list(history)
        self._stored = list(stored)
        self._again: dict[int, Forecast | None] = {}
        self.used_stored: set[int] = set()
        """When those were made that were held against."""

    @property
    def made_again(self) -> int:
        """How many forecasts were made for want of stored ones."""
        return sum(one is not None for one in self._again.values())

    def __call__(self, now: int, pending_since: int | None) -> Forecast | None:
        """The newest that covers `now`, made before the trouble began where there is one: or it would learn it."""
        calm = None if pending_since is None else self._newest(pending_since, now)
        return calm or self._newest(now, now)

    def _newest(self, before: int, now: int) -> Forecast | None:
        for made_at, one in reversed(self._stored):
            if made_at <= before and one.start <= now < one.end:
                self.used_stored.add(made_at)
                return one
        again = self._made_again(before - before % _HOUR)
        return again if again is not None and again.start <= now < again.end else None

    def _made_again(self, origin: int) -> Forecast | None:
        if origin not in self._again:
            # Loads statsmodels, which other rules need not wait for.
            from forewatch.detection.forecast import LONGEST, forecast

            since = origin - micros(LONGEST)
            known = [sample for sample in self._history if since <= sample[0] < origin]
            made = forecast(known, origin, within=self._range, horizon=_REACH)
            self._again[origin] = None if isinstance(made, NotYet) else made
        return self._again[origin]
