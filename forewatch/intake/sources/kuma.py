"""Uptime Kuma's push URL: `/api/push/<token>?status=up|down&msg=&ping=`.

As Kuma has it, a push without a status is `up` and every status but `up` is down. There is no time-out: who said down
says up again. A job that must call in is a `heartbeat` check.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from forewatch.config.sources import Source
from forewatch.intake.limits import ellipsis, text_within
from forewatch.intake.sources.making import Parsed, cleared, raised

LONGEST_MESSAGE = 1_000


def is_up(query: Mapping[str, str]) -> bool:
    return query.get("status", "up") == "up"


def parse_push(query: Mapping[str, str], source: Source, now: int) -> Parsed:
    """The event of one push, whose source must be of the kind `kuma`. Raises ValueError."""
    kuma = source.kuma
    if kuma is None:
        raise ValueError(f"{source.name} is no source of the kind kuma")
    identity = {"source": source.name}
    labels = {
        "alertname": text_within(kuma.alertname),
        "push": source.name,
        "severity": kuma.severity,
    }
    message = ellipsis(query.get("msg", ""), LONGEST_MESSAGE).encode(errors="replace").decode()
    values: dict[str, Any] = {}
    if (ping := _number(query.get("ping", ""))) is not None:
        values["ping"] = ping
    if is_up(query):
        return Parsed([cleared(source.name, labels, now, identity=identity, values=values)])
    summary = f"{source.name} is down" + (f": {message}" if message else "")
    return Parsed([raised(source, labels, {"summary": summary}, now, identity=identity, values=values)])


def parse(body: bytes, headers: Mapping[str, str], source: Source, now: int) -> Parsed:
    """The event of a push whose query stands in `body`."""
    try:
        query = dict(parse_qsl(body.decode().strip().lstrip("?"), keep_blank_values=True, max_num_fields=20))
    except ValueError:
        raise ValueError("the body must be a query such as status=down&msg=no+answer") from None
    return parse_push(query, source, now)


def _number(text: str) -> float | None:
    """Milliseconds; None for what is no number."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < 1e9 else None
