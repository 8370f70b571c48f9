from __future__ import annotations

from dataclasses import replace

import pytest

from forewatch.clock import MICROSECONDS, micros
from forewatch.config.models import Retention
from forewatch.detection.episode import Episode
from forewatch.errors import NotFound
from forewatch.store import anomalies, detectors, points, series
from forewatch.store.detectors import Detector
from forewatch.store.housekeeping import retain_metrics
from forewatch.store.points import Mean, Point

pytestmark = pytest.mark.unit

DAY = 86_400.0
T0 = 1_767_225_600 * MICROSECONDS


def episode(series_id: int = 1, at: int = T0, **fields: object) -> Episode:
    return replace(Episode(series_id, at, "unusual", "high", 0.8, at, at, 9.0, 1.5, 1.0, 2.0), **fields)


def detector(series_id: int = 1, at: int = T0, **fields: object) -> Detector:
    return replace(Detector(series_id, 60.0, at, at, 15.0, 0, at + 5, b"state"), **fields)


def test_an_episode_comes_back_as_it_was_stored(store):
    with store.measure() as conn:
        stored = anomalies.put(conn, episode())
        assert anomalies.get(conn, stored.id) == stored
        ended = anomalies.put(conn, replace(stored, end=T0 + 1, score=0.9))
        assert anomalies.listing(conn) == [ended]


def test_one_that_two_watches_see_begin_is_stored_once(store):
    with store.measure() as conn:
        first = anomalies.put(conn, episode())
        assert anomalies.put(conn, episode(score=0.9)).id == first.id
        assert anomalies.put(conn, episode(kind="silent")).id != first.id


def test_a_verdict_stays_when_the_watch_writes_what_it_knew_before(store):
    with store.measure() as conn:
        stored = anomalies.put(conn, episode())
        anomalies.judge(conn, stored.id, "noise", by="anna", now=T0)
        anomalies.put(conn, replace(stored, last=T0 + 60))
        assert anomalies.get(conn, stored.id).verdict == "noise"
        with pytest.raises(NotFound, match="there is no anomaly AN-99"):
            anomalies.judge(conn, 99, "real", by="anna", now=T0)


def test_those_that_go_on_and_those_seen_lately_are_found(store):
    with store.measure() as conn:
        over = anomalies.put(conn, episode(at=T0, end=T0 + 10, last=T0 + 9))
        on = anomalies.put(conn, episode(at=T0 + 5, last=T0 + 5))
        assert anomalies.going_on(conn, T0 + 20) == [on]
        assert anomalies.since(conn, T0 + 9) == [over, on]
        assert anomalies.since(conn, T0 + 10) == [on]
        assert anomalies.of_series(conn, 1, T0 + 10, T0 + 20) == [over, on]
        assert anomalies.of_series(conn, 1, T0 + 11, T0 + 20) == [on]


def test_a_state_that_is_behind_what_is_stored_is_not_written(store):
    with store.measure() as conn:
        detectors.put_many(conn, [detector(at=T0 + 60, state=b"newer")])
        detectors.put_many(conn, [detector(at=T0, state=b"older")])
        (kept,) = detectors.get_many(conn, [1])
        assert kept.state == b"newer"
        detectors.put_many(conn, [detector(at=T0 + 60, state=b"same step, a verdict taken in")])
        (kept,) = detectors.get_many(conn, [1])
        assert kept.state == b"same step, a verdict taken in"


def test_states_of_another_version_are_not_read(store):
    with store.measure() as conn:
        detectors.put_many(conn, [detector(version=detectors.VERSION + 1)])
        assert list(detectors.get_many(conn, [1])) == []
        assert detectors.readiness(conn) == {}


def test_old_anomalies_go_with_the_forecasts_and_forgotten_ones_are_ended(store):
    with store.measure() as conn:
        points.write(conn, [Point("m", {}, "shop", T0 + micros(40 * DAY), 1.0)])
        for at, end in ((T0, T0 + 1), (T0 + micros(39 * DAY), None), (T0 + micros(30 * DAY), None)):
            anomalies.put(conn, episode(at=at, end=end))
    retain_metrics(store, Retention(), T0 + micros(40 * DAY))
    with store.read_metrics() as conn:
        found = anomalies.listing(conn)
    assert [(one.start, one.end) for one in found] == [
        (T0 + micros(39 * DAY), None),
        (T0 + micros(30 * DAY), T0 + micros(30 * DAY)),
    ]


def test_what_is_known_of_a_series_goes_with_it(store):
    with store.measure() as conn:
        points.write(conn, [Point(metric, {}, "shop", T0 + micros(40 * DAY), 1.0) for metric in ("kept", "gone")])
        kept, gone = (series.find(conn, metric)[0].id for metric in ("kept", "gone"))
        for number in (kept, gone):
            detectors.put_many(conn, [detector(number)])
            anomalies.put(conn, episode(number, T0 + micros(40 * DAY)))
        conn.exec_driver_sql(f"DELETE FROM points WHERE series_id = {gone}")
    report = retain_metrics(store, Retention(), T0 + micros(40 * DAY))
    assert report.removed["detectors"] == report.removed["anomalies"] == 1
    with store.read_metrics() as conn:
        assert list(detectors.readiness(conn)) == [kept]
        assert [one.series_id for one in anomalies.listing(conn)] == [kept]


def test_means_are_of_whole_steps_and_of_many_series_at_once(store):
    with store.measure() as conn:
        batch = [Point("m", {"k": k}, "shop", T0 + micros(second), value) for k, second, value in (
            ("a", 0, 1.0), ("a", 30, 3.0), ("a", 60, 5.0), ("b", 59, 7.0), ("b", 120, 9.0),
        )]  # fmt: skip
        points.write(conn, batch)
        a, b = (series.find(conn, "m", {"k": k})[0].id for k in "ab")
        assert points.means(conn, [a, b], T0, T0 + micros(120), 60.0) == {
            a: [Mean(T0, 2.0, 2, T0 + micros(30)), Mean(T0 + micros(60), 5.0, 1, T0 + micros(60))],
            b: [Mean(T0, 7.0, 1, T0 + micros(59))],
        }
        assert points.newest(conn, a, 2) == [(T0 + micros(30), 3.0), (T0 + micros(60), 5.0)]
        assert points.oldest(conn, a) == T0
        assert points.oldest(conn, 99) is None
