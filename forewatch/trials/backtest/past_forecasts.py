"""The forecasts a rule would have been held against: stored ones where they are kept, else made again from what was
known at each full hour, with a model fitted each day."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING

from forewatch.clock import micros
from forewatch.detection.band import Forecast
from forewatch.detection.counters import to_rates
from forewatch.detection.grid import Grid, regularise
from forewatch.detection.quantity import range_of
from forewatch.detection.statistics import Sample
from forewatch.store.series import Series

if TYPE_CHECKING:
    from forewatch.detection.models import Model

_HOUR, _DAY = micros(3600.0), micros(86_400.0)
_FOLLOWED = 2 * 86_400.0
"""Seconds of newest values a model goes on from."""
_REACH = 2 * 3600.0
"""Seconds a forecast made again reaches, so that one made before a trouble began covers the hour after."""


class Held:
    """The forecasts of one series. Call it with the moment and since when a rule is pending."""

    def __init__(self, one: Series, history: Sequence[Sample], stored: Sequence[tuple[int, Forecast]]) -> None:
        """`history`: what was measured, oldest first; `stored`: (made at, forecast), oldest first."""
        self._range = range_of(one.metric)
        self._history = to_rates(history) if one.counts else list(history)
        self._times = [at for at, _ in self._history]
        self._stored = list(stored)
        self._models: dict[int, Model | None] = {}
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
            model = self._model(origin - origin % _DAY) or self._model(origin)
            self._again[origin] = None if model is None else self._predicted(model, origin)
        return self._again[origin]

    def _model(self, origin: int) -> Model | None:
        """Fitted to what was known then; a fit costs what a day of forecasts with it does."""
        if origin not in self._models:
            # Loads statsmodels, which other rules need not wait for.
            from forewatch.detection.forecast import LONGEST, prepare, steps_to
            from forewatch.detection.models import fit

            grid = prepare(self._known(origin, LONGEST), origin, horizon=_REACH)
            self._models[origin] = (
                fit(grid, within=self._range, steps=steps_to(grid, origin, _REACH)) if isinstance(grid, Grid) else None
            )
        return self._models[origin]

    def _predicted(self, model: Model, origin: int) -> Forecast:
        from forewatch.detection.forecast import steps_to

        recent = regularise(
            self._known(origin, _FOLLOWED),
            origin,
            step=model.step,
            at_least=model.step,
            longest=_FOLLOWED,
            gap=86_400.0,
        )
        if isinstance(recent, Grid):
            model = model.follow(recent)
        return model.predict(steps_to(model, origin, _REACH))

    def _known(self, origin: int, longest: float) -> list[Sample]:
        first, last = (bisect_left(self._times, at) for at in (origin - micros(longest), origin))
        return self._history[first:last]
