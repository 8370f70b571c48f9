"""A store as it never should be: 100,000 firing alerts, 10,000 open incidents, 1,000 silences. Built in bulk."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, insert

from forewatch.alerting.fingerprint import fingerprint
from forewatch.alerting.matchers import Matcher
from forewatch.alerting.silence import Silence
from forewatch.clock import micros
from forewatch.config.defaults import effective
from forewatch.config.models import Config
from forewatch.store import ids, schema, silences
from forewatch.store.engine import Store

OF_AN_INCIDENT = 10
"""Alerts, all of one service."""
PRODUCT = 20
"""Services that have to do with each other."""
_AT_ONCE = 5_000


def configuration(services: int) -> Config:
    """A service an incident, in products of 20 that depend on each other; routes by team and in groups; inhibitions."""
    teams = [f"team-{number}" for number in range(20)]
    return effective(
        Config.model_validate(
            {
                "services": [
                    {"name": f"service-{n}", "depends_on": [f"service-{d}" for d in _dependencies(n)]}
                    for n in range(services)
                ],
                "notifiers": [{"name": team, "console": {}} for team in teams],
                "routes": [
                    {"match": {"severity": "info"}, "notify": [teams[0]], "group_by": ["service"]},
                    *({"match": {"team": team}, "notify": [team]} for team in teams),
                ],
                "inhibitions": [
                    {"source": {"severity": "critical"}, "target": {"severity": "warning"}, "equal": ["host"]},
                    {"source": {"alertname": "Down"}, "target": ["alertname!=Down"], "equal": ["host"]},
                ],
            }
        )
    )


def _dependencies(number: int) -> list[int]:
    """A front, what it needs, what that needs, down to the database all of a product share."""
    product, place = divmod(number, PRODUCT)
    return sorted({product * PRODUCT + part for part in (place // 2, place // 3) if part < place})


def labels_of(number: int, service: int) -> dict[str, str]:
    """Of alert `number`, as a Prometheus would send it."""
    return {
        "alertname": f"Alert{number % 50}",
        "service": f"service-{service}",
        "severity": ("critical", "warning", "info")[number % 3],
        "team": f"team-{service % 20}",
        "host": f"host-{service}-{number}",
        "instance": f"10.0.{service % 250}.{number % 250}:9100",
        "job": "node",
    }


def fill(store: Store, *, incidents: int, silenced: int, now: int) -> None:
    """Write it all in one transaction; a decision each would take an hour."""
    with store.decide() as conn:
        _insert(conn, schema.incidents, (_incident(number, now) for number in range(incidents)))
        _insert(conn, schema.incident_services, (_service(number, now) for number in range(incidents)))
        _insert(conn, schema.alerts, (_alert(number, now) for number in range(incidents * OF_AN_INCIDENT)))
        _insert(conn, schema.alert_labels, _labels(incidents * OF_AN_INCIDENT))
        _insert(conn, schema.outbox, (_page(number, now) for number in range(incidents)))
        for number in range(silenced):
            silences.put(conn, _silence(number, now))
        for prefix, count in (("AL", incidents * OF_AN_INCIDENT), ("INC", incidents), ("NT", incidents)):
            ids.put_mark(conn, prefix, count)


def _insert(conn: Connection, table: Table, rows: Iterator[dict[str, Any]]) -> None:
    while batch := list(islice(rows, _AT_ONCE)):
        conn.execute(insert(table), batch)


def _incident(number: int, now: int) -> dict[str, Any]:
    return {
        "id": f"INC-{number + 1}",
        "group_key": f"service-{number}",
        "service": f"service-{number}",
        "title": f"Alert{number % 50} of service-{number}",
        "severity": "critical",
        "status": "triggered",
        "opened_at": now - micros(number),
        "revision": 1,
    }


def _service(number: int, now: int) -> dict[str, Any]:
    return {"service": f"service-{number}", "incident_id": f"INC-{number + 1}", "last_at": now - micros(number)}


def _alert(number: int, now: int) -> dict[str, Any]:
    service = number // OF_AN_INCIDENT
    labels = labels_of(number, service)
    at = now - micros(service)
    return {
        "id": f"AL-{number + 1}",
        "fingerprint": fingerprint(labels),
        "labels": labels,
        "annotations": {"summary": f"{labels['alertname']} of {labels['service']}"},
        "service": labels["service"],
        "severity": labels["severity"],
        "status": "firing",
        "starts_at": at,
        "ends_at": None,
        "updated_at": at,
        "incident_id": f"INC-{service + 1}",
        "source": "prometheus",
        "generator_url": "",
        "until": now + micros(300),
        "timeout": True,
        "classification": "availability",
    }


def _labels(alerts: int) -> Iterator[dict[str, Any]]:
    for number in range(alerts):
        for name, value in labels_of(number, number // OF_AN_INCIDENT).items():
            yield {"name": name, "value": value, "alert_id": f"AL-{number + 1}"}


def _page(number: int, now: int) -> dict[str, Any]:
    at = now - micros(number)
    return {
        "id": f"NT-{number + 1}",
        "incident_id": f"INC-{number + 1}",
        "alert_id": f"AL-{number * OF_AN_INCIDENT + 1}",
        "run_id": None,
        "kind": "page",
        "severity": "critical",
        "notifier": f"team-{number % 20}",
        "state": "sent",
        "not_before": at,
        "content": {"title": f"Alert of service-{number}"},
        "attempts": 1,
        "created_at": at,
        "sent_at": at,
    }


def _silence(number: int, now: int) -> Silence:
    """Half of them name a host, the others a pattern, as people write them."""
    matchers: Sequence[Matcher] = (
        (Matcher("host", "=", f"host-quiet-{number}"),)
        if number % 2
        else (Matcher("service", "=~", f"quiet-{number}-.*"), Matcher("severity", "!=", "critical"))
    )
    return Silence(
        id=str(uuid.UUID(int=number + 1)),
        matchers=tuple(matchers),
        starts_at=now - micros(60),
        ends_at=now + micros(7200),
        created_by="ana",
        comment="moving house",
        updated_at=now,
    )
