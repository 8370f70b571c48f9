"""How far each rule is with each of its series: pending since when, firing or not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, select

from forewatch.store.schema import rule_states
from forewatch.store.series import chunks
from forewatch.store.upsert import upsert


@dataclass(frozen=True, slots=True)
class RuleState:
    key: str
    """The rule and the labels it looks at."""
    pending_since: int | None
    firing: bool
    value: float | None
    at: int


def put_many(conn: Connection, states: Sequence[RuleState]) -> None:
    upsert(conn, rule_states, [asdict(state) | {"firing": int(state.firing)} for state in states])


def get_all(conn: Connection) -> dict[str, RuleState]:
    rows = conn.execute(select(rule_states))
    return {r.key: RuleState(r.key, r.pending_since, bool(r.firing), r.value, r.at) for r in rows}


def remove(conn: Connection, keys: Collection[str]) -> None:
    """Forget rules the configuration no longer has, and series that are gone."""
    for chunk in chunks(sorted(keys), 500):
        conn.execute(delete(rule_states).where(rule_states.c.key.in_(chunk)))
