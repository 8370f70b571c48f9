"""What is forecast of each series at present, read back from the store: for people, at a terminal or on a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from forewatch.clock import micros
from forewatch.detection.counters import to_rates
from forewatch.detection.horizons import BY_NAME, HORIZONS, Reach
from forewatch.detection.quantity import show, unit_of
from forewatch.detection.statistics import Sample
from forewatch.detection.trust import Trust, judge
from forewatch.errors import NotFound
from forewatch.store import forecasts, models, points, series
from forewatch.store.forecasts import Forecast
from forewatch.store.series import Series

_RECENT = 1800.0
_MINUTE = 60.0


@dataclass(frozen=True)
class SeriesForecast:
    """All that is known of what one series will do."""

    series: Series
    value: float | None
    """The newest minute's mean; of a counter its growth per second. None: no data for half an hour."""
    made: Mapping[Reach, Forecast] = field(default_factory=dict)
    """The newest forecast of each horizon that has one whose span is not over."""
    not_yet: Mapping[Reach, str] = field(default_factory=dict)
    """Why the others have none."""
    trust: Mapping[Reach, Trust] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    """What its forecasts cannot tell yet: `daily rhythm: known after two days`."""

    @property
    def name(self) -> str:
        return name_of(self.series)

    @property
    def exhausted_at(self) -> int | None:
        """When it is used up, where it runs out."""
        hour = self.made.get("hour")
        return hour.exhausted_at if hour else None

    @property
    def demoted(self) -> list[Reach]:
        """The horizons whose bands fail."""
        return [reach for reach, trust in self.trust.items() if trust.demoted]

    def said(self, value: float | None) -> str:
        """A value of this series as a person says it."""
        return "" if value is None else show(value, unit_of(self.series.metric)) + self.suffix

    def end_of(self, reach: Reach) -> str:
        """What is expected at the end of a horizon: `41.2% (35.6% to 47%)`; empty where there is no forecast."""
        made = self.made.get(reach)
        if made is None:
            return ""
        return f"{self.said(made.mean[-1])} ({self.said(made.lower[-1])} to {self.said(made.upper[-1])})"

    @property
    def suffix(self) -> str:
        return "/s" if self.series.counts else ""


def name_of(one: Series) -> str:
    """`system.filesystem.utilization {mountpoint=/var, service=host}`."""
    labels = ", ".join(f"{name}={value}" for name, value in sorted(one.labels.items()))
    return f"{one.metric} {{{labels}}}" if labels else one.metric


def series_forecasts(conn: Connection, wanted: Sequence[Series], now: int) -> list[SeriesForecast]:
    """What is forecast of these series, in their order."""
    numbers = [one.id for one in wanted]
    known = models.get_all(conn, series_id=numbers[0] if len(numbers) == 1 else None)
    scores = forecasts.coverages(conn, series_ids=numbers)
    latest = forecasts.newest_many(conn, numbers)
    newest = newest_values(conn, wanted, now)
    found = []
    for one in wanted:
        made: dict[Reach, Forecast] = {}
        not_yet: dict[Reach, str] = {}
        trust: dict[Reach, Trust] = {}
        unknown: dict[str, None] = {}
        for horizon in HORIZONS:
            reach, row = horizon.name, known.get((one.id, horizon.name))
            last = latest.get((one.id, reach))
            if last is not None and last.end > now and not (row and row.reason):
                made[reach] = last
                unknown |= dict.fromkeys(row.unknown.split("; ") if row and row.unknown else ())
            else:
                not_yet[reach] = (row.reason if row else "") or "not looked at yet"
            demoted = row is not None and row.demoted_at is not None
            trust[reach] = judge(scores.get((one.id, reach), ()), demoted)
        found.append(SeriesForecast(one, newest.get(one.id), made, not_yet, trust, tuple(unknown)))
    return found


def newest_values(conn: Connection, wanted: Sequence[Series], now: int) -> dict[int, float]:
    """The newest minute's mean of each series, of a counter its growth; those silent for half an hour are left out."""
    read = points.read_many(conn, [one.id for one in wanted], now - micros(_RECENT), now + 1, _MINUTE)
    found: dict[int, float] = {}
    for one in wanted:
        samples: list[Sample] = read.get(one.id, [])
        samples = to_rates(samples) if one.counts else samples
        if samples:
            found[one.id] = samples[-1][1]
    return found


def find_series(conn: Connection, text: str) -> Series:
    """The series a person means: by its number, its name as listed, or its metric where that has but one.

    Raises NotFound with what comes near.
    """
    if text.isascii() and text.isdigit():
        found = series.get(conn, int(text)) if len(text) < 20 else None
        if found is None:
            raise NotFound(f"there is no series {text}; see: forewatch forecasts list")
        return found
    every = series.all_series(conn)
    fitting = [one for one in every if text in (one.metric, name_of(one))]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        some = ", ".join(f"{one.id} {name_of(one)}" for one in fitting[:5])
        raise NotFound(
            f"{text} has {len(fitting)} series: name one by its number ({some}{', ...' * (len(fitting) > 5)})"
        )
    near = [one for one in every if text in name_of(one)]
    hint = ", ".join(f"{one.id} {name_of(one)}" for one in near[:3])
    raise NotFound(f"there is no series {text}" + (f"; near: {hint}" if hint else "; see: forewatch forecasts list"))


def horizon_of(text: str) -> Reach:
    """Raises NotFound for what is no horizon."""
    if text not in BY_NAME:
        raise NotFound(f"there is no horizon {text}; there are {', '.join(BY_NAME)}")
    return BY_NAME[text].name
