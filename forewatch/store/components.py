"""How our own parts are: Prefect, the worker, the configuration, ..., as last reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, insert, select, update

from forewatch.store.schema import components

_BY_NAME = select(components).where(components.c.name == bindparam("of"))

REFUSED_REQUESTS = "requests"
"""`data` of this one: `refused`, how many by reason over all starts, and `last`, what was wrong with the last."""

ComponentState = Literal["ok", "down"]


@dataclass(frozen=True)
class Component:
    """`since` is when it came into this state, `at` when it was last reported."""

    name: str
    state: ComponentState
    reason: str
    since: int
    at: int
    data: dict[str, Any]


def report(
    conn: Connection,
    name: str,
    state: ComponentState,
    reason: str,
    now: int,
    data: dict[str, Any] | None = None,
) -> bool:
    """Note how a part is. True if its state is another than before; the first report of an `ok` part is no change."""
    before = get(conn, name)
    values = {"state": state, "reason": reason, "at": now, "data": data or {}}
    if before is None:
        conn.execute(insert(components).values(name=name, since=now, **values))
        return state != "ok"
    since = before.since if before.state == state else now
    conn.execute(update(components).where(components.c.name == name).values(since=since, **values))
    return before.state != state


def get(conn: Connection, name: str) -> Component | None:
    row = conn.execute(_BY_NAME, {"of": name}).one_or_none()
    return Component(**row._mapping) if row is not None else None


def listing(conn: Connection) -> list[Component]:
    return [Component(**row._mapping) for row in conn.execute(select(components).order_by(components.c.name))]
