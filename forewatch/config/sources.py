"""Who may send us alerts, and in which form: the `sources` of `forewatch.yaml`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from forewatch.config.base import Duration, Model, Name
from forewatch.config.secrets import Secret


class AlertmanagerApi(Model):
    """The Alertmanager v2 API, for Prometheus, amtool and everything else that speaks it."""


class AlertmanagerWebhook(Model):
    """Webhooks of another Alertmanager (version 4)."""


class Grafana(Model):
    """Grafana's alert webhooks."""


class PagerDuty(Model):
    """PagerDuty's Events API v2; the source's token is the `routing_key`."""


class Kuma(Model):
    """Uptime Kuma's push URL; the source's token is the one in the URL."""

    alertname: str = "PushDown"
    severity: str = "critical"


class SentryApi(Model):
    """The issues API of Sentry, asked every so often."""

    url: str = "https://sentry.io"
    organization: str
    token: str | Secret
    projects: list[str] = Field(default_factory=list)
    query: str = "is:unresolved"
    every: Annotated[Duration, Field(ge=10)] = 60.0


class Sentry(Model):
    """Sentry's webhooks (signed with the integration's client secret), its issues API, or both."""

    client_secret: Secret | None = None
    api: SentryApi | None = None

    @model_validator(mode="after")
    def _either(self) -> Sentry:
        if self.client_secret is None and self.api is None:
            raise ValueError("needs client_secret (for webhooks), api (to ask for issues), or both")
        return self


class Bugsink(Model):
    """The issues API of Bugsink, asked every so often."""

    url: str
    token: str | Secret
    projects: list[int] = Field(default_factory=list)
    every: Annotated[Duration, Field(ge=10)] = 60.0


class Json(Model):
    """Any JSON: Jinja2 templates say what is what. They see `body` (the whole), `item` (one of `items`) and `headers`.

    A template that gives an empty text leaves its label out.
    """

    items: str | None = None
    """Dotted path of the list of alerts in the body; default: the body is one alert."""
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    resolved: str = ""
    """An alert is over where this template gives `true`."""
    starts_at: str = ""
    """A template that gives an RFC 3339 time; default: when it came."""


SOURCE_KINDS = ("alertmanager", "alertmanager_webhook", "grafana", "pagerduty", "kuma", "sentry", "bugsink", "json")


class Source(Model):
    """One sender. Exactly one kind; a `token` each, without which it may only be reached on this machine."""

    name: Name
    alertmanager: AlertmanagerApi | None = None
    alertmanager_webhook: AlertmanagerWebhook | None = None
    grafana: Grafana | None = None
    pagerduty: PagerDuty | None = None
    kuma: Kuma | None = None
    sentry: Sentry | None = None
    bugsink: Bugsink | None = None
    json_: Json | None = Field(default=None, alias="json")

    token: str | Secret | None = None
    service: list[str] = Field(default_factory=lambda: ["service"])
    """Labels that name the service an alert belongs to, the first that is there; else it is `default_service`."""
    default_service: Name = "host"
    resolve_after: Annotated[Duration, Field(gt=0)] = 300.0
    """An alert without an end is over when nothing was heard of it for this long (Alertmanager: resolve_timeout)."""
    max_body: Annotated[int, Field(gt=0)] = 10_000_000
    """Bytes."""
    per_minute: Annotated[int, Field(gt=0)] | None = None
    """Requests; beyond that the answer is 429."""
    remedies: Literal["allowed", "refused"] | None = None
    """Whether its alerts may start remedies. Default: allowed where something proves who sends, else refused."""

    @property
    def kind(self) -> str:
        """One of SOURCE_KINDS."""
        return next(kind for kind in SOURCE_KINDS if getattr(self, "json_" if kind == "json" else kind) is not None)

    @property
    def is_open(self) -> bool:
        """Whether nothing proves who sends. Sentry signs its webhooks, and what we ask for ourselves needs no proof."""
        return not self.token and self.kind not in ("sentry", "bugsink")

    @property
    def starts_remedies(self) -> bool:
        return not self.is_open if self.remedies is None else self.remedies == "allowed"

    @model_validator(mode="after")
    def _one_kind(self) -> Source:
        kinds = [kind for kind in SOURCE_KINDS if getattr(self, "json_" if kind == "json" else kind) is not None]
        if len(kinds) != 1:
            raise ValueError(f"needs exactly one of {', '.join(SOURCE_KINDS)}")
        return self
