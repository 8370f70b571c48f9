"""Whether a series' forecasts are worth waking anybody: judged by how often what came lay in their bands.

A 95 % band that holds less than four of five values over its last twenty forecasts has failed: alerts that rest on it
become tickets, and say so. It is trusted again once its bands hold nine of ten: not at once, so that it does not go to
and fro around one limit. The forecasts looked at do not overlap in time, so one bad hour counts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from forewatch.alerting.alert import SEVERITIES, Labels
from forewatch.alerting.fingerprint import fingerprint
from forewatch.detection.quantity import show
from forewatch.incidents.events import AlertRaised

LAST = 20
"""Forecasts looked at."""
FEWEST = 8
"""Fewer scored forecasts than this decide nothing: a series keeps the trust it has."""
DEMOTE_BELOW = 0.80
PROMOTE_FROM = 0.90
LABEL = "forecast"
"""Of an alert that became a ticket: `forecast=demoted`."""


@dataclass(frozen=True)
class Trust:
    """What the last forecasts of a series came to."""

    demoted: bool
    coverage: float | None
    """Share of what came inside the bands, 0-1; None where nothing is scored yet."""
    scored: int
    """Forecasts that are of."""

    @property
    def said(self) -> str:
        """`91.2% of what came, over its last 20 forecasts`; empty where nothing is scored yet."""
        if self.coverage is None:
            return ""
        forecasts = "forecast" if self.scored == 1 else f"{self.scored} forecasts"
        return f"{show(self.coverage, 'ratio')} of what came, over its last {forecasts}"


def judge(coverages: Sequence[float], demoted: bool) -> Trust:
    """Trust after these coverages (0-1, the newest first), for a series that is `demoted` or not so far."""
    last = coverages[:LAST]
    if not last:
        return Trust(demoted, None, 0)
    held = sum(last) / len(last)
    if len(last) >= FEWEST:
        demoted = held < (PROMOTE_FROM if demoted else DEMOTE_BELOW)
    return Trust(demoted, held, len(last))


def as_ticket(event: AlertRaised, trust: Trust) -> AlertRaised:
    """The same alert as a ticket that says why it pages nobody. What it was known by stays, so its end finds it."""
    why = f"the bands of its forecasts held only {trust.said}" if trust.said else "the bands of its forecasts fail"
    summary = f"{event.annotations.get('summary', '')} (a ticket: {why})".strip()
    return replace(
        event,
        labels={**event.labels, "severity": "info", LABEL: "demoted"},
        annotations={**event.annotations, "summary": summary},
        values={**event.values, "demoted": {"coverage": trust.coverage, "scored": trust.scored}},
        identity=event.identity if event.identity is not None else event.labels,
    )


def known_by(labels: Labels, mark: str) -> Labels:
    """The labels that the alert with this fingerprint is known by: those of a ticket are not."""
    plain = {name: text for name, text in labels.items() if name != LABEL}
    before = ({**plain, "severity": severity} for severity in SEVERITIES)
    return next((one for one in (labels, *before) if fingerprint(one) == mark), labels)
