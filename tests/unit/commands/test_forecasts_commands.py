"""`forewatch forecasts`."""

import pytest

from forewatch.clock import micros
from forewatch.store import forecasts, models, points, series
from forewatch.store.forecasts import Forecast
from forewatch.store.points import Point

pytestmark = pytest.mark.unit

DISK = "system.filesystem.utilization"
MINUTE = micros(60)


@pytest.fixture
def measured(typed):
    """A disk that fills and a counter, the disk forecast for an hour."""
    now = typed.clock.now()
    with typed.runtime.store.measure() as conn:
        batch = [Point(DISK, {"mountpoint": "/var"}, "host", now - minute * MINUTE, 0.93) for minute in range(5)]
        batch += [
            Point("system.network.io", {"device": device}, "host", now - minute * MINUTE, 60e3 * (9 - minute))
            for minute in range(5)
            for device in ("eth0", "eth1")
        ]
        points.write(conn, batch)
        [disk] = series.find(conn, DISK)
        hour = Forecast(
            disk.id, now, "hour", now, 300.0, "level", [0.94] * 12, [0.92] * 12, [0.96] * 12, now + 180 * MINUTE
        )
        for past in range(10):
            number = forecasts.add(conn, hour)
            forecasts.score(conn, number, coverage=0.5, error=0.1, now=now - past)
        forecasts.add_many(conn, [hour])
        models.put_many(
            conn,
            [
                models.Model(
                    disk.id,
                    "hour",
                    now,
                    now,
                    now,
                    b"state",
                    unknown="daily rhythm: known after two days",
                    demoted_at=now,
                ),
                models.Model(disk.id, "day", now, reason="needs 24 hours of data, has 3 hours"),
            ],
        )
    return disk.id


def test_what_runs_out_stands_first_with_its_band_and_how_often_that_held(typed, measured):
    head, first, *rest = typed.say("forecasts", "list").splitlines()
    assert head.split("  ")[0] == "ID"
    assert first.split() == (
        f"{measured} 93% 94% (92% to 96%) not yet 50% of 10, fails 3h {DISK} {{mountpoint=/var, service=host}}".split()
    )
    assert "1.0kB/s" in rest[0]
    assert "not yet" in rest[0]


def test_one_is_found_by_a_part_of_its_name(typed, measured):
    assert len(typed.say("forecasts", "list", "eth1").splitlines()) == 2
    # As it is listed, too.
    assert len(typed.say("forecasts", "list", f"{DISK} {{mountpoint=/var, service=host}}").splitlines()) == 2
    assert typed.say("forecasts", "list", "eth9") == "No series has eth9 in its name.\n"
    assert typed.say("forecasts", "list", "--limit", "1").endswith(
        "2 more: narrow the list by part of a name, or raise --limit.\n"
    )


def test_one_series_tells_every_horizon_and_why_one_is_missing(typed, measured):
    said = typed.say("forecasts", "show", DISK)
    assert f"{measured} {DISK} {{mountpoint=/var, service=host}}: 93% now." in said
    lines = {line.split()[0]: line for line in said.splitlines() if line}
    assert "92% to 96%" in lines["hour"]
    assert lines["day"].endswith("needs 24 hours of data, has 3 hours")
    assert lines["week"].endswith("not looked at yet")
    assert "Not known yet: daily rhythm: known after two days." in said
    assert "Used up in 3h" in said
    assert "The bands of its hour fail (they held 50% of what came, over its last 10 forecasts)" in said


def test_the_steps_of_a_horizon_are_shown_when_asked_for(typed, measured):
    said = typed.say("forecasts", "show", str(measured), "--horizon", "hour").splitlines()
    assert said[-12].split()[-3:] == ["94%", "92%", "96%"]
    assert typed.say("forecasts", "show", str(measured), "--horizon", "day").endswith(
        "No forecast of the day yet: needs 24 hours of data, has 3 hours.\n"
    )


def test_what_is_not_there_or_not_clear_is_said(typed, measured):
    assert typed.complain("forecasts", "show", "99") == "there is no series 99; see: forewatch forecasts list"
    for number in ("9" * 19, "9" * 30, "9" * 5_000):
        assert typed.complain("forecasts", "show", number).startswith(f"there is no series {number};")
    assert typed.complain("forecasts", "show", "system.network.io").startswith(
        "system.network.io has 2 series: name one by its number ("
    )
    assert "; near: " in typed.complain("forecasts", "show", "eth0")
    assert typed.complain("forecasts", "show", str(measured), "--horizon", "year") == (
        "there is no horizon year; there are hour, day, week, month"
    )
