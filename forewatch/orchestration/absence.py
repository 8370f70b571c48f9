"""After a time in which nobody was there to hear the calls of jobs, none that was due then is held against one.

How long that was is read from the same file as the calls: the last beat of any shift. In a store that was restored both
are as old as the backup, so all that came since, heard or not, counts as not heard.
"""

from __future__ import annotations

import logging

from sqlalchemy import Connection

from forewatch.checking.heartbeats import key_of
from forewatch.clock import micros, seconds
from forewatch.config.models import Config
from forewatch.config.secrets import reveal
from forewatch.errors import SecretError
from forewatch.store import pings, shifts
from forewatch.units import format_duration

log = logging.getLogger("forewatch.absence")

SHORT = 5.0
"""Seconds without a beat that are no absence: the parts of an earlier `forewatch up` may have gone on until now."""


def excuse_jobs(conn: Connection, config: Config, now: int) -> list[str]:
    """Call it before the first shift of a start beats; returns the checks whose jobs get their time once more."""
    heard_until = shifts.last_beat(conn)
    if heard_until is None or now - heard_until < micros(SHORT):
        return []
    excused = []
    for service in config.services:
        for check in service.checks:
            if check.heartbeat is None:
                continue
            try:
                key = key_of(reveal(check.heartbeat.token))
            except SecretError as error:
                log.warning(
                    "check %s of %s: whether its job could call in is not known: %s", check.label, service.name, error
                )
                continue
            if pings.excuse(conn, key, check.heartbeat, heard_until, now):
                excused.append(f"{service.name}/{check.label}")
    if excused:
        away = format_duration(seconds(now - heard_until))
        log.warning("no call could be heard for %s: %s get their time once more", away, ", ".join(excused))
    return excused
