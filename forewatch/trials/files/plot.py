"""A series as a PNG: what was measured, between which bounds it was expected, what was anomalous, and what is to come.

matplotlib is loaded only where a picture is asked for, and used without `pyplot`, which keeps figures and windows in
the process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from forewatch.clock import to_datetime
from forewatch.detection.band import Forecast
from forewatch.detection.grid import LARGEST, Vector
from forewatch.errors import ForewatchError
from forewatch.guard.safe_files import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SEEN, _BAND, _ANOMALY, _AHEAD, _LIMIT = "#2f6f9f", "#9db8cc", "#d62728", "#e07b39", "#444444"
_COLUMNS = 2000
"""Points of a line beyond which only each stretch's lowest and highest are drawn: more the picture cannot show."""
_SEEN_BEFORE = 3
"""How many times as long as a forecast the part of the past is that is drawn with it."""


@dataclass(frozen=True)
class Picture:
    """What to draw. `expected`, `lower` and `upper` belong to `at`; NaN is left out."""

    title: str
    at: NDArray[np.int64]
    """Microseconds UTC."""
    values: Vector
    expected: Vector | None = None
    lower: Vector | None = None
    upper: Vector | None = None
    anomalies: NDArray[np.bool_] | None = None
    """Which points are anomalies."""
    forecast: Forecast | None = None
    limit: float | None = None


def draw(path: Path, picture: Picture) -> None:
    """Write a PNG that appears only when it is whole. Raises ForewatchError where it cannot be written."""
    from matplotlib import dates
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _series(axes, picture)
    if picture.forecast is not None:
        _ahead(axes, picture.forecast)
    if picture.limit is not None:
        axes.axhline(picture.limit, color=_LIMIT, linewidth=1.2, linestyle=":", label="limit")
    _hold(axes, picture)
    axes.set_title(picture.title, loc="left", fontsize=11, fontweight="bold", parse_math=False)
    locator: Any = dates.AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_xlabel("UTC", loc="left", fontsize=8)
    axes.grid(color="#808890", alpha=0.2)
    axes.margins(x=0.01)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), fontsize=8, frameon=False, ncols=5)
    _save(path, lambda part: figure.savefig(part, format="png"))


def _series(axes: Axes, picture: Picture) -> None:
    at = picture.at
    # What is larger no scale can show, nor can the differences be counted with.
    values = np.where(np.abs(picture.values) < LARGEST, picture.values, np.nan)
    shown = _recent(picture)
    lower, upper = picture.lower, picture.upper
    if lower is not None and upper is not None:
        edges, low, high = _thin_band(at[shown], lower[shown], upper[shown])
        axes.fill_between(_dates(edges), low, high, color=_BAND, alpha=0.45, linewidth=0, label="expected")
    where = _thin(values[shown])
    axes.plot(_dates(at[shown][where]), values[shown][where], color=_SEEN, linewidth=0.9, label="measured")
    if picture.anomalies is not None and np.any(drawn := picture.anomalies & shown & np.isfinite(values)):
        count = int(np.count_nonzero(drawn))
        told = f"{count} anomal{'y' if count == 1 else 'ies'}"
        axes.scatter(_dates(at[drawn]), values[drawn], color=_ANOMALY, s=26, zorder=5, label=told)
        for moment in _dates(at[drawn])[:200]:
            axes.axvline(moment, color=_ANOMALY, linewidth=0.8, alpha=0.25)


def _ahead(axes: Axes, forecast: Forecast) -> None:
    """The mean and the band of each step at its middle."""
    half = (forecast.time_of(1) - forecast.start) // 2
    dates = _dates(np.array([forecast.time_of(k) + half for k in range(len(forecast.mean))], np.int64))
    axes.fill_between(dates, forecast.lower, forecast.upper, color=_AHEAD, alpha=0.22, linewidth=0, label="95 % band")
    axes.plot(dates, forecast.mean, color=_AHEAD, linewidth=1.4, linestyle="--", label=f"forecast ({forecast.model})")


def _recent(picture: Picture) -> NDArray[np.bool_]:
    """With a forecast only what is near enough that the forecast can be seen."""
    if picture.forecast is None or not len(picture.at):
        return np.ones(len(picture.at), bool)
    newest = int(picture.at.max())
    span = picture.forecast.end - newest
    return np.asarray(picture.at >= newest - _SEEN_BEFORE * span)


def _hold(axes: Axes, picture: Picture) -> None:
    """The scale follows what was measured and what is to come: a band once wide must not press it flat."""
    shown = [picture.values[_recent(picture)]]
    if picture.forecast is not None:
        shown += [np.array(part) for part in (picture.forecast.lower, picture.forecast.upper)]
    if picture.limit is not None:
        shown.append(np.array([picture.limit]))
    known = np.concatenate(shown)
    known = known[np.abs(known) < LARGEST]
    if len(known) and np.max(known) > np.min(known):
        room = (0.35 if picture.forecast is None else 0.05) * (float(np.max(known)) - float(np.min(known)))
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, float(np.min(known)) - room), min(high, float(np.max(known)) + room))


def _thin(values: Vector) -> NDArray[np.int64]:
    """Which values to draw: all, or the lowest and highest of each stretch."""
    if len(values) <= 2 * _COLUMNS:
        return np.arange(len(values))
    kept = []
    for stretch in np.array_split(np.arange(len(values)), _COLUMNS):
        known = stretch[np.isfinite(values[stretch])]
        if len(known):
            kept += sorted({int(known[np.argmin(values[known])]), int(known[np.argmax(values[known])])})
    return np.array(kept, np.int64)


def _thin_band(at: NDArray[np.int64], lower: Vector, upper: Vector) -> tuple[NDArray[np.int64], Vector, Vector]:
    """A band of so many rows that a picture can show: the median edge of each stretch."""
    size = max(1, len(at) // _COLUMNS)
    whole = len(at) // size * size
    if size == 1 or not whole:
        return at, lower, upper
    low, high = (np.asarray(np.median(edge[:whole].reshape(-1, size), axis=1)) for edge in (lower, upper))
    return at[:whole:size], low, high


def _dates(at: NDArray[np.int64]) -> list[Any]:
    return [to_datetime(int(moment)) for moment in at]


def _save(path: Path, write: Callable[[Path], None]) -> None:
    if path.is_dir():
        raise ForewatchError(f"{path}: is a folder: name a file to write")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as part:
            write(part)
    except OSError as error:
        raise ForewatchError(f"{path}: cannot be written: {error.strerror or error}") from error
