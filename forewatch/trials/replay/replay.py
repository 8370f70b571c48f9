"""Replay: the stored observations through the same decision and store code again, in a store in memory.

    history ─ observation, configuration, facts ─> decide ─> apply ─> the same outcome, or a difference

The records of what was decided are read for the comparison alone; what decides again never sees them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from forewatch.config.defaults import effective
from forewatch.config.files import ConfigFiles
from forewatch.config.loader import in_force
from forewatch.config.models import Config
from forewatch.deciding import apply
from forewatch.errors import ConfigError, ForewatchError, NotFound
from forewatch.incidents.decide import decide
from forewatch.incidents.events import Event, TimerDue
from forewatch.incidents.outcome import Outcome
from forewatch.store import config_versions, history, timers
from forewatch.store.decision_log import DecisionRecord
from forewatch.store.engine import Store
from forewatch.store.facts import PlaybackView
from forewatch.store.memory import in_memory
from forewatch.store.observations import Observation
from forewatch.store.view import StoreView
from forewatch.trials.replay.differences import Judge

Configurations = Callable[[int], Config]
"""The configuration of a version."""

MOST_SHOWN = 20
"""Differences kept; all are counted."""


@dataclass(frozen=True)
class Replayed:
    """What is decided on an observation now; `trouble` says why nothing could be."""

    observation: Observation
    event: Event
    outcome: Outcome | None
    trouble: str = ""


@dataclass
class Report:
    """What a replay found out. Of `cannot_tell` a part lies before the history, so they are neither same nor other."""

    observations: int = 0
    same: int = 0
    different: int = 0
    cannot_tell: int = 0
    differences: list[str] = field(default_factory=list)
    code_versions: set[str] = field(default_factory=set)
    begins: int | None = None
    """Where the history begins, if there was something before it."""
    replayed: int = 0
    """Observations decided again, those outside the time asked for among them."""


def stored_configurations(store: Store) -> Configurations:
    """Configurations as they are stored, each parsed once. Raises NotFound or ForewatchError where one cannot be."""
    known: dict[int, Config] = {}

    def configuration(version: int) -> Config:
        if version not in known:
            with store.read() as conn:
                stored = config_versions.get(conn, version)
            if stored is None:
                raise NotFound(
                    f"configuration version {version} is not in the store any more, so what it decided "
                    "cannot be replayed (try a later --since)"
                )
            try:
                known[version] = effective(in_force(ConfigFiles.from_json(stored.files), stored.remedies_off))
            except ConfigError as error:
                raise ForewatchError(
                    f"configuration version {version} cannot be read any more, so what it decided cannot be replayed "
                    f"(is a variable missing here?): {error.problems[0]}"
                ) from None
        return known[version]

    return configuration


def replay(observations: Iterable[Observation], configuration: Configurations) -> Iterator[Replayed]:
    """Decide upon observations again, in the order given, from an empty store on."""
    with in_memory() as conn:
        for observation in observations:
            yield decided_again(conn, observation, configuration)


def compared(
    replayed: Iterable[Replayed],
    records: Iterable[DecisionRecord],
    known: history.Extent,
    *,
    since: int | None = None,
    until: int | None = None,
) -> Report:
    """Hold what is decided now against what was decided then; only what lies between `since` and `until` counts."""
    judge = Judge(known)
    report = Report(begins=None if known.whole else known.begins)
    stored = iter(records)
    record = next(stored, None)
    for one in replayed:
        seq, at = one.observation.seq, one.observation.at
        while record is not None and record.seq < seq:
            record = next(stored, None)
        then = record if record is not None and record.seq == seq else None
        report.replayed += 1
        verdict = judge.verdict(one.observation, one.outcome, one.trouble, then)
        if (since is not None and at < since) or (until is not None and at > until):
            continue
        report.observations += 1
        report.code_versions.add(one.observation.code_version)
        if verdict == "same":
            report.same += 1
        elif verdict == "before":
            report.cannot_tell += 1
        else:
            report.different += 1
            if len(report.differences) < MOST_SHOWN:
                report.differences.append(verdict)
    return report


def replay_history(store: Store, *, since: int | None = None, until: int | None = None) -> Report:
    """Replay all that is stored; empty where nothing is.

    Raises NotFound or ForewatchError where a configuration or an event of the history cannot be read any more.
    """
    with store.read() as conn:
        known = history.extent(conn)
    if known is None:
        return Report()
    replayed = replay(history.each(store, known), stored_configurations(store))
    return compared(replayed, history.records(store, known), known, since=since, until=until)


def decided_upon(conn: Connection, view: StoreView, event: Event, now: int) -> Outcome:
    """Decide and store, or nothing of both. Raises what `decide` raises."""
    savepoint = conn.begin_nested()
    try:
        outcome = decide(view, event, now)
        apply(conn, outcome, now)
    except BaseException:
        savepoint.rollback()
        raise
    savepoint.commit()
    return outcome


def decided_again(conn: Connection, observation: Observation, configuration: Configurations) -> Replayed:
    """Decide upon an observation in a store where all before it were."""
    try:
        event = observation.decoded()
    except (KeyError, TypeError):
        raise ForewatchError(
            f"observation {observation.seq} is of a kind this version does not know ({observation.event.get('type')}): "
            f"replay it with the version that wrote it, {observation.code_version}"
        ) from None
    config = configuration(observation.config_version)
    if isinstance(event, TimerDue):
        waiting = timers.waiting(conn, event.kind, event.subject)
        if waiting is None:
            return Replayed(observation, event, None, f"no {event.kind} timer waits for {event.subject}")
        timers.finish(conn, waiting.id)
    view = PlaybackView(conn, config, observation.facts)
    try:
        return Replayed(observation, event, decided_upon(conn, view, event, observation.at))
    except (ForewatchError, DBAPIError) as error:
        return Replayed(observation, event, None, str(error).splitlines()[0])
