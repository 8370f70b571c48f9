"""What the page of the flow `forecast` is made of, read from the store."""

from __future__ import annotations

from collections.abc import Sequence

from forewatch.config.models import Config
from forewatch.foreseen import Foreseen, foreseen
from forewatch.store import series
from forewatch.store.engine import Store


def gathered(store: Store, now: int) -> list[Foreseen]:
    """Every series with what is forecast of it."""
    with store.read_metrics() as conn:
        return foreseen(conn, series.all_series(conn), now)


def notes(store: Store, config: Config, now: int) -> dict[str, Sequence[str]]:
    """Further sections of the page: title -> lines."""
    return {}
