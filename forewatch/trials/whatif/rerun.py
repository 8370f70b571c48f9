"""Run the history beside itself under another configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forewatch.config.models import Config, Rule
from forewatch.detection.starter import all_rules
from forewatch.store import config_versions, history
from forewatch.store.engine import Store
from forewatch.store.memory import in_memory
from forewatch.trials.replay.replay import Configurations, decided_again, stored_configurations
from forewatch.trials.whatif.difference import Difference, difference
from forewatch.trials.whatif.origins import Origins, measures_the_same, new_checks
from forewatch.trials.whatif.pairs import Pairs, Side
from forewatch.trials.whatif.rule_verdicts import Moment, judged
from forewatch.trials.whatif.world import World

Span = tuple[int, int]


def suppose(store: Store, config: Config, *, until: int, since: int | None = None) -> Difference | None:
    """What `config` would have made of the history, told of what lies between `since` and `until`; None without any.

    `until` is now where all of it is meant: timers that wait for nothing that was observed come due until then.

    Raises NotFound or ForewatchError where a configuration or an event of the history cannot be read any more.
    """
    with store.read() as conn:
        known = history.extent(conn)
        in_force = config_versions.since_when(conn)
    if known is None:
        return None
    configuration = stored_configurations(store)
    was, would = Side(), Side()
    pairs = Pairs(was, would)
    origins = Origins(configuration, config)
    begins = known.begins if since is None else max(since, known.begins)
    with in_memory() as old, in_memory() as new:
        world = World(new, old, config, would, pairs)
        count = 0
        moments, unknown = _measured(store, config, configuration, in_force, (known.begins, until))
        waiting = iter(moments)
        moment = next(waiting, None)
        for observation in history.each(store, known):
            at = observation.at
            if at > until:
                break
            count += at >= begins
            while moment is not None and moment[0] <= at:
                world.until(moment[0])
                world.measured(*moment)
                moment = next(waiting, None)
            world.until(at)
            replayed = decided_again(old, observation, configuration)
            if replayed.outcome is not None:
                was.note(replayed.outcome, at)
                pairs.look()
            event = origins.event(observation, replayed.event)
            if event is not None:
                world.happens(observation, event)
        while moment is not None and moment[0] <= until:
            world.until(moment[0])
            world.measured(*moment)
            moment = next(waiting, None)
        world.until(until)
        newest = configuration(in_force[-1][0]) if in_force else Config()
        unknown += [*origins.unknown, *new_checks(newest, config)]
    return difference(
        was, would, pairs, config, unknown, observations=count, begins=begins, ends=until, whole=known.whole
    )


def _measured(
    store: Store, config: Config, configuration: Configurations, in_force: Sequence[tuple[int, int]], span: Span
) -> tuple[list[Moment], list[str]]:
    """What rules would have said that were not in force, in order of time, and what about them cannot be told."""
    moments: list[Moment] = []
    unknown: dict[str, None] = {}
    with store.read_metrics() as conn:
        for rule in all_rules(config):
            for since, until in _spans_without(rule, configuration, in_force, span):
                found, said = judged(conn, rule, since, until, config)
                moments += found
                unknown.update(dict.fromkeys(said))
    return sorted(moments, key=lambda moment: moment[0]), list(unknown)


def _spans_without(
    rule: Rule, configuration: Configurations, in_force: Sequence[tuple[int, int]], span: Span
) -> Iterator[Span]:
    """The times in which no rule was in force that measures the same."""
    for number, (version, begins) in enumerate(in_force):
        ends = in_force[number + 1][1] if number + 1 < len(in_force) else span[1]
        # What came before the first version that is kept was under it as far as anybody knows.
        since, until = max(span[0], begins if number else span[0]), min(span[1], ends)
        if since < until and not any(measures_the_same(rule, one) for one in all_rules(configuration(version))):
            yield since, until
