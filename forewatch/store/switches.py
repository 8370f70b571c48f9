"""Switches people turn: `automation`, off by `forewatch stop-automation`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, bindparam, insert, select, update

from forewatch.store import audit
from forewatch.store.schema import switches

_BY_NAME = select(switches).where(switches.c.name == bindparam("of"))

AUTOMATION = "automation"


@dataclass(frozen=True)
class Switch:
    name: str
    state: Literal["on", "off"]
    actor: str
    reason: str
    at: int


def get(conn: Connection, name: str) -> Switch | None:
    """None for one never turned, which counts as on."""
    row = conn.execute(_BY_NAME, {"of": name}).one_or_none()
    return Switch(**row._mapping) if row is not None else None


def turn(conn: Connection, name: str, state: Literal["on", "off"], *, actor: str, reason: str, now: int) -> bool:
    """Turn a switch and write it into the audit trail. False if it stood so already: then nothing changes."""
    before = get(conn, name)
    if (before.state if before is not None else "on") == state:
        return False
    values = {"state": state, "actor": actor, "reason": reason, "at": now}
    if before is None:
        conn.execute(insert(switches).values(name=name, **values))
    else:
        conn.execute(update(switches).where(switches.c.name == name).values(values))
    audit.add(conn, actor=actor, action=f"turn {state}", subject=name, detail={"reason": reason}, now=now)
    return True
