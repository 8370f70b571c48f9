"""The page that the flow `forecast` leaves behind: what is coming, what runs out, what nobody can know yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from forewatch.clock import iso, seconds
from forewatch.detection.band import NotYet
from forewatch.detection.horizons import HORIZONS
from forewatch.detection.quantity import show
from forewatch.reports.forecasts import SeriesForecast
from forewatch.units import format_duration
from tasks.forecasting.capacity import Watched
from tasks.forecasting.scores import Changed

PICTURES = 6
"""Pictures that are shown; every other series has a link to its own."""
ROWS_SHOWN = 300
LINES_SHOWN = 20
"""Of a list."""
_REASONS = 3
_OF_METRIC = 2
"""Pictures of one metric at most: twenty disks that fill look alike."""


@dataclass(frozen=True)
class Report:
    """All that the page tells."""

    series: Sequence[SeriesForecast]
    watched: Sequence[Watched] = ()
    changed: Sequence[Changed] = ()
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Further sections: title -> lines."""
    maintenance: str = ""
    """What is to be seen to, as markdown."""
    left: int = 0
    """Forecasts that are due, but for which the run had no time."""


def page(report: Report, now: int, address: str) -> str:
    """The page as markdown; pictures are the console's, drawn anew whenever they are looked at."""
    if not report.series:
        return "Nothing is measured yet. The first forecasts come after 20 minutes of data."
    parts = [
        _heading(report, now),
        _section("Runs out", _runs_out(report.watched, now)),
        *(_section(title, lines) for title, lines in report.notes.items()),
        report.maintenance and f"## Maintenance\n\n{report.maintenance}",
        _section("Not to be trusted", _failing(report.series)),
        _pictures(report.series, address),
        _table(report.series, now, address),
        _section("What cannot be known yet", _unknown(report.series)),
    ]
    return "\n\n".join(part for part in parts if part)


def interest(one: SeriesForecast) -> tuple[float, float]:
    """How much there is to see in a series, more first: it runs out, or is about to leave where it has been."""
    runs_out = 0.0 if one.exhausted_at is None else 1.0
    furthest = 0.0
    for reach in ("hour", "day"):
        made = one.made.get(reach)
        if made is None or one.value is None:
            continue
        half = max((made.upper[-1] - made.lower[-1]) / 2, 1e-9 * abs(made.mean[-1]))
        furthest = max(furthest, abs(made.mean[-1] - one.value) / half if half > 0 else 0.0)
    return runs_out, furthest


def _heading(report: Report, now: int) -> str:
    counts = []
    for horizon in HORIZONS:
        made = sum(horizon.name in one.made for one in report.series)
        counts.append(f"{made} a{'n' if horizon.name == 'hour' else ''} {horizon.name}")
    total = len(report.series)
    said = f"Of {total} series, {', '.join(counts)} ahead, as of {iso(now)[:16]}Z."
    if report.left:
        said += f" {report.left} forecasts more are due and come first in the next run."
    for change in report.changed:
        word = "are tickets from now on" if change.trust.demoted else "are pages again"
        said += f"\n\n**{_safe(change.series.metric)}**: alerts by its forecasts {word} ({change.trust.said})."
    return said


def _section(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    shown = [f"* {_safe(line)}" for line in lines[:LINES_SHOWN]]
    if len(lines) > LINES_SHOWN:
        shown.append(f"* and {len(lines) - LINES_SHOWN} more")
    return f"## {title}\n\n" + "\n".join(shown)


def _runs_out(watched: Sequence[Watched], now: int) -> list[str]:
    coming = [
        (one.outlook.expected.at, one.outlook.sentence(now))
        for one in watched
        if not isinstance(one.outlook, NotYet) and one.outlook.expected is not None
    ]
    return [sentence for _, sentence in sorted(coming)]


def _failing(every: Sequence[SeriesForecast]) -> list[str]:
    return [
        f"{one.name}: the bands of its {reach} held only {one.trust[reach].said}; alerts by them are tickets"
        for one in every
        for reach in one.demoted
    ]


def _pictures(every: Sequence[SeriesForecast], address: str) -> str:
    seen = [one for one in every if one.made]
    best: list[SeriesForecast] = []
    for one in sorted(seen, key=interest, reverse=True):
        of_metric = sum(other.series.metric == one.series.metric for other in best)
        if len(best) < PICTURES and of_metric < _OF_METRIC:
            best.append(one)
    if not best:
        return ""
    shown = [f"![{_safe(one.name)}]({picture_of(one, address)})" for one in best]
    return "## Worth a look\n\n" + "\n\n".join(shown)


def picture_of(one: SeriesForecast, address: str) -> str:
    """Where the console draws a series: a day ahead where that is known, else an hour."""
    reach = "?horizon=day" if "day" in one.made else ""
    return f"{address}/pictures/forecast/{one.series.id}.svg{reach}"


def _table(every: Sequence[SeriesForecast], now: int, address: str) -> str:
    rank = sorted(every, key=lambda one: (one.exhausted_at is None, not one.demoted, not one.made, one.name))
    lines = [
        "## All series",
        "",
        "| metric | now | in an hour (95 % band) | in a day | in a week | in a month | held | runs out in | labels |",
        "|---|---|---|---|---|---|---|---|---|",
        *(_line(one, now, address) for one in rank[:ROWS_SHOWN]),
    ]
    if len(rank) > ROWS_SHOWN:
        lines.append(f"\n{len(rank) - ROWS_SHOWN} more are forecast, but not shown here: `forewatch forecasts list`.")
    return "\n".join(lines)


def _line(one: SeriesForecast, now: int, address: str) -> str:
    metric = f"[{_safe(one.series.metric)}]({picture_of(one, address)})"
    labels = _safe(", ".join(f"{name}={value}" for name, value in sorted(one.series.labels.items())))
    hour = one.end_of("hour") or f"not yet: {one.not_yet['hour']}"
    far = [one.end_of(reach) or "not yet" for reach in ("day", "week", "month")]
    trust = one.trust["hour"]
    held = "-" if trust.coverage is None else f"{show(trust.coverage, 'ratio')} of {trust.scored}"
    runs_out = "-" if one.exhausted_at is None else format_duration(max(0.0, seconds(one.exhausted_at - now)))
    value = one.said(one.value) or "no data"
    cells = [metric, value, hour, *far, f"{held}{' (fails)' * trust.demoted}", runs_out, labels]
    return "| " + " | ".join(cells) + " |"


def _unknown(every: Sequence[SeriesForecast]) -> list[str]:
    """Why there are no forecasts of which reach, the most frequent reason first."""
    lines = []
    for horizon in HORIZONS:
        waiting = Counter(one.not_yet[horizon.name] for one in every if horizon.name in one.not_yet)
        told = waiting.most_common(_REASONS)
        lines += [f"{horizon.name}: {count} series: {reason}" for reason, count in told]
        others = sum(waiting.values()) - sum(count for _, count in told)
        if others:
            lines.append(f"{horizon.name}: {others} series more, for such reasons")
    too_young = Counter(what for one in every for what in one.unknown)
    lines += [f"{what} ({count} series; until then bands are wider)" for what, count in too_young.most_common()]
    return lines


def _safe(text: str) -> str:
    """Text of labels in markdown: no table cell, link or HTML of its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("[", "\\[").replace("]", "\\]")
