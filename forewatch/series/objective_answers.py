"""Objectives as they are configured, and their answers in the store.

Availability is counted from the points `check.up`, latency from `check.in_time.ratio`; both are 1 for a good answer and
0 for a bad one, so that sum and count of a bucket are its good answers and all of them. The answers of a service's
instances are counted together. What came in maintenance is taken off again, unless the objective counts it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from forewatch.alerting.times import Span
from forewatch.checking.results import CheckKey
from forewatch.clock import micros, seconds
from forewatch.config.detection import Objective
from forewatch.config.models import Check, Config, Service
from forewatch.detection.objectives import Speed, Tally, Windows, check_of, tally
from forewatch.series.maintenance_spans import Spans, cut
from forewatch.store import series, totals

UP, DURATION, IN_TIME = "check.up", "check.duration", "check.in_time.ratio"


@dataclass(frozen=True)
class ServiceObjective:
    """An objective of a service, with the check it is measured by."""

    service: Service
    objective: Objective
    check: Check

    @property
    def under(self) -> str | None:
        """The label `under` of the series it is counted from, if it is one about latency."""
        return label_of(self.objective.latency.under) if self.objective.latency is not None else None


def label_of(under: float) -> str:
    """A threshold as a label: `0.3s`."""
    return f"{under:g}s"


def service_objectives(config: Config) -> list[ServiceObjective]:
    """Every objective there is, in the order of the configuration."""
    return [
        ServiceObjective(service, objective, check)
        for service in config.services
        for objective in service.objectives
        if (check := check_of(service, objective)) is not None
    ]


def longest_window(kept: Sequence[ServiceObjective]) -> float:
    """Seconds."""
    return max((one.objective.window for one in kept), default=0.0)


@dataclass(frozen=True)
class Off:
    """Of some span what does not count."""

    answers: Tally
    covered: float
    """Seconds of it in which there were answers."""
    lasted: float
    """Seconds."""


class Counted:
    """Which series hold the answers of each objective: worked out again where series come or go."""

    def __init__(self, conn: Connection, kept: Sequence[ServiceObjective]) -> None:
        self._signature = series.signature(conn)
        self._counts_maintenance = [one.objective.count_maintenance for one in kept]
        self._check: dict[int, CheckKey] = {}
        self._maintained: Spans = {}
        by_check: dict[tuple[str, str, str | None], list[int]] = {}
        for metric in (UP, IN_TIME):
            for one in series.find(conn, metric):
                key = (one.service, one.labels.get("check", ""), one.labels.get("under"))
                by_check.setdefault(key, []).append(one.id)
                self._check[one.id] = CheckKey(one.service, key[1], one.labels.get("instance", ""))
        self._ids = [by_check.get((one.service.name, one.check.label, one.under), []) for one in kept]
        self._all = [by_check.get((one.service.name, one.check.label, None), []) for one in kept]

    def is_current(self, conn: Connection) -> bool:
        """Whether series were neither added nor removed since."""
        return series.signature(conn) == self._signature

    def of(self, place: int) -> list[int]:
        """The series of the objective at this place."""
        return self._ids[place]

    def answered(self, place: int) -> list[int]:
        """The series that say when it answered at all, in time or not."""
        return self._all[place]

    def ids(self, places: Sequence[int]) -> list[int]:
        """The series of some objectives, each once."""
        return sorted({number for place in places for number in self.of(place)})

    def leave_out(self, maintained: Spans) -> None:
        """Which spans are in maintenance from now on."""
        self._maintained = maintained

    def left_out(self, place: int, start: int, end: int) -> dict[int, list[Span]]:
        """The series of an objective of which not all of `start <= t < end` counts, and what does not."""
        if self._counts_maintenance[place]:
            return {}
        found = {one: cut(self._maintained.get(self._check[one], ()), start, end) for one in self.of(place)}
        return {one: spans for one, spans in found.items() if spans}

    def tallies(self, conn: Connection, places: Sequence[int], start: int, end: int) -> dict[int, Tally]:
        """The answers of `start <= t < end` by objective."""
        found = totals.totals(conn, self.ids(places), start, end)
        return {place: tally_of(found, self.of(place)) - self.off(conn, place, start, end).answers for place in places}

    def off(self, conn: Connection, place: int, start: int, end: int) -> Off:
        """What of `start <= t < end` came in maintenance and does not count."""
        answers, covered, longest = Tally(), 0.0, 0.0
        for one, spans in self.left_out(place, start, end).items():
            of_series = [totals.totals(conn, [one], begin, until).get(one) for begin, until in spans]
            answers += tally(Tally(total.sum, total.count) for total in of_series if total is not None)
            covered = max(covered, sum(total.covered for total in of_series if total is not None))
            longest = max(longest, sum(seconds(until - begin) for begin, until in spans))
        return Off(answers, covered, longest)

    def windows(self, conn: Connection, places: Sequence[int], speed: Speed, now: int) -> dict[int, Windows]:
        """Both windows of a speed that end at `now`, with how much of the long one has answers."""
        end = now + 1
        long = self.tallies(conn, places, end - micros(speed.long), end)
        covered = dict.fromkeys(places, 0)
        short = self.tallies(conn, places, end - micros(speed.short), end)
        for piece in range(round(speed.long / speed.short)):
            until = end - piece * micros(speed.short)
            # What came in maintenance was watched as well.
            found = totals.totals(conn, self.ids(places), until - micros(speed.short), until)
            for place in places:
                covered[place] += tally_of(found, self.of(place)).total > 0
        since = self.since(conn, places)
        return {place: Windows(long[place], short[place], since[place], covered[place]) for place in places}

    def since(self, conn: Connection, places: Sequence[int]) -> dict[int, int | None]:
        """The first answer that is kept."""
        known = totals.kept(conn, self.ids(places))
        return {
            place: min((known[one].since for one in self.of(place) if one in known), default=None) for place in places
        }

    def last(self, conn: Connection, places: Sequence[int], *, any_answer: bool = False) -> dict[int, int | None]:
        """The newest answer; with `any_answer` also those not yet counted as in time or not."""
        of = self.answered if any_answer else self.of
        known = totals.kept(conn, sorted({number for place in places for number in of(place)}))
        newest = {number: one.last for number, one in known.items() if one.last is not None}
        return {place: max((newest[one] for one in of(place) if one in newest), default=None) for place in places}


def tally_of(found: Mapping[int, totals.Total], ids: Sequence[int]) -> Tally:
    """The answers of some series together."""
    return tally(Tally(found[one].sum, found[one].count) for one in ids if one in found)
