"""Which parser reads what a kind of source sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from forewatch.config.sources import Source
from forewatch.intake.sources import alertmanager_webhook, grafana, json_mapping, kuma, pagerduty, sentry
from forewatch.intake.sources.making import Parsed

Parser = Callable[[bytes, Mapping[str, str], Source, int], Parsed]

PARSERS: dict[str, Parser] = {
    "alertmanager_webhook": alertmanager_webhook.parse,
    "grafana": grafana.parse,
    "pagerduty": pagerduty.parse,
    "kuma": kuma.parse,
    "sentry": sentry.parse,
    "json": json_mapping.parse,
}
"""`parse(body, headers, source, now)`: headers with lower-case names. Raises ValueError where nothing of a body can be
used; where only some of its alerts cannot, they are in `refused`."""
