"""Receipts: what each step of a run meant to do and did. The only memory a resumed run has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, update

from forewatch.store.schema import receipts


@dataclass(frozen=True)
class Receipt:
    """One step; `state` is `intent` while it is under way, or if its process died in the middle of it."""

    run_id: str
    ordinal: int
    name: str
    kind: Literal["act", "observe"]
    input_hash: str
    state: Literal["intent", "done", "failed"]
    intent_at: int
    done_at: int | None
    result: Any
    error: str | None


def of_run(conn: Connection, run_id: str) -> list[Receipt]:
    """In the order of the steps."""
    found = select(receipts).where(receipts.c.run_id == run_id).order_by(receipts.c.ordinal)
    return [Receipt(**row._mapping) for row in conn.execute(found)]


def intend(conn: Connection, run_id: str, ordinal: int, *, name: str, kind: str, input_hash: str, now: int) -> bool:
    """Write down what is about to be done. False if the step has a receipt already: then it must not be done again."""
    there = select(receipts.c.state).where(receipts.c.run_id == run_id, receipts.c.ordinal == ordinal)
    if conn.execute(there).one_or_none() is not None:
        return False
    conn.execute(
        insert(receipts).values(
            run_id=run_id,
            ordinal=ordinal,
            name=name,
            kind=kind,
            input_hash=input_hash,
            state="intent",
            intent_at=now,
        )
    )
    return True


def finish(
    conn: Connection, run_id: str, ordinal: int, *, now: int, result: Any = None, error: str | None = None
) -> bool:
    """Write down how it went: `failed` with an error, else `done`. False if the step was not under way."""
    return bool(
        conn.execute(
            update(receipts)
            .where(receipts.c.run_id == run_id, receipts.c.ordinal == ordinal, receipts.c.state == "intent")
            .values(state="done" if error is None else "failed", done_at=now, result=result, error=error)
        ).rowcount
    )
