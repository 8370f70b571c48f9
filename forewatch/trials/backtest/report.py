"""What a backtest found, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from forewatch.clock import iso
from forewatch.detection.quantity import Unit, show
from forewatch.trials.backtest.verdict import SHORTEST, Alert, Known, Verdict, best
from forewatch.units import format_duration

_SHOWN = 40  # alerts listed for people; machines get all


@dataclass(frozen=True)
class Trial:
    """One way to set it, and what came of that."""

    label: str
    alerts: Sequence[Alert]
    verdict: Verdict


@dataclass(frozen=True)
class Report:
    target: str
    metric: str
    unit: Unit
    since: int
    until: int
    tolerance: float
    """Seconds."""
    series: int
    """How many match."""
    looked_at: int
    """How many of them had data and were judged to the end."""
    trials: Sequence[Trial] = ()
    """The first is how it is set now; without data there is none."""
    known: Sequence[Known] = ()
    notes: Sequence[str] = field(default_factory=tuple)
    """What the history cannot tell."""

    @property
    def suggested(self) -> Trial | None:
        """The setting to choose; None where no incident is known or none is found by any."""
        place = best([trial.verdict for trial in self.trials]) if self.known else None
        return None if place is None else self.trials[place]

    def as_json(self) -> dict[str, Any]:
        """For machines. Instants in RFC 3339, spans in seconds."""
        current = self.trials[0] if self.trials else None
        return {
            "target": self.target,
            "metric": self.metric,
            "since": iso(self.since),
            "until": iso(self.until),
            "data": bool(self.trials),
            "series": self.series,
            "series_judged": self.looked_at,
            "seconds_judged": current.verdict.looked_at if current else 0.0,
            "alerts": [
                {
                    "start": iso(alert.start),
                    "end": None if alert.end is None else iso(alert.end),
                    "value": alert.value,
                    "series": alert.series,
                    "service": alert.service,
                    "incident": match,
                }
                for alert, match in (zip(current.alerts, current.verdict.matches, strict=True) if current else ())
            ],
            "missed": list(current.verdict.missed) if current else [],
            "trials": [{"setting": trial.label, **_figures(trial.verdict)} for trial in self.trials],
            "suggested": self.suggested.label if self.suggested else None,
            "told_of_by_this_alone": [one.id for one in self.known if one.own],
            "notes": list(self.notes),
        }

    def summary(self) -> Iterator[str]:
        """Everything but the two tables, a line each."""
        span = f"{iso(self.since)[:16]}Z to {iso(self.until)[:16]}Z"
        yield f"{self.target} on {self.looked_at} of {self.series} series of {self.metric}, {span}."
        yield from self.notes
        if not self.trials:
            yield "Nothing could be judged: that is not the same as zero alerts."
            return
        verdict = self.trials[0].verdict
        yield _told(verdict)
        if not self.known:
            yield "No incident of these services is known in this time: precision and recall cannot be told."
            return
        yield (
            f"An alert lies in an incident of its service that it overlaps, or misses by at most "
            f"{format_duration(self.tolerance)}."
        )
        if own := [one.id for one in self.known if one.own]:
            yield f"Only this rule itself told of {', '.join(own)}: that it finds them again says little."
        for one in self.known:
            if one.id in verdict.missed:
                yield f"Missed: {one.id} at {iso(one.start)[:16]}Z, {one.title}"

    def alert_rows(self) -> list[tuple[str, ...]]:
        """START, END, VALUE, SERIES, INCIDENT of each alert as it is set now, the newest last."""
        if not self.trials:
            return []
        current = self.trials[0]
        pairs = list(zip(current.alerts, current.verdict.matches, strict=True))[-_SHOWN:]
        return [
            (
                iso(alert.start)[:19] + "Z",
                "goes on" if alert.end is None else iso(alert.end)[:19] + "Z",
                "" if alert.value is None else show(alert.value, self.unit),
                match or "none",
                alert.series,
            )
            for alert, match in pairs
        ]

    def left_out(self) -> int:
        """Alerts that are not in the rows."""
        return max(0, len(self.trials[0].alerts) - _SHOWN) if self.trials else 0

    def trial_rows(self) -> list[tuple[str, ...]]:
        """SETTING, ALERTS, PRECISION, RECALL, DELAY, NOISE A WEEK and a mark on the one to choose."""
        chosen = self.suggested
        return [
            (
                trial.label,
                str(trial.verdict.alerts),
                _share(trial.verdict.precision),
                _share(trial.verdict.recall),
                "" if trial.verdict.delay is None else format_duration(trial.verdict.delay),
                "-" if trial.verdict.noise is None else f"{trial.verdict.noise:.2f}",
                "suggested" if trial is chosen else "",
            )
            for trial in self.trials
        ]


def _told(verdict: Verdict) -> str:
    said = f"{verdict.alerts} alert{'' if verdict.alerts == 1 else 's'}"
    if verdict.incidents:
        said += f", {verdict.right} of them in a known incident"
    if verdict.precision is not None:
        said += f" (precision {_share(verdict.precision)})"
    if verdict.recall is not None:
        said += f"; {verdict.found} of {verdict.incidents} incidents found (recall {_share(verdict.recall)})"
    if verdict.delay is not None:
        said += f", {_delay(verdict.delay)}"
    if verdict.noise is not None:
        return f"{said}; noise: {verdict.noise:.2f} alerts a week."
    return (
        f"{said}. {format_duration(verdict.looked_at)} of history is too little to say how many alerts in no incident "
        f"there would be a week: that takes {format_duration(SHORTEST)}."
    )


def _delay(delay: float) -> str:
    when = "after" if delay >= 0 else "before"
    return f"half of them within {format_duration(abs(delay))} {when} they began" if delay else "as they began"


def _figures(verdict: Verdict) -> dict[str, Any]:
    return {
        "alerts": verdict.alerts,
        "right": verdict.right,
        "incidents": verdict.incidents,
        "found": verdict.found,
        "precision": verdict.precision,
        "recall": verdict.recall,
        "delay": verdict.delay,
        "noise": verdict.wrong,
        "noise_per_week": verdict.noise,
    }


def _share(share: float | None) -> str:
    return "" if share is None else f"{share * 100:.0f}%"
