"""What a configuration may say: the shape of `forewatch.yaml` as pydantic models.

Durations are seconds, quantities plain floats in base units (ratio 0-1, seconds, bytes). Cross references (services,
runbooks, notifiers, duplicates, cycles) are checked in `crosscheck.py`, which knows the lines.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    model_validator,
)

from forewatch.alerting.compiled import Compiled
from forewatch.config.base import Duration, HostName, Matchers, Model, Name, Quantity, Severity
from forewatch.config.detection import Anomalies, Benchmark, Capacity, Holidays, Objective
from forewatch.config.notifier import NOTIFIER_KINDS as NOTIFIER_KINDS
from forewatch.config.notifier import Console as Console
from forewatch.config.notifier import Notifier as Notifier
from forewatch.config.notifier import Webhook as Webhook
from forewatch.config.remedy import Autonomy as Autonomy
from forewatch.config.remedy import Limits as Limits
from forewatch.config.remedy import Remedy as Remedy
from forewatch.config.remedy import RemedyOff as RemedyOff
from forewatch.config.remedy import Verify as Verify
from forewatch.config.secrets import Secret
from forewatch.config.sources import Source
from forewatch.config.targets import DnsTarget, HeartbeatTarget, SqlTarget, SystemdTarget, TlsTarget
from forewatch.config.targets import ProcessTarget as ProcessTarget

Statistic = Literal["mean", "max", "min", "p50", "p95", "p99", "rate", "sum", "count", "last", "ratio"]


class Expectation(Model):
    """What an answer must be like for the check to pass. Unset fields are not looked at."""

    status: int | list[int] | None = None
    body: str | None = None
    json_path: dict[str, Any] = Field(default_factory=dict, alias="json")
    headers: dict[str, str] = Field(default_factory=dict)
    latency: Duration | None = None
    certificate_days: int | None = None
    exit: int = 0
    output: str | None = None
    answers: list[str] | None = None
    """Of a DNS look-up: exactly these, in any order; an empty list: none."""
    value: str | int | float | bool | None = None
    """The first column of a query's first row."""
    rows: int | None = Field(default=None, ge=0)
    state: str | list[str] | None = None
    """Of a systemd unit (`ActiveState`)."""


CHECK_KINDS = ("http", "tcp", "process", "command", "dns", "tls", "sql", "systemd", "heartbeat")


class Check(Model):
    """An active probe. Exactly one key, such as `http` or `tcp`, says what kind it is and what is probed."""

    name: Name | None = None
    http: str | None = None
    tcp: str | None = None
    process: ProcessTarget | None = None
    command: list[str] | None = None
    dns: DnsTarget | None = None
    tls: str | TlsTarget | None = None
    sql: SqlTarget | None = None
    systemd: SystemdTarget | None = None
    heartbeat: HeartbeatTarget | None = None

    method: str = "GET"
    headers: dict[str, str | Secret] = Field(default_factory=dict)
    body: str | None = None
    follow_redirects: bool = False
    verify_tls: bool = True
    ca: str | None = None
    """Of an http check: a PEM file of authorities to trust instead of this machine's."""
    server_name: str | None = None
    """Of an http check: the name that TLS asks for and the certificate must be for; default: the `Host` header's, else
    the URL's host."""
    expect: Expectation = Expectation()

    every: Annotated[Duration, Field(ge=1)] = 10.0
    timeout: Annotated[Duration, Field(gt=0)] = Field(default_factory=lambda given: min(5.0, given.get("every", 5.0)))
    """Default 5 s, or `every` where that is shorter: a check ends before its next one begins."""
    retries: int = Field(default=0, ge=0, le=10)
    fails_after: Annotated[int, Field(ge=1)] = Field(default_factory=lambda given: 1 if given.get("heartbeat") else 3)
    """Default 3; of a heartbeat 1: its grace has been waited for already."""
    recovers_after: Annotated[int, Field(ge=1)] = Field(
        default_factory=lambda given: 1 if given.get("heartbeat") else 2
    )
    severity: Severity = "critical"

    @property
    def kind(self) -> str:
        """One of CHECK_KINDS."""
        return next(kind for kind in CHECK_KINDS if getattr(self, kind) is not None)

    @property
    def addressed(self) -> list[str]:
        """The texts in which `{address}` stands for the address of each of the service's instances."""
        server = self.tls.address if isinstance(self.tls, TlsTarget) else self.tls
        database = self.sql.url if self.sql is not None and isinstance(self.sql.url, str) else None
        texts = (self.http, self.tcp, server, self.dns and self.dns.name, self.dns and self.dns.server, database)
        return [text for text in (*texts, *(self.command or ())) if text]

    @property
    def label(self) -> str:
        """The name it goes by: its own, or its kind."""
        return self.name or self.kind

    @model_validator(mode="after")
    def _one_kind(self) -> Check:
        if sum(getattr(self, kind) is not None for kind in CHECK_KINDS) != 1:
            raise ValueError(f"needs exactly one of {', '.join(CHECK_KINDS)}")
        if self.command is not None and not self.command:
            raise ValueError("command needs at least the program's name")
        if self.ca is not None and self.http is None:
            raise ValueError("ca is for http checks (a tls check takes it below tls: {address: HOST:PORT, ca: FILE})")
        if self.server_name is not None and self.http is None:
            raise ValueError(
                "server_name is for http checks (a tls check takes it below tls: "
                "{address: HOST:PORT, server_name: NAME})"
            )
        if self.ca is not None and not self.verify_tls:
            raise ValueError(
                "verify_tls: false trusts every certificate, so ca has no effect; leave one of the two out"
            )
        return self


class Instance(Model):
    """One copy of a service. `{address}` in a check's URL stands for it."""

    name: Name
    address: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)


class Service(Model):
    name: Name
    owner: str | None = None
    description: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    depends_on: list[Name] = Field(default_factory=list)
    instances: list[Instance] = Field(default_factory=list)
    processes: list[ProcessTarget] = Field(default_factory=list)
    checks: list[Check] = Field(default_factory=list)
    remedies: list[Remedy] = Field(default_factory=list)
    maintenance: list[Name] = Field(default_factory=list)
    """Names of `times` of planned maintenance: its alerts notify nobody then, and no remedy acts."""
    objectives: list[Objective] = Field(default_factory=list)
    benchmarks: list[Benchmark] = Field(default_factory=list)

    @property
    def alert_labels(self) -> dict[str, str]:
        """What every alert of ours about it carries: its labels, and its owner unless a label says otherwise."""
        return {"owner": self.owner, **self.labels} if self.owner else self.labels


class Rule(Model):
    """A metric to an alert. Exactly one of these says when: `above`, `below` (a number or `forecast`, the edge of its
    band), `outside: forecast`, `anomaly`, or `exhausted_within` (with `limit`)."""

    alert: str
    metric: str
    per: str | None = None
    """With `statistic: ratio`: the metric to divide by."""
    match: Matchers = Field(default_factory=dict)
    statistic: Statistic = "mean"
    window: Annotated[Duration, Field(ge=1)] = 300.0
    above: Quantity | Literal["forecast"] | None = None
    below: Quantity | Literal["forecast"] | None = None
    outside: Literal["forecast"] | None = None
    anomaly: Literal["high", "medium"] | None = None
    """`high`: as rare as the alarm budget (`anomalies.false_alarms`) allows; `medium`: ten times as often."""
    limit: Quantity | None = None
    exhausted_within: Annotated[Duration, Field(gt=0)] | None = None
    """At the growth of the last `window`, `limit` is reached within this time."""
    for_: Duration = Field(default=0.0, alias="for")
    clear: Quantity | None = None
    """Once firing, stays firing until the value is back beyond this one; default the threshold itself."""
    severity: Severity = "warning"
    service: Name | None = None
    """The service the alert belongs to; default the series' own, else `host`."""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_bound(self) -> Rule:
        bounds = (self.above, self.below, self.outside, self.anomaly, self.exhausted_within)
        if sum(value is not None for value in bounds) != 1:
            raise ValueError("needs exactly one of above, below, outside, anomaly, exhausted_within")
        if (self.limit is None) != (self.exhausted_within is None):
            raise ValueError("limit and exhausted_within go together")
        if (self.statistic == "ratio") != (self.per is not None):
            raise ValueError("statistic: ratio and per: METRIC go together")
        if self.against_forecast and self.statistic in ("rate", "sum", "count", "ratio"):
            raise ValueError(
                f"a forecast is of the metric itself: {self.statistic} cannot be compared with it (try mean)"
            )
        if self.clear is not None and not isinstance(self.above or self.below or 0.0, float):
            raise ValueError("clear needs a number as above or below: a forecast has no second threshold")
        if self.clear is not None and isinstance(self.above, float) and self.clear > self.above:
            raise ValueError("clear must not be above the threshold `above`")
        if self.clear is not None and isinstance(self.below, float) and self.clear < self.below:
            raise ValueError("clear must not be below the threshold `below`")
        return self

    @property
    def against_forecast(self) -> bool:
        """Whether it is held against the band of the series' forecast."""
        return "forecast" in (self.above, self.below, self.outside)


class Route(Model):
    """Who is notified of matching alerts. Children are tried in order; the first match wins unless it says `continue`.

    What a child does not say it inherits. Without `group_by` notifications follow the incident: one page each, whatever
    joins it. With `group_by` they follow Alertmanager: one notice a group of labels, on its ticks.
    """

    match: Matchers = Field(default_factory=dict)
    notify: list[Name] | None = None
    """Default: the parent's; of the first level: every notifier there is."""
    hold: Duration | None = None
    """How long a page waits while an `auto` remedy works on it. Default: 0 s for critical, 60 s otherwise."""
    continue_: bool = Field(default=False, alias="continue")
    group_by: list[str] | None = None
    """Label names; `['...']` is every label, so that each alert is told by itself."""
    group_wait: Duration | None = None
    """From the first alert of a group to its first notice. Default 30 s."""
    group_interval: Annotated[Duration, Field(gt=0)] | None = None
    """From tick to tick after that. Default 5 m."""
    repeat_interval: Annotated[Duration, Field(gt=0)] | None = None
    """Tell again of what still fires after this long, looked at on ticks only. Default 4 h."""
    mute: list[Name] = Field(default_factory=list)
    """Names of `times` in which the route tells nobody. Not inherited."""
    active: list[Name] = Field(default_factory=list)
    """Names of `times` outside which the route tells nobody. Not inherited."""
    routes: list[Route] = Field(default_factory=list)


class TimeRange(Model):
    """A part of the calendar: every field that is set must hold. Ranges are written as in Alertmanager."""

    times: list[str] = Field(default_factory=list)
    """`22:00-06:00`: from, up to; past midnight where the end is the earlier one. `24:00` is the end of the day."""
    weekdays: list[str] = Field(default_factory=list)
    """`monday:friday`, `saturday`."""
    days_of_month: list[str] = Field(default_factory=list)
    """`1:5`, `-3:-1` (from the end)."""
    months: list[str] = Field(default_factory=list)
    """`january:march`, `12`."""
    years: list[str] = Field(default_factory=list)
    """`2026`, `2026:2028`."""


class Times(Model):
    """A named set of times, in a zone: `mute`, `active` and `maintenance` speak of it by name."""

    name: Name
    zone: str = "UTC"
    ranges: list[TimeRange] = Field(min_length=1)


class Inhibition(Model):
    """While an alert matches `source`, alerts that match `target` and agree in the labels `equal` tell nobody."""

    source: Matchers
    target: Matchers
    equal: list[str] = Field(default_factory=list)


class Flapping(Model):
    """An alert that fires `after` times `within` a while flaps: told once, then quiet until it is `calm` so long.

    Another kind of failure is told once all the same, and what stays down for `down` pages again.
    """

    after: int = Field(default=5, ge=2)
    within: Annotated[Duration, Field(gt=0)] = 1800.0
    calm: Annotated[Duration, Field(gt=0)] = 900.0
    down: Annotated[Duration, Field(gt=0)] = 120.0


class Correlation(Model):
    """Which alerts are one incident: those of a service, and of services linked by `depends_on` that fail together.

    An alert that ended longer than `ended` ago links nobody any more. What comes back within `follows` of an incident's
    end opens a new one that names it. `within`: alerts without a service are one incident with those of their own name
    that came within this time, and a dependency explains what began to fail at most so long before it. The `storm`-th
    alert name of one source without a service `storm_within` a while, and all after it, join one incident.
    """

    within: Duration = 300.0
    ended: Duration = 10.0
    follows: Duration = 1800.0
    storm: int = Field(default=10, ge=2)
    storm_within: Annotated[Duration, Field(gt=0)] = 60.0


class Digest(Model):
    """A receiver's first page leaves at once; what else is due to it `within` this time leaves as one notification.

    Recoveries from what a digest told wait for one another, `ends_within` this time. `within: 0s` bundles nothing.
    """

    within: Duration = 5.0
    ends_within: Duration = 60.0


class Retention(Model):
    """How long each kind of data is kept."""

    points: Duration = 7 * 86400.0
    rollups_5m: Duration = 90 * 86400.0
    rollups_1h: Duration = 730 * 86400.0
    forecasts: Duration = 30 * 86400.0
    decisions: Duration = 90 * 86400.0
    backups: Duration = 7 * 86400.0


class Metrics(Model):
    """What is collected of this machine, and how often."""

    every: Annotated[Duration, Field(ge=1)] = 15.0
    host: bool = True
    starter_rules: bool = True


class Heartbeat(Model):
    """An outside dead-man's switch: GET `url` while all shifts stand watch; it raises the alarm when we fall silent."""

    url: str | Secret
    every: Annotated[Duration, Field(ge=1)] = 60.0


class Shifts(Model):
    """How long a watch lasts before the next flow run relieves it."""

    length: Annotated[Duration, Field(ge=10)] = 300.0
    spares: int = Field(default=2, ge=1, le=16)


SET_BY_LOADER = ("folder", "remedies_off")
"""Fields of a configuration that nobody writes."""


class PortTls(Model):
    """The certificate our own port shows, with what leads to its authority, and its key. PEM files."""

    certificate: str
    key: str | None = None
    """Default: it stands in the certificate's file."""


class Config(Model):
    """A whole configuration."""

    services: list[Service] = Field(default_factory=list)
    rules: list[Rule] = Field(default_factory=list)
    notifiers: list[Notifier] = Field(default_factory=list)
    routes: list[Route] = Field(default_factory=list)
    runbook_folders: list[str] = Field(default_factory=list)
    """Folders of own runbooks, beside the ones that come with Forewatch."""
    metrics: Metrics = Metrics()
    anomalies: Anomalies = Anomalies()
    counters: dict[str, bool] = Field(default_factory=dict)
    """Whether metrics count up from zero, by name; `*` stands for anything. Of others their name and values tell."""
    capacities: list[Capacity] = Field(default_factory=list)
    holidays: Holidays = Holidays()
    retention: Retention = Retention()
    heartbeat: Heartbeat | None = None
    shifts: Shifts = Shifts()
    times: list[Times] = Field(default_factory=list)
    inhibitions: list[Inhibition] = Field(default_factory=list)
    flapping: Flapping = Flapping()
    correlation: Correlation = Correlation()
    digest: Digest = Digest()
    sources: list[Source] = Field(default_factory=list)
    """Who may send us alerts, and in which form."""
    listen: str = "127.0.0.1"
    tls: PortTls | None = None
    """Our port speaks HTTPS then, and nothing else."""
    hosts: list[HostName] = Field(default_factory=list)
    """Names by which others reach our port, such as `forewatch` or `watch.example:8080`, beside `public_url`'s."""
    public_url: str | None = None
    """How people reach our pages from elsewhere; default http://127.0.0.1:<port>."""
    prefect_url: str | None = None
    """How people reach the Prefect UI from elsewhere; default http://127.0.0.1:<prefect port>."""
    folder: str = "."
    """Of the main YAML file, absolute; set by the loader. Relative paths of checks, remedies, secrets start there."""

    remedies_off: list[RemedyOff] = Field(default_factory=list)
    """Remedies that are wrong; set by the loader, which takes them out of their services."""

    def service(self, name: str) -> Service | None:
        return _by_name(self).get(name)

    def alert_labels(self, service: str) -> dict[str, str]:
        """What every alert of ours about a service carries; nothing of one that is not configured."""
        found = self.service(service)
        return found.alert_labels if found is not None else {}

    def notifier(self, name: str) -> Notifier | None:
        return next((notifier for notifier in self.notifiers if notifier.name == name), None)


@Compiled
def _by_name(config: Config) -> dict[str, Service]:
    """The first of each name: a second one is refused elsewhere."""
    return {service.name: service for service in reversed(config.services)}
