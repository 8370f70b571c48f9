"""Setting and editing a silence: in an open decision, since what it hides may have to be told or not."""

from __future__ import annotations

import uuid
from dataclasses import replace

from sqlalchemy import Connection

from forewatch.alerting.silence import Silence, may_edit_in_place, silence_as_json, state_of
from forewatch.config.models import Config
from forewatch.deciding import decide_in
from forewatch.errors import NotFound
from forewatch.incidents.events import SilenceSet
from forewatch.incidents.outcome import Outcome
from forewatch.store import silences


def set_silence(conn: Connection, silence: Silence, *, config: tuple[int, Config], now: int) -> tuple[str, Outcome]:
    """Set a silence in an open decision; returns its id and what follows. With an id it is an edit, else a new one.

    An edit that tells the same story stays under its id; any other ends the old silence and begins one of its own.
    Raises NotFound for an id that is not known.
    """
    old = silences.get(conn, silence.id) if silence.id else None
    if silence.id and old is None:
        raise NotFound(f"there is no silence {silence.id} (forewatch silences list shows them)")
    replaces = None
    if old is None or not may_edit_in_place(old, silence, now):
        if old is not None and state_of(old, now) != "expired":
            replaces = old.id
        silence = replace(silence, id=str(uuid.uuid4()), starts_at=max(silence.starts_at, now))
    event = SilenceSet(silence_as_json(silence), actor=silence.created_by, at=now, replaces=replaces)
    return silence.id, decide_in(conn, event, config=config, now=now)
