"""Disks' own reports: once an hour whoever stands watch, and nobody waits for them."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from forewatch.clock import FakeClock, micros
from forewatch.home import Home
from forewatch.store import points
from forewatch.store.engine import Store
from tasks.collect import smart
from tasks.collect.gathering import Gathering
from tasks.collect.smart import READABLE, Smart, look

pytestmark = pytest.mark.unit

REPORT = {
    "smart_status": {"passed": True},
    "nvme_smart_health_information_log": {"percentage_used": 7, "media_errors": 0},
    "temperature": {"current": 41},
    "power_on_time": {"hours": 10},
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    home = Home(tmp_path)
    home.create()
    opened = Store.open(home, migrate=True)
    yield opened
    opened.close()


def program(folder: Path, scan: object, report: object) -> str:
    """A smartctl that says what it is told to."""
    file = folder / "smartctl"
    file.write_text(
        f"#!{sys.executable}\nimport sys\n"
        f"print({json.dumps(json.dumps(scan))} if '--scan' in sys.argv else {json.dumps(json.dumps(report))})\n"
        "sys.exit(4)\n"
    )
    file.chmod(0o755)
    return str(file)


def told(into: Gathering) -> dict[str, float]:
    return {point.metric.removeprefix("system.disk.smart."): point.value for point in into.points}


def test_a_disk_is_read_whatever_the_exit_status_says_of_its_health(tmp_path):
    into = look(Gathering(5), program(tmp_path, {"devices": [{"name": "/dev/nvme0", "type": "nvme"}]}, REPORT))
    assert told(into) == {
        "readable": 1.0, "passed": 1.0, "wear": pytest.approx(0.07), "sectors": 0.0, "temperature": 41.0,
        "powered": 36_000.0,
    }  # fmt: skip
    assert {point.labels["device"] for point in into.points} == {"/dev/nvme0"}


@pytest.mark.parametrize(
    ("scan", "report", "reason"),
    [
        ({"devices": []}, {}, "smartctl finds no disk here"),
        ({"devices": [{"name": "/dev/sda", "type": "sat"}]}, {}, "it tells nothing"),
        ([], {}, "smartctl gave no JSON object"),
    ],
)
def test_what_cannot_be_read_is_said_and_is_no_trouble_of_the_collector(tmp_path, scan, report, reason):
    into = look(Gathering(5), program(tmp_path, scan, report))
    assert told(into) == {"readable": 0.0}
    assert into.points[0].labels["reason"] == reason
    assert into.problems == []


def test_without_smartctl_it_says_which_package_to_install():
    into = look(Gathering(5), "no-such-smartctl")
    assert into.points[0].labels["reason"] == "smartctl is not installed (package smartmontools)"


async def test_a_round_never_waits_and_the_next_one_takes_home_what_was_found(store, monkeypatch):
    let, clock = threading.Event(), FakeClock()

    def slow(into: Gathering, program: str) -> Gathering:
        let.wait(10)
        into.add(READABLE, 1.0, device="/dev/sda")
        return into

    monkeypatch.setattr(smart, "look", slow)
    collector = Smart(store)
    first = Gathering(clock.now())
    await collector(first)
    assert first.points == []
    let.set()
    collector._looking.join(10)
    second = Gathering(clock.advance(15))
    await collector(second)
    assert [point.metric for point in second.points] == [READABLE]
    assert second.points[0].at == first.now


async def test_an_hour_counts_from_the_look_of_the_shift_before(store, monkeypatch):
    looks: list[int] = []
    monkeypatch.setattr(smart, "look", lambda into, program: looks.append(into.now) or into)
    clock = FakeClock()
    with store.measure() as conn:
        points.write(conn, [points.Point(READABLE, {"device": "/dev/sda"}, "host", clock.now() - micros(1800), 1.0)])
    collector = Smart(store)
    for _ in range(10):
        await collector(Gathering(clock.advance(300)))
        if collector._looking is not None:
            collector._looking.join(10)
    assert looks == [FakeClock().now() + micros(1800)]
