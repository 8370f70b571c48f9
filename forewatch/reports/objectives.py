"""How every objective stands: what was reached, what is left of its error budget, how fast it goes and for how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from forewatch.clock import iso, micros, seconds
from forewatch.config.models import Config
from forewatch.detection.error_budget import Budget, Pace, UsedUp, budget, outlook, pace, used_up
from forewatch.detection.objectives import FAST, SPEEDS, Tally, burn_rate, percent, tally, times
from forewatch.series.maintenance_spans import maintained
from forewatch.series.objective_answers import Counted, ServiceObjective, longest_window, tally_of
from forewatch.store import buckets, totals
from forewatch.store.engine import Store
from forewatch.units import format_duration

PARTS = 30
"""Of a window: how finely is known when its bad answers leave it."""
COUNTED_WITHIN = 120.0
"""Seconds by which the answers in time may lag behind all answers; if by more, the past is still being counted."""

COLUMNS = (
    "service", "objective", "target", "reached", "budget left", "burn 1h", "burn 5m", "burn 6h", "burn 30m", "since",
    "outlook",
)  # fmt: skip
"""What people are shown of an objective."""

_HOUR, _DAY = 3600.0, 86400.0


@dataclass(frozen=True)
class Figures:
    """How an objective stands."""

    slo: ServiceObjective
    answers: Tally
    """Of the window, as far as they are kept."""
    since: int | None
    """The first answer that is kept."""
    last: int | None
    burns: Mapping[str, tuple[float | None, float | None]]
    """By speed: burn rates of its long and its short window."""
    budget: Budget | None
    pace: Pace | None
    used_up: UsedUp | None
    note: str
    """What must be known beside the figures."""
    outlook: str
    maintenance: float = 0.0
    """Seconds of the window that are not counted, since the check was in maintenance."""

    def as_json(self) -> dict[str, Any]:
        """For programs; instants as RFC 3339, spans in seconds."""
        one, left = self.slo, self.budget
        return {
            "service": one.service.name,
            "objective": one.objective.label,
            "kind": one.objective.kind,
            "check": one.check.label,
            "target": one.objective.target,
            "window": one.objective.window,
            "good": self.answers.good,
            "total": self.answers.total,
            "share": 1.0 - self.answers.bad_share if self.answers.bad_share is not None else None,
            "since": iso(self.since) if self.since is not None else None,
            "last": iso(self.last) if self.last is not None else None,
            "budget": {"allowed": left.allowed, "spent": left.spent, "left": left.left} if left is not None else None,
            "burn": {speed.name: dict(zip(("long", "short"), self.burns[speed.name], strict=True)) for speed in SPEEDS},
            "used_up": {
                "at": iso(self.used_up.at),
                "not_before": iso(self.used_up.lower),
                "not_after": iso(self.used_up.upper) if self.used_up.upper is not None else None,
            }
            if self.used_up is not None
            else None,
            "maintenance": self.maintenance,
            "outlook": self.outlook,
            "note": self.note,
        }

    def as_row(self) -> dict[str, str]:
        """For people, by column; empty where nothing is known."""
        one, bad = self.slo, self.answers.bad_share
        rates = [times(rate) if rate is not None else "" for speed in SPEEDS for rate in self.burns[speed.name]]
        cells = (
            one.service.name,
            one.objective.label,
            f"{percent(one.objective.target, 6)} over {format_duration(one.objective.window)}",
            percent(1.0 - bad, 6) if bad is not None else "",
            percent(self.budget.left) if self.budget is not None else "",
            *rates,
            iso(self.since)[:16] + "Z" if self.since is not None else "",
            "; ".join(filter(None, (self.outlook if self.answers.total else "", self.note))) or self.outlook,
        )
        return dict(zip(COLUMNS, cells, strict=True))


def figures(
    conn: Connection,
    kept: Sequence[ServiceObjective],
    now: int,
    places: Sequence[int] = (),
    counted: Counted | None = None,
) -> list[Figures]:
    """How objectives stand at `now`: those at `places`, or all. `counted` is of `kept`, where it is known already."""
    chosen = list(places or range(len(kept)))
    if not chosen:
        return []
    seen = _Seen(conn, kept, counted or Counted(conn, kept), chosen, now)
    return [_figures(kept[place], seen, place, now) for place in chosen]


def standing(store: Store, config: Config, kept: Sequence[ServiceObjective], now: int) -> list[Figures]:
    """How objectives stand at `now`, with what was in maintenance left out. Raises StoreUnavailable."""
    with store.read() as conn:
        spans = maintained(conn, config, now - micros(longest_window(kept)), now + 1)
    with store.read_metrics() as conn:
        counted = Counted(conn, kept)
        counted.leave_out(spans)
        return figures(conn, kept, now, counted=counted)


class _Seen:
    """All that is read of the store for some objectives, each by its place."""

    def __init__(
        self, conn: Connection, kept: Sequence[ServiceObjective], counted: Counted, places: Sequence[int], now: int
    ) -> None:
        end = now + 1
        self.since = counted.since(conn, places)
        self.last = counted.last(conn, places)
        self.answered = counted.last(conn, places, any_answer=True)
        self.burns = {
            (speed.name, span): counted.tallies(conn, places, end - micros(span), end)
            for speed in SPEEDS
            for span in (speed.long, speed.short)
        }
        self.hours = _hours(conn, counted, places, now)
        self.answers: dict[int, Tally] = {}
        self.covered: dict[int, float] = {}
        self.off: dict[int, float] = {}
        self.parts: dict[int, list[Tally]] = {}
        for window in {kept[place].objective.window for place in places}:
            start, those = end - micros(window), [place for place in places if kept[place].objective.window == window]
            found = totals.totals(conn, counted.ids(those), start, end)
            split = totals.in_parts(conn, counted.ids(those), start, end, PARTS)
            for place in those:
                # Before the first answer there was nothing to count in any case.
                begin = max(start, self.since[place] or start)
                own, off = counted.of(place), counted.off(conn, place, begin, end)
                self.off[place] = off.lasted
                self.answers[place] = tally_of(found, own) - off.answers
                covered = max((found[one].covered for one in own if one in found), default=0.0)
                self.covered[place] = max(0.0, covered - off.covered)
                parts = [tally(Tally(*split[one][part]) for one in own) for part in range(PARTS)]
                self.parts[place] = _less(conn, counted, place, parts, start, end) if off.lasted else parts


def _figures(one: ServiceObjective, seen: _Seen, place: int, now: int) -> Figures:
    target, window, answers = one.objective.target, one.objective.window, seen.answers[place]
    rates: dict[str, tuple[float | None, float | None]] = {
        speed.name: (
            burn_rate(seen.burns[speed.name, speed.long][place], target),
            burn_rate(seen.burns[speed.name, speed.short][place], target),
        )
        for speed in SPEEDS
    }
    since, last = seen.since[place], seen.last[place]
    left = budget(answers, _covered(one, answers, seen.covered[place], since, now), one.objective)
    at_pace, up = pace(seen.hours[place]), None
    if left is not None and at_pace is not None:
        per_answer = left.spent / answers.bad if answers.bad else 0.0
        past = [part.bad * per_answer for part in seen.parts[place]]
        up = used_up(left, past, at_pace, window, now)
    note, words = _note(one, since, last, seen.answered[place], now), outlook(left, up, at_pace, now)
    off = seen.off[place]
    if off:
        note = "; ".join(filter(None, (note, f"{format_duration(off)} of maintenance not counted")))
    return Figures(one, answers, since, last, rates, left, at_pace, up, note, words, off)


def _covered(one: ServiceObjective, answers: Tally, covered: float, since: int | None, now: int) -> float:
    """Seconds of the window that were watched: by its buckets with answers, or by a slow check's own rhythm."""
    if one.check.every > _HOUR:
        covered = max(covered, answers.total * one.check.every)
    there = seconds(max(0, now - since)) if since is not None else 0.0
    return min(covered, there, one.objective.window)


def _hours(conn: Connection, counted: Counted, places: Sequence[int], now: int) -> dict[int, list[Tally]]:
    """The answers of each hour of the last day that has any, by objective."""
    by_series: dict[int, dict[int, Tally]] = {}
    for each in buckets.sums(conn, counted.ids(places), now - micros(_DAY), now + 1, _HOUR):
        by_series.setdefault(each.series_id, {})[each.at] = Tally(each.sum, each.count)
    found = {}
    for place in places:
        hours: dict[int, Tally] = {}
        for number in counted.of(place):
            for at, answers in by_series.get(number, {}).items():
                hours[at] = hours.get(at, Tally()) + answers
        for at in list(hours) if counted.left_out(place, now - micros(_DAY), now + 1) else ():
            hours[at] -= counted.off(conn, place, max(at, now - micros(_DAY)), min(at + micros(_HOUR), now + 1)).answers
        found[place] = list(hours.values())
    return found


def _less(conn: Connection, counted: Counted, place: int, parts: Sequence[Tally], start: int, end: int) -> list[Tally]:
    """Equal parts of a span without what of each does not count."""
    edges = [start + (end - start) * part // len(parts) for part in range(len(parts) + 1)]
    return [
        answers - counted.off(conn, place, begin, until).answers
        for answers, begin, until in zip(parts, edges, edges[1:], strict=False)
    ]


def _note(one: ServiceObjective, since: int | None, last: int | None, answered: int | None, now: int) -> str:
    if answered is not None and one.under is not None and (last is None or seconds(answered - last) > COUNTED_WITHIN):
        return "the answers of the past are still being counted"
    if since is None:
        return "no answers yet"
    silent = seconds(now - last) if last is not None else None
    if silent is None or silent > max(FAST.short, 2 * one.check.every):
        return f"no answer for {format_duration(silent)}" if silent is not None else "no answer any more"
    there = seconds(max(0, now - since))
    there -= there % _DAY if there > 2 * _DAY else 0.0
    return f"history of {format_duration(there)} only" if there < one.objective.window * 0.99 else ""
