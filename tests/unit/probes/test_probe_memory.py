"""What the checks leave in a real store, and what the next watch reads from it."""

import pytest

from forewatch.checking.results import CheckKey, CheckResult, CheckState, ProbeResult, monitors
from forewatch.config.models import Config
from forewatch.home import Home
from forewatch.store import points, series
from forewatch.store.engine import Store
from tasks.probes import memory

pytestmark = pytest.mark.unit

KEY = CheckKey("shop", "http", "default")
AT = 1_767_225_600_000_000


@pytest.fixture
def store(tmp_path):
    home = Home(tmp_path)
    home.create()
    store = Store.open(home, migrate=True)
    yield store
    store.close()


def result(at: int, ok: bool, state: CheckState) -> CheckResult:
    return CheckResult(KEY, at, ProbeResult(ok, 0.25, state.reason), state)


def test_a_batch_becomes_two_points_a_result_and_one_row_a_check(store):
    first = CheckState("unknown", 1, 0, AT, AT, "refused by x:1")
    second = CheckState("down", 2, 0, AT + 1, AT + 1, "refused by x:1")
    with store.measure() as conn:
        memory.write(conn, [result(AT, False, first), result(AT + 1, True, second)])
    with store.read_metrics() as conn:
        assert memory.load(conn) == {KEY: second}
        (up,) = series.find(conn, "check.up", {"service": "shop", "check": "http", "instance": "default"})
        (duration,) = series.find(conn, "check.duration")
        assert points.between(conn, up.id, AT, AT + 1) == [(AT, 0.0), (AT + 1, 1.0)]
        assert points.between(conn, duration.id, AT, AT + 1) == [(AT, 0.25), (AT + 1, 0.25)]


def test_a_late_result_is_neither_a_pass_nor_a_failure_in_the_series(store):
    state = CheckState("up", 0, 4, AT, AT, "late: this machine is too busy to tell", late=1)
    late = ProbeResult(False, 5.0, "no answer within 5 s", timed_out=True, late=True)
    with store.measure() as conn:
        memory.write(conn, [CheckResult(KEY, AT, late, state)])
    with store.read_metrics() as conn:
        assert memory.load(conn)[KEY].reason == state.reason
        assert series.find(conn, "check.up") == []


def test_a_pass_that_our_own_loop_was_too_late_to_time_is_no_slow_answer(store):
    state = CheckState("up", 0, 4, AT, AT, "200")
    with store.measure() as conn:
        memory.write(conn, [CheckResult(KEY, AT, ProbeResult(True, 4.0, "200", untimed=True), state)])
    with store.read_metrics() as conn:
        assert len(series.find(conn, "check.up")) == 1
        assert series.find(conn, "check.duration") == []


def test_rows_of_checks_no_longer_configured_are_forgotten(store):
    with store.measure() as conn:
        memory.write(conn, [result(AT, True, CheckState("up", 0, 1, AT, AT, "200"))])
        memory.forget_others(conn, [])
        assert memory.load(conn) == {}


def certified(at: int, left: float | None) -> CheckResult:
    details = {} if left is None else {"certificate_left": left}
    return CheckResult(KEY, at, ProbeResult(True, 0.25, "200", details), CheckState("up", 0, 1, at, at, "200"))


def test_a_certificate_is_told_of_every_ten_minutes(store):
    minute, told = 60_000_000, {}
    for number in range(25):
        with store.measure() as conn:
            memory.write(conn, [certified(AT + number * minute, 864_000.0 - 60 * number)], told)
    with store.read_metrics() as conn:
        (left,) = series.find(conn, "check.certificate.left", {"service": "shop", "check": "http"})
        found = points.between(conn, left.id, AT, AT + 25 * minute)
    assert found == [(AT + number * minute, 864_000.0 - 60 * number) for number in (0, 10, 20)]


def test_a_check_without_a_certificate_tells_of_none(store):
    with store.measure() as conn:
        memory.write(conn, [certified(AT, None)])
    with store.read_metrics() as conn:
        assert series.find(conn, "check.certificate.left") == []


def phased(at: int, service: str = "shop", **phases: float) -> CheckResult:
    result = ProbeResult(True, 0.25, "200", {"status": 200, "phases": phases})
    return CheckResult(CheckKey(service, "http", "default"), at, result, CheckState("up", 0, 1, at, at, "200"))


def test_the_phases_of_a_check_are_told_every_minute_each_by_its_name(store):
    told = {}
    for number in range(13):
        with store.measure() as conn:
            memory.write(conn, [phased(AT + number * 10_000_000, dns=0.001, first_byte=number / 100)], told)
    with store.read_metrics() as conn:
        (first,) = series.find(
            conn, "check.phase.duration", {"service": "shop", "check": "http", "phase": "first_byte"}
        )
        assert len(series.find(conn, "check.phase.duration")) == 2
        found = points.between(conn, first.id, AT, AT + 130_000_000)
    assert found == [(AT, 0.0), (AT + 60_000_000, 0.06), (AT + 120_000_000, 0.12)]


def test_the_phases_of_many_checks_are_spread_over_the_batches(store):
    told, batch = {}, [phased(AT, f"s{number}", connect=0.001) for number in range(memory.PHASES_AT_ONCE + 5)]
    written = []
    for _ in range(3):
        with store.measure() as conn:
            memory.write(conn, batch, told)
        with store.read_metrics() as conn:
            written.append(len(series.find(conn, "check.phase.duration")))
    assert written == [memory.PHASES_AT_ONCE, memory.PHASES_AT_ONCE + 5, memory.PHASES_AT_ONCE + 5]


def test_the_next_watch_knows_how_often_units_were_restarted(store):
    config = Config.model_validate(
        {"services": [{"name": "shop", "checks": [{"name": "http", "systemd": {"unit": "shop.service"}}]}]}
    )
    state = CheckState("up", 0, 1, AT, AT, "active")
    written = {}
    with store.measure() as conn:
        for minutes, count in ((0, "3"), (1, "3"), (2, "9"), (70, "11")):
            at = AT + minutes * 60_000_000
            one = CheckResult(KEY, at, ProbeResult(True, 0.01, "active", {"restarts": count}), state)
            memory.write(conn, [one], None, written)
    with store.read_metrics() as conn:
        (kept,) = series.find(conn, "check.unit.restarts")
        assert [value for _, value in points.between(conn, kept.id, 0, 2 * AT)] == [3, 9, 11]
        seen = memory.restarted(conn, monitors(config), AT + 60 * 60_000_000)
        assert seen == {("shop.service", False): [(-3600.0, 3), (-3480.0, 9)]}
        assert memory.restarted(conn, monitors(Config()), AT) == {}
