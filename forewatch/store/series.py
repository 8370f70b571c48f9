"""Series: one metric with one set of labels, and the small number that stands for it in the tables of points.

The service a series belongs to is one of its labels (`service`). Writers look numbers up in a cache per engine, so a
point costs a dictionary look-up and no query.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, Row, bindparam, delete, event, exists, func, select, tuple_, update

from forewatch.detection.counters import is_counter
from forewatch.store import marks
from forewatch.store.ids import is_number
from forewatch.store.schema import detectors, forecasts, models, points, rollups, series
from forewatch.store.upsert import insert_missing

T = TypeVar("T")
Labels = Mapping[str, str]
Key = tuple[str, str, frozenset[tuple[str, str]]]
"""Metric, service and labels: a series before it has a number."""

_HIGHEST = select(func.max(series.c.id))
_NEWER = select(series.c.metric, series.c.labels_key, series.c.id).where(series.c.id > bindparam("than"))
_CHUNK = 400  # keys a query; each is two of SQLite's 32,766 variables


@dataclass(frozen=True)
class Series:
    id: int
    metric: str
    labels: Labels
    service: str
    counter: bool | None = None
    """What is known of it beside its name."""

    @property
    def counts(self) -> bool:
        """Whether it only counts up, so that its growth is what can be forecast and judged."""
        return is_counter(self.metric) if self.counter is None else self.counter


def get(conn: Connection, series_id: int) -> Series | None:
    if not is_number(series_id):
        return None
    row = conn.execute(select(series).where(series.c.id == series_id)).one_or_none()
    return _series(row) if row is not None else None


def all_series(conn: Connection) -> list[Series]:
    """Every series, in the order they were first seen."""
    return [_series(row) for row in conn.execute(select(series).order_by(series.c.id))]


def signature(conn: Connection) -> tuple[int, int]:
    """Changes whenever a series is added or removed: their count and the highest number."""
    count, highest = conn.execute(select(func.count(), func.max(series.c.id)).select_from(series)).one()
    return count, highest or 0


def find(conn: Connection, metric: str, match: Labels | Callable[[Labels], bool] | None = None) -> list[Series]:
    """The series of a metric whose labels match.

    `match` is a mapping (each label equals; a label that is absent equals "") or a predicate on the labels.
    """
    rows = conn.execute(select(series).where(series.c.metric == metric).order_by(series.c.id))
    found = [_series(row) for row in rows]
    if match is None:
        return found
    if callable(match):
        return [one for one in found if match(one.labels)]
    return [one for one in found if all(one.labels.get(name, "") == value for name, value in match.items())]


def _series(row: Row[tuple[object, ...]]) -> Series:
    return Series(row.id, row.metric, row.labels, row.service, row.counter)


def set_counter(conn: Connection, series_id: int, counter: bool | None) -> None:
    """Note whether a series is a counter. What was learned of it as the other thing is forgotten."""
    conn.execute(update(series).where(series.c.id == series_id).values(counter=counter))
    for table in (models, detectors):
        conn.execute(delete(table).where(table.c.series_id == series_id))


def key_of(metric: str, labels: Labels, service: str) -> Key:
    return (metric, service, frozenset(labels.items()))


def ids(conn: Connection, keys: Collection[Key], *, generation: int) -> dict[Key, int]:
    """The number of each series, made where there is none yet. Needs a write transaction.

    `generation` is the mark `series`: numbers remembered from an older one are forgotten first.
    """
    cache = _cache(conn.engine)
    if cache.generation != generation:
        cache.numbers.clear()
        cache.generation = generation
    missing = [key for key in keys if key not in cache.numbers]
    if missing:
        # Remembered before the commit, so forgotten again on a rollback.
        cache.uncommitted.setdefault(conn, []).extend(missing)
        cache.numbers.update(_look_up(conn, missing))
    return cache.numbers


def remove_empty(conn: Connection) -> int:
    """Forget series of which nothing is kept any more; returns how many. Needs a write transaction."""
    anything = [exists().where(table.c.series_id == series.c.id) for table in (points, rollups, forecasts)]
    removed = conn.execute(delete(series).where(*(~one for one in anything))).rowcount
    if removed:
        marks.put(conn, marks.SERIES, marks.get_all(conn).get(marks.SERIES, 0) + 1)
    return removed


@dataclass
class _Cache:
    generation: int = -1
    numbers: dict[Key, int] = field(default_factory=dict)
    uncommitted: WeakKeyDictionary[Connection, list[Key]] = field(default_factory=WeakKeyDictionary)


_caches: WeakKeyDictionary[Engine, _Cache] = WeakKeyDictionary()


def _cache(engine: Engine) -> _Cache:
    cache = _caches.get(engine)
    if cache is None:
        cache = _caches[engine] = _Cache()
        numbers, uncommitted = cache.numbers, cache.uncommitted

        @event.listens_for(engine, "rollback")
        def _forget(conn: Connection) -> None:
            for key in uncommitted.pop(conn, ()):
                numbers.pop(key, None)

    return cache


def _look_up(conn: Connection, keys: Sequence[Key]) -> dict[Key, int]:
    rows = {key: _row(key) for key in keys}
    highest = conn.execute(_HIGHEST).scalar() or 0
    insert_missing(conn, series, list(rows.values()))
    # Nobody else adds any while this transaction writes.
    numbers = {(metric, labels_key): number for metric, labels_key, number in conn.execute(_NEWER, {"than": highest})}
    known = [row for row in rows.values() if (row["metric"], row["labels_key"]) not in numbers]
    for chunk in chunks(known, _CHUNK):
        pairs = [(row["metric"], row["labels_key"]) for row in chunk]
        query = select(series.c.metric, series.c.labels_key, series.c.id)
        for metric, labels_key, number in conn.execute(
            query.where(tuple_(series.c.metric, series.c.labels_key).in_(pairs))
        ):
            numbers[metric, labels_key] = number
    return {key: numbers[str(row["metric"]), str(row["labels_key"])] for key, row in rows.items()}


def _row(key: Key) -> dict[str, object]:
    metric, service, labels = key
    all_labels = {_text(name): _text(value) for name, value in sorted(labels)} | {"service": service}
    canonical = json.dumps(all_labels, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return {"metric": metric, "labels": all_labels, "labels_key": canonical, "service": service}


def _text(value: str) -> str:
    # The names of mounts and processes are bytes; what is no UTF-8 reaches us as lone surrogates, which no store takes.
    return value.encode(errors="replace").decode()


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
