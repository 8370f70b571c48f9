"""Silences over the API: as clients write them, and as they get them back."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection

from forewatch.alerting.matchers import Matcher, matches
from forewatch.alerting.silence import Silence, state_of, validate
from forewatch.clock import iso
from forewatch.config.models import Config
from forewatch.console.alertmanager.answers import Refusal
from forewatch.deciding import decide_in
from forewatch.errors import NotFound
from forewatch.incidents.events import SilenceExpired
from forewatch.incidents.outcome import Outcome
from forewatch.intake.posted_alerts import instant
from forewatch.silence_edit import set_silence
from forewatch.store import silences

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_REQUIRED = ("matchers", "startsAt", "endsAt", "createdBy", "comment")
_ORDER = {"active": 0, "pending": 1, "expired": 2}
MOST_MATCHERS = 100
LONGEST = 64 << 10
"""Characters of a comment or an author."""


def read(body: Any, now: int) -> Silence:
    """The silence a client wrote; without an id of its own where it is a new one. Raises Refusal."""
    if not isinstance(body, dict):
        raise Refusal(400, "parsing silence body failed: it is not an object", 400)
    for name in _REQUIRED:
        if body.get(name) is None:
            raise Refusal(400, f"{name} in body is required", 602)
    for name in ("id", "createdBy", "comment", "startsAt", "endsAt"):
        value = body.get(name) or ""
        if not isinstance(value, str) or len(value) > LONGEST:
            raise Refusal(400, f"{name} in body must be a text of at most {LONGEST} characters", 601)
    written = body["matchers"]
    if not isinstance(written, list) or not written:
        raise Refusal(400, "matchers in body should have at least 1 items", 612)
    if len(written) > MOST_MATCHERS:
        raise Refusal(400, f"matchers in body should have at most {MOST_MATCHERS} items", 611)
    try:
        starts, ends = instant(body["startsAt"]), instant(body["endsAt"])
        if starts is None or ends is None:
            raise ValueError("startsAt and endsAt must be set")
        silence = Silence(
            id=body.get("id") or "",
            matchers=tuple(Matcher.from_json(one) for one in written),
            starts_at=starts,
            ends_at=ends,
            created_by=body["createdBy"],
            comment=body["comment"],
            updated_at=now,
            annotations=_texts(body.get("annotations") or {}),
        )
        if starts > ends:
            raise Refusal(400, "Failed to create silence: start time must be before end time")
        if ends < now:
            raise Refusal(400, "Failed to create silence: end time can't be in the past")
        validate(silence, now)
    except ValueError as error:
        raise Refusal(400, f"silence invalid: {error}") from None
    return silence


def put(conn: Connection, silence: Silence, config: tuple[int, Config], now: int) -> tuple[str, Outcome]:
    """`set_silence` with Alertmanager's own refusal: 404 for an id that is not known."""
    try:
        return set_silence(conn, silence, config=config, now=now)
    except NotFound:
        raise Refusal(404, "silence not found") from None


def expire(conn: Connection, silence_id: str, actor: str, config: tuple[int, Config], now: int) -> Outcome:
    """End a silence now. Raises Refusal 404 for one that is not known."""
    known = silences.get(conn, silence_id)
    if known is None:
        raise Refusal(404, "silence not found")
    if state_of(known, now) == "expired":
        return Outcome()
    return decide_in(conn, SilenceExpired(silence_id, actor, now), config=config, now=now)


def find(conn: Connection, wanted: tuple[Matcher, ...], states: set[str], now: int) -> list[dict[str, Any]]:
    """The silences asked for: active ones first, those that end soonest before others."""
    found = [
        silence
        for silence in silences.listing(conn, ended_after=now - int(silences.KEPT * 1_000_000))
        if state_of(silence, now) in states
        and matches(wanted, {matcher.name: matcher.value for matcher in silence.matchers})
    ]

    def order(silence: Silence) -> tuple[int, int, str]:
        state = state_of(silence, now)
        at = {"active": silence.ends_at, "pending": silence.starts_at, "expired": -silence.ends_at}[state]
        return _ORDER[state], at, silence.id

    return [as_json(silence, now) for silence in sorted(found, key=order)]


def as_json(silence: Silence, now: int) -> dict[str, Any]:
    return {
        "id": silence.id,
        "status": {"state": state_of(silence, now)},
        "updatedAt": iso(silence.updated_at),
        "comment": silence.comment,
        "createdBy": silence.created_by,
        "endsAt": iso(silence.ends_at),
        "matchers": [matcher.as_json() for matcher in silence.matchers],
        "startsAt": iso(silence.starts_at),
        "annotations": dict(silence.annotations),
    }


def checked_id(silence_id: str) -> str:
    """Raises Refusal where it is no UUID."""
    if not _UUID.fullmatch(silence_id):
        raise Refusal(422, f'silenceID in path must be of type uuid: "{silence_id[:60]}"', 601)
    return silence_id.lower()


def _texts(annotations: Any) -> dict[str, str]:
    if not isinstance(annotations, dict) or not all(isinstance(value, str) for value in annotations.values()):
        raise ValueError("annotations must be an object of texts")
    return annotations
