"""An anomaly with the series it is on, and how to say it to a person."""

from __future__ import annotations

from dataclasses import dataclass

from forewatch.alerting.alert import Labels
from forewatch.clock import iso
from forewatch.detection.counters import is_counter
from forewatch.detection.episode import Episode
from forewatch.detection.quantity import show, show_apart, unit_of


@dataclass(frozen=True)
class Anomaly:
    episode: Episode
    metric: str
    labels: Labels
    service: str

    @property
    def family(self) -> str:
        """What is measured: two metrics of one family say the same thing twice and confirm nothing."""
        return family(self.metric)

    @property
    def series(self) -> str:
        """`check.duration (check http)`."""
        where = ", ".join(f"{name} {text}" for name, text in sorted(self.labels.items()) if name != "service" and text)
        return f"{self.metric} ({where})" if where else self.metric


def family(metric: str) -> str:
    """`system.cpu` of `system.cpu.load_average.1m`. Elsewhere a metric stands for itself: its makers chose its name."""
    parts = metric.split(".")
    return ".".join(parts[:2]) if parts[0] in ("system", "process") else metric


def said(anomaly: Anomaly) -> str:
    """`check.duration (check http) was 1.9s, usually 100ms to 140ms`, without a full stop."""
    return f"{anomaly.series} {happened(anomaly.metric, anomaly.episode)}"


def happened(metric: str, episode: Episode) -> str:
    """What the series did: `was 1.9s, usually 100ms to 140ms (score 0.93)`."""
    if episode.kind == "silent":
        return f"has given no data since {iso(episode.start)}"
    value = shown(metric, episode.value)
    rare = f" (score {episode.score:.2f})"
    if episode.kind == "flat":
        return f"stands still at {value}{rare}"
    verb = "moved to" if episode.kind == "shift" else "was"
    return f"{verb} {value}{usual(metric, episode)}{rare}"


def usual(metric: str, episode: Episode) -> str:
    """`, usually 100ms to 140ms`; nothing where it is not known."""
    if episode.lower is None or episode.upper is None:
        return ""
    low, high = show_apart(episode.lower, episode.upper, unit_of(metric))
    per = _per(metric)
    return f", usually {low}{per}" if low == high else f", usually {low}{per} to {high}{per}"


def shown(metric: str, value: float | None) -> str:
    """A value of the series as a person says it; counters are told by their growth."""
    return "nothing" if value is None else show(value, unit_of(metric)) + _per(metric)


def _per(metric: str) -> str:
    return "/s" if is_counter(metric) else ""
