"""Which service caused an incident: every service with a score from 0 to 1 and a sentence of evidence.

Where requests are counted, the rise of load at the alarm is attributed (`causes.excess`); where they are not, or where
latency is a percentile, the deepest services that got worse are blamed (`causes.deepest`); where nothing was measured,
the deepest firing ones (`causes.firing`). With several alarms those that no other alarmed service depends on are
explained, weighed by their rise. Where no score reaches `CONFIDENT` no cause is found; the list is there all the same.
The same input in any order gives the same ranking; ties stand by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from forewatch.incidents.causes import evidence
from forewatch.incidents.causes.deepest import Depth, deepest
from forewatch.incidents.causes.excess import Attribution, attribute
from forewatch.incidents.causes.firing import by_alerts
from forewatch.incidents.causes.graph import Graph
from forewatch.incidents.causes.ranking import CONFIDENT, KINDS, Alarm, Cause, Kind, Ranking
from forewatch.incidents.causes.telemetry import Floats, Normal, Telemetry

Found = Attribution | Depth

COUNTED = 0.5
"""Requests must be counted for this share of the services that are measured, or loads say nothing."""
CANDIDATES = 3
"""Leading services that are asked whether trouble of the other kind, further down, is behind theirs."""
WORTH_ASKING = 0.1
BEHIND = 0.5
"""From this score on trouble of the other kind is thought to be behind it."""
SLOWER = (1.5, 3.0)
"""How many times its usual latency a service must take to be thought, in part and in full, the cause of failures."""
FAILING = (0.02, 0.1)
"""The share of its requests a service must fail more to be thought, in part and in full, the cause of latency."""
MOST_ALARMED = 50
"""Alarmed services that are looked at, the earliest: in a storm of alarms the rest tell nothing more."""
DIGITS = 9
"""Scores that are equal to this many digits are a tie, so that the order of sums does not decide."""


@dataclass(eq=False)
class _Blame:
    """What one top alarm says of each service."""

    found: Found
    score: Floats
    behind: dict[int, tuple[int, Found]]
    """Service -> the caller whose trouble it is behind, and how that was found."""


class Ranker:
    """Ranks incidents of services whose graph and normal period are given once; what is fitted to that is kept."""

    def __init__(self, graph: Graph, normal: Telemetry) -> None:
        names = [graph.services[one] for one in range(len(graph.services))]
        calls = {names[one]: [names[callee] for callee in below] for one, below in enumerate(graph.below)}
        self.graph = Graph(normal.services, calls)
        self.normal = Normal(normal.onto(self.graph.services))

    def rank(self, during: Telemetry, alarms: Sequence[Alarm]) -> Ranking:
        """Rank every service. `during` holds the buckets from the one before the alarm on; more may be given.

        Alarms of services nobody knows are left out; without any other the ranking is empty.
        """
        first: dict[tuple[int, Kind], int] = {}
        for alarm in alarms:
            if alarm.service in self.graph.place:
                key = (self.graph.place[alarm.service], alarm.kind)
                first[key] = min(alarm.at, first.get(key, alarm.at))
        if not first:
            return Ranking((), "none of the alarmed services is known")
        during = during.onto(self.graph.services)
        earliest = sorted({service for service, _ in first}, key=lambda one: (_since(first, one), one))
        tops = set(self.graph.tops(earliest[:MOST_ALARMED]))
        blames = [
            blame
            for (service, kind), at in sorted(first.items())
            if service in tops and (blame := self._blame(during, service, kind, at)) is not None
        ]
        if not blames:
            return rank_by_alerts(self.graph, {one.service: one.at for one in sorted(alarms, key=lambda one: -one.at)})
        return self._ranking(during, blames)

    def _blame(self, during: Telemetry, top: int, kind: Kind, at: int) -> _Blame | None:
        found = self._find(during, top, kind, at)
        if found is None:
            return None
        score, behind = self._behind(during, found, at)
        return _Blame(found, score, behind)

    def _find(self, during: Telemetry, top: int, kind: Kind, at: int) -> Found | None:
        method = attribute if self._adds_up(during, top, kind) else deepest
        return method(self.graph, self.normal, during, top, kind, at)

    def _adds_up(self, during: Telemetry, top: int, kind: Kind) -> bool:
        """Whether there are loads: means, and requests counted nearly everywhere."""
        for telemetry in (self.normal.telemetry, during):
            if kind == "latency" and not telemetry.additive:
                return False
            counted = np.any(telemetry.requests > 0, axis=1)
            measured = np.any(np.isfinite(telemetry.measure(kind)), axis=1)
            if not np.any(telemetry.requests[top] > 0) or np.sum(counted & measured) < COUNTED * np.sum(measured):
                return False
        return True

    def _behind(self, during: Telemetry, found: Found, at: int) -> tuple[Floats, dict[int, tuple[int, Found]]]:
        """Move blame down to where trouble of the other kind began: a slow service makes its callers time out."""
        score = found.score.copy()
        behind: dict[int, tuple[int, Found]] = {}
        [other] = (kind for kind in KINDS if kind != found.kind)
        worth = np.flatnonzero(score >= WORTH_ASKING).tolist()
        leading = sorted(worth, key=lambda one: (-round(float(score[one]), DIGITS), one))
        for caller in leading[:CANDIDATES]:
            asked = self._find(during, caller, other, at) if self.graph.below[caller] else None
            if asked is None:
                continue
            likely = asked.score * _is_grave(asked, during)
            likely[caller] = 0.0
            service = int(np.argmax(np.round(likely, DIGITS)))
            if likely[service] >= BEHIND:
                moved = found.score[caller] * likely[service]
                score[caller] -= moved
                score[service] = min(1.0, score[service] + moved)
                behind.setdefault(service, (caller, asked))
        return score, behind

    def _ranking(self, during: Telemetry, blames: Sequence[_Blame]) -> Ranking:
        weights = _weights(blames)
        parts = np.array([weight * blame.score for weight, blame in zip(weights, blames, strict=True)])
        total = parts.sum(axis=0)
        strongest = parts.argmax(axis=0)
        deviations = np.max([np.nan_to_num(blame.found.z, neginf=-1e9) for blame in blames], axis=0)
        order = sorted(
            range(len(total)),
            key=lambda one: (-round(total[one], DIGITS), -round(deviations[one], 6), self.graph.services[one]),
        )
        causes = tuple(
            Cause(
                self.graph.services[one],
                round(float(total[one]), DIGITS),
                self._evidence(during, blames[int(strongest[one])], one),
                _is_evident(during, blames[int(strongest[one])], one),
            )
            for one in order
        )
        return Ranking(causes, self._note(causes, blames))

    def _evidence(self, during: Telemetry, blame: _Blame, service: int) -> str:
        if service in blame.behind:
            caller, asked = blame.behind[service]
            text = evidence.of(self.graph, during, asked, service)
            return evidence.of_other_kind(self.graph, caller, blame.found.kind, text)
        return evidence.of(self.graph, during, blame.found, service)

    def _note(self, causes: Sequence[Cause], blames: Sequence[_Blame]) -> str:
        said = []
        if causes[0].score < CONFIDENT:
            said.append(f"no confident cause: no service scores {CONFIDENT:g} or more")
        elif caution := evidence.note_on_caller(self.graph, self.graph.place[causes[0].service]):
            said.append(caution)
        if any(isinstance(blame.found, Depth) for blame in blames):
            said.append("ranked by depth: without counted requests and mean latencies, loads cannot be added up")
        return "; ".join(said)


def rank_by_alerts(graph: Graph, firing: Mapping[str, int]) -> Ranking:
    """Rank where nothing was measured: the firing services, each with since when it fires (microseconds)."""
    causes = tuple(Cause(one.service, one.score, one.evidence) for one in by_alerts(graph, firing))
    return Ranking(causes, "ranked by alerts alone, for want of measurements")


def _is_evident(during: Telemetry, blame: _Blame, service: int) -> bool:
    found = blame.behind[service][1] if service in blame.behind else blame.found
    return evidence.speaks(during, found, service)


def _since(first: dict[tuple[int, Kind], int], service: int) -> int:
    return min(at for (one, _), at in first.items() if one == service)


def _is_grave(found: Found, during: Telemetry) -> Floats:
    """How far each service's trouble is such that its callers' trouble of the other kind may come of it, 0 to 1."""
    now = during.measure(found.kind)[:, found.bucket]
    if found.kind == "latency":
        grave, (partly, fully) = now / np.maximum(found.usual, 1e-9), SLOWER
    else:
        grave, (partly, fully) = now - found.usual, FAILING
    return np.asarray(np.nan_to_num(np.clip((grave - partly) / (fully - partly), 0.0, 1.0)))


def _weights(blames: Sequence[_Blame]) -> list[float]:
    """By rise among the alarms of one kind and method, whose rises have one unit; these groups count the same."""
    groups = [(type(blame.found), blame.found.kind) for blame in blames]
    sums = dict.fromkeys(groups, 0.0)
    for blame, group in zip(blames, groups, strict=True):
        sums[group] += blame.found.weight
    rising = [group for group in sums if sums[group] > 0]
    if not rising:
        return [1.0 / len(blames)] * len(blames)
    return [
        blame.found.weight / sums[group] / len(rising) if sums[group] > 0 else 0.0
        for blame, group in zip(blames, groups, strict=True)
    ]
