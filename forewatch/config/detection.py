"""The part of the configuration that speaks of what is normal, what runs out, and the objectives."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from forewatch.config.base import Duration, Matchers, Model, Name, Quantity, Severity
from forewatch.config.secrets import Secret


class Anomalies(Model):
    """What is unusual, by each series' own history."""

    enabled: bool = True
    false_alarms: Annotated[float, Field(gt=0, le=100)] = 1.0
    """How many false alarms a series may raise in a month (30 days): the sensitivity, the same for every series."""
    ignore: list[str] = Field(default_factory=list)
    """Metrics that are not looked at, `*` standing for anything: `system.network.*`."""
    confirm_within: Annotated[Duration, Field(gt=0)] = 900.0
    """Anomalies of two metrics of a service within this time confirm each other; one alone is a note, not an alert."""
    severity: Severity = "warning"
    """Of the alert that a confirmed anomaly raises."""


class Holidays(Model):
    """Days on which a series behaves as on a Sunday."""

    country: str | None = None
    """Two letters (ISO 3166): `DE`. Its public holidays are taken from the `holidays` package."""
    region: str | None = None
    """A part of the country (ISO 3166-2 without the country): `BY`."""
    dates: list[str] = Field(default_factory=list)
    """Further days: `2026-12-24`, or `12-24` for every year."""
    zone: str = "UTC"
    """Where the days begin and end."""


class Capacity(Model):
    """Something that can run out: a metric and the limit it must not reach. Forecast; told of in time."""

    name: Name
    metric: str
    match: Matchers = Field(default_factory=dict)
    limit: Quantity | None = None
    limit_metric: str | None = None
    """The metric that holds the limit, with the same labels."""
    warn_within: Annotated[Duration, Field(gt=0)] = 86400.0
    """Tell of it when it will be used up within this time."""
    severity: Severity = "warning"
    service: Name | None = None
    """Whom the alert belongs to; default the series' own service."""

    @model_validator(mode="after")
    def _one_limit(self) -> Capacity:
        if (self.limit is None) == (self.limit_metric is None):
            raise ValueError("needs exactly one of limit, limit_metric")
        return self


class LatencyTarget(Model):
    """`share` of the answers come in `under` this time."""

    under: Annotated[Duration, Field(gt=0)]
    share: Annotated[Quantity, Field(gt=0, lt=1)]


class Objective(Model):
    """What a service is to reach over a rolling window, and so how much may go wrong: the error budget."""

    name: Name | None = None
    availability: Annotated[Quantity, Field(gt=0, lt=1)] | None = None
    """Share of the checks' answers that are good: `99.9%`."""
    latency: LatencyTarget | None = None
    check: Name | None = None
    """The check it is measured by; default the service's first http check, else its first."""
    window: Annotated[Duration, Field(ge=86400, le=90 * 86400)] = 30 * 86400.0
    count_maintenance: bool = False
    """Whether the answers in maintenance, planned or by hand, count as all others do."""

    @property
    def kind(self) -> Literal["availability", "latency"]:
        return "availability" if self.availability is not None else "latency"

    @property
    def label(self) -> str:
        """The name it goes by: its own, or its kind."""
        return self.name or self.kind

    @property
    def target(self) -> float:
        """The share that must be good, 0-1."""
        return self.availability if self.availability is not None else self.latency.share if self.latency else 1.0

    @model_validator(mode="after")
    def _one_kind(self) -> Objective:
        if (self.availability is None) == (self.latency is None):
            raise ValueError("needs exactly one of availability, latency")
        return self


class Benchmark(Model):
    """A load put on a service now and then, to see whether it has become slower."""

    name: Name
    url: str | Secret
    method: str = "GET"
    headers: dict[str, str | Secret] = Field(default_factory=dict)
    body: str | None = None
    rate: Annotated[float, Field(gt=0, le=10_000)] = 10.0
    """Requests a second, sent on time whether or not the ones before were answered (open loop)."""
    duration: Annotated[Duration, Field(ge=1, le=3600)] = 30.0
    timeout: Annotated[Duration, Field(gt=0)] = 10.0
    every: Annotated[Duration, Field(ge=60)] = 86400.0
    slower: Annotated[Quantity, Field(gt=0)] = 0.1
    """A change smaller than this share of the baseline is no regression, however sure."""
    severity: Severity = "warning"
