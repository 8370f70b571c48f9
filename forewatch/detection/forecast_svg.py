"""A series with its forecast band as a small SVG, readable on dark and light ground alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from forewatch.clock import to_datetime
from forewatch.detection.band import Forecast
from forewatch.detection.quantity import Unit, show
from forewatch.detection.statistics import Samples, clean

WIDTH, HEIGHT = 640, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 30, 26
_MOST_POINTS = 300
_LARGEST = 1e150

_STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#808890}.title{font-weight:600;font-size:13px}"
    ".grid{stroke:#808890;stroke-opacity:.25}.seen{fill:none;stroke:#2f81c7;stroke-width:1.5}"
    ".mean{fill:none;stroke:#e07b39;stroke-width:1.5;stroke-dasharray:4 3}.band{fill:#e07b39;fill-opacity:.22}"
    ".anomaly{fill:none;stroke:#d03b3b;stroke-width:3;stroke-linecap:round}"
)


def forecast_svg(
    title: str, samples: Samples, forecast: Forecast | None, unit: Unit, anomalies: Sequence[tuple[int, int]] = ()
) -> str:
    """The picture: what was seen as a line, what is expected as a dashed line in its 95 % band. Times are UTC.

    What was seen in the spans `anomalies`, from and to, is red.
    """
    # What is larger cannot be told apart from its neighbours by any scale, nor counted with.
    seen = _thin([sample for sample in clean(samples) if abs(sample[1]) < _LARGEST])
    steps = range(len(forecast.mean)) if forecast else range(0)
    # A step's value is a mean over the step: it is drawn at its middle.
    ahead = (
        [forecast.time_of(k) + (forecast.time_of(k + 1) - forecast.time_of(k)) // 2 for k in steps] if forecast else []
    )
    times = [at for at, _ in seen] + ahead
    values = [value for _, value in seen]
    if forecast:
        values += [*forecast.lower, *forecast.upper]
    body = (
        _body(seen, ahead, forecast, times, values, unit, anomalies)
        if times
        else _text(WIDTH / 2, HEIGHT / 2, "no data", "middle")
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="{escape(title)}"><style>{_STYLE}</style>'
        f'<text class="title" x="{_LEFT}" y="18">{escape(title)}</text>{body}</svg>'
    )


def _body(
    seen: Samples,
    ahead: list[int],
    forecast: Forecast | None,
    times: list[int],
    values: list[float],
    unit: Unit,
    anomalies: Sequence[tuple[int, int]],
) -> str:
    start, end = min(times), max(times)
    marks = _marks(min(values), max(values))
    low, high = min(marks[0], *values), max(marks[-1], *values)

    def x(at: int) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * ((at - start) / (end - start) if end > start else 0.5)

    def y(value: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * ((value - low) / (high - low) if high > low else 0.5)

    def line(name: str, points: Sequence[tuple[int, float]]) -> str:
        return f'<polyline class="{name}" points="{_points([(x(at), y(value)) for at, value in points])}"/>'

    parts = []
    for mark in marks:
        parts.append(f'<path class="grid" d="M{_LEFT} {y(mark):.1f}H{WIDTH - _RIGHT}"/>')
        parts.append(_text(_LEFT - 6, y(mark) + 4, show(mark, unit), "end"))
    long = end - start > 2 * 86_400_000_000
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        at = start + round((end - start) * share)
        label = to_datetime(at).strftime("%d %b %H:%M" if long else "%H:%M")
        parts.append(_text(x(at), HEIGHT - 8, label + (" UTC" if share == 1.0 else ""), anchor))
    if forecast and ahead:
        edge = list(zip(ahead, forecast.upper, strict=True)) + list(zip(ahead, forecast.lower, strict=True))[::-1]
        parts.append(f'<polygon class="band" points="{_points([(x(at), y(value)) for at, value in edge])}"/>')
        parts.append(line("mean", list(zip(ahead, forecast.mean, strict=True))))
    parts.append(line("seen", seen))
    for since, until in anomalies:
        red = [sample for sample in seen if since <= sample[0] < until]
        # One point alone is drawn as a dot: a line to itself with round ends.
        parts.append(line("anomaly", [*red, *red[-1:]]))
    return "".join(parts)


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _marks(low: float, high: float) -> list[float]:
    """Round values from just below `low` to just above `high`, about four of them."""
    span = high - low
    if span <= max(1e-9 * max(abs(low), abs(high)), 1 / _LARGEST):
        return [low]
    raw = span / 3
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= raw * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [index * step for index in range(first, last + 1)]


def _thin(samples: Samples) -> Samples:
    """At most as many points as the picture can show, the extremes of each stretch kept."""
    if len(samples) <= _MOST_POINTS:
        return samples
    size = math.ceil(len(samples) / (_MOST_POINTS / 2))
    kept = []
    for first in range(0, len(samples), size):
        stretch = samples[first : first + size]
        ends = {min(stretch, key=lambda sample: sample[1]), max(stretch, key=lambda sample: sample[1])}
        kept += sorted(ends)
    return kept
