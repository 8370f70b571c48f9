"""What fires, as far as it takes to tell repeated news from other news: looked up by the hundred, compared as text."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, Text, bindparam, cast, select

from forewatch.alerting.alert import Labels
from forewatch.store.schema import alerts
from forewatch.store.series import chunks

_PAGE = 500
_AMONG = select(
    alerts.c.fingerprint,
    cast(alerts.c.labels, Text),
    cast(alerts.c.annotations, Text),
    alerts.c.generator_url,
    alerts.c.starts_at,
    alerts.c.until,
    alerts.c.timeout,
).where(alerts.c.fingerprint.in_(bindparam("of", expanding=True)), alerts.c.status == "firing")


class Firing(NamedTuple):
    """An alert that fires. Labels and annotations are JSON, as stored."""

    fingerprint: str
    labels: str
    annotations: str
    generator_url: str
    starts_at: int
    until: int | None
    timeout: bool


def among(conn: Connection, fingerprints: Collection[str]) -> dict[str, Firing]:
    """Those of some fingerprints that fire now, by fingerprint."""
    found = {}
    for some in chunks(list(fingerprints), _PAGE):
        for row in conn.execute(_AMONG, {"of": some}):
            found[row[0]] = Firing(*row)
    return found


def says(stored: str, labels: Labels) -> bool:
    """Whether stored JSON holds these labels. Reading JSON takes far longer than writing it and comparing."""
    return stored == orjson.dumps(labels).decode() or json.loads(stored) == labels
