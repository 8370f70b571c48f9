"""Availability over a span in which the clock was set back an hour: never above 100 %, and nothing counted twice."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from forewatch.clock import MICROSECONDS, micros
from forewatch.config.models import Config
from forewatch.reports.objectives import Figures, standing
from forewatch.series.objective_answers import DURATION, UP, service_objectives
from forewatch.store import buckets, points, rollups, schema, series, totals
from forewatch.store.points import Point
from tasks.rules.evaluate_objectives import ObjectiveEngine

pytestmark = pytest.mark.unit

T0 = 1_767_225_600 * MICROSECONDS
HOUR, EVERY = 3600, 30
SHOP = {"name": "shop", "checks": [{"http": "http://shop/"}]}
OBJECTIVES = [{"availability": "99.9%"}, {"latency": {"under": "300ms", "share": "99%"}}]


class World:
    """Lives five minutes at a time: answers, roll-ups, a tick."""

    def __init__(self, store, *, rolls: bool) -> None:
        self.store, self.rolls = store, rolls
        self.config = Config.model_validate({"services": [{**SHOP, "objectives": OBJECTIVES}]})
        self.engine = ObjectiveEngine(store)

    def live(self, begin: float, end: float, up: float = 1.0) -> None:
        for start in range(round(begin), round(end), 300):
            at = range(start, min(start + 300, round(end)), EVERY)
            labels = {"check": "http", "instance": "default"}
            with self.store.measure() as conn:
                points.write(
                    conn,
                    [Point(*what, T0 + micros(s), value) for s in at for what, value in (
                        ((UP, labels, "shop"), up), ((DURATION, labels, "shop"), 0.1),
                    )],
                )  # fmt: skip
            if self.rolls:
                with self.store.measure() as conn:
                    assert rollups.roll(conn, T0 + micros(at[-1] + 1), budget=60)
            self.engine.tick(self.config, T0 + micros(at[-1] + 1))

    def figures(self, second: float) -> list[Figures]:
        return standing(self.store, self.config, service_objectives(self.config), T0 + micros(second))

    def points(self, end: float) -> int:
        """Answers that are kept and not of the future."""
        with self.store.read_metrics() as conn:
            [one] = series.find(conn, UP)
            found = select(func.count()).where(
                schema.points.c.series_id == one.id, schema.points.c.at <= T0 + micros(end)
            )
            return conn.execute(found).scalar_one()


@pytest.mark.parametrize("rolls", [True, False], ids=["rolled up", "points alone"])
@pytest.mark.parametrize("offset", [0, 7, 290], ids=["to the same seconds", "between them", "almost five minutes on"])
@pytest.mark.parametrize("up", [1.0, 0.0], ids=["good both times", "bad the second time"])
def test_every_answer_counts_once_and_no_share_is_above_all(store, rolls, offset, up):
    world = World(store, rolls=rolls)
    world.live(0, 3 * HOUR)
    world.live(2 * HOUR + offset, 3 * HOUR + offset, up)
    world.live(3 * HOUR + offset, 5 * HOUR)
    for second in (2 * HOUR + offset + 600, 3 * HOUR + offset, 5 * HOUR):
        for one in world.figures(second):
            assert one.answers.total == world.points(second)
            assert 0 <= one.answers.good <= one.answers.total
            assert one.as_json()["share"] <= 1
            assert one.budget is not None
            assert 0 <= one.budget.spent <= second
            assert one.budget.left <= 1


def test_while_the_hour_is_lived_again_what_was_seen_of_it_is_the_future_and_does_not_count(store):
    world = World(store, rolls=True)
    world.live(0, 3 * HOUR)
    with store.measure() as conn:
        assert rollups.roll(conn, T0 + micros(3 * HOUR), budget=60)
    end = T0 + micros(2 * HOUR + 600)
    # Not yet rolled up again: the marks are still where they were before the clock was set back.
    with store.read_metrics() as conn:
        [one] = series.find(conn, UP)
        total = totals.totals(conn, [one.id], T0, end)[one.id]
        assert (total.count, total.covered) == (world.points(2 * HOUR + 599), 2 * HOUR + 600)
        assert sum(each.count for each in buckets.sums(conn, [one.id], T0, end, HOUR)) == total.count
        assert sum(count for _, count in totals.in_parts(conn, [one.id], T0, end, 30)[one.id]) == total.count
    assert [each.answers.total for each in world.figures(2 * HOUR + 599)] == [total.count] * 2
