"""What can run out: which series are watched, what is said, and when a warning begins and ends."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from forewatch.alerting.fingerprint import fingerprint
from forewatch.clock import MICROSECONDS, micros
from forewatch.config.detection import Capacity
from forewatch.config.models import Config
from forewatch.detection.band import NotYet
from forewatch.detection.capacity import Outlook, Watch, capacity_events, day, outlook_of, watches
from forewatch.detection.exhaustion import Exhaustion
from forewatch.detection.trust import Trust, as_ticket
from forewatch.incidents.events import AlertCleared, AlertRaised

pytestmark = pytest.mark.unit

T0 = 1_767_225_600 * MICROSECONDS
HOUR, DAY = 3600.0, 86400.0


@dataclass(frozen=True)
class Seen:
    metric: str
    labels: dict[str, str] = field(default_factory=dict)
    service: str = "host"


VAR = Seen("system.filesystem.utilization", {"mountpoint": "/var", "device": "/dev/sda1", "service": "host"})
TLS = Seen("check.certificate.left", {"service": "shop", "check": "tls"}, "shop")
BUDGET = Seen("objective.budget.left", {"service": "shop", "objective": "availability"}, "shop")
POOL = Seen("db.client.connection.count", {"service": "orders", "pool": "main"}, "orders")
POOL_SIZE = Seen("db.client.connection.max", {"service": "orders", "pool": "main"}, "orders")


def only(*series: Seen, config: Config | None = None) -> Watch[Seen]:
    (watch,) = watches(config or Config(), series)
    return watch


def soon(hours: float, method: str = "days") -> Exhaustion:
    at = T0 + micros(hours * HOUR)
    return Exhaustion(at, at - micros(0.7 * HOUR), at + micros(0.9 * HOUR), method)


def filling(watch: Watch[Seen], hours: float | None, value: float = 0.931) -> Outlook[Seen]:
    return Outlook(watch, value, 1.0, None if hours is None else soon(hours))


def raised(outlook: Outlook[Seen], firing: bool = False) -> AlertRaised | AlertCleared | None:
    events = capacity_events(
        [outlook.watch], [outlook], {fingerprint(outlook.watch.labels): outlook.watch.labels} if firing else {}, T0
    )
    assert len(events) <= 1
    return events[0] if events else None


def test_a_warning_says_when_in_plain_words():
    event = raised(filling(only(VAR), 3.2))
    assert isinstance(event, AlertRaised)
    assert event.labels == VAR.labels | {"alertname": "DiskFullSoon", "service": "host", "severity": "warning"}
    assert event.annotations["summary"] == (
        "/var full in 3.2 h, 80 % interval 2.5-4.1 h, about 1 Jan 03:12 UTC: now 93.1% used"
    )
    assert event.values["full_at"] == T0 + micros(3.2 * HOUR)
    assert event.values["limit"] == 1.0


def test_it_warns_within_a_day_and_ends_beyond_a_day_and_a_half():
    watch = only(VAR)
    assert raised(filling(watch, 25)) is None
    assert raised(filling(watch, 30), firing=True) is None
    ended = raised(filling(watch, 37), firing=True)
    assert isinstance(ended, AlertCleared)
    assert ended.values["reason"].startswith("/var full in 37.0 h")
    assert isinstance(raised(filling(watch, None, 0.4), firing=True), AlertCleared)
    assert raised(filling(watch, None)) is None


def test_what_is_far_is_said_as_a_day_at_todays_growth():
    config = Config(
        capacities=[Capacity(name="pool", metric=POOL.metric, limit_metric=POOL_SIZE.metric, warn_within=20 * DAY)]
    )
    outlook = Outlook(only(POOL, POOL_SIZE, config=config), 61.0, 80.0, soon(13 * 24))
    assert outlook.sentence(T0) == (
        "at this growth pool of orders saturates on 14 Jan, 80 % interval 13 Jan to 14 Jan: now 61 of 80"
    )


def test_a_pool_is_held_against_the_metric_with_its_size_and_the_same_labels():
    config = Config(capacities=[Capacity(name="orders-pool", metric=POOL.metric, limit_metric=POOL_SIZE.metric)])
    other = Seen(POOL_SIZE.metric, {"service": "orders", "pool": "other"}, "orders")
    assert watches(config, [POOL, other]) == []
    watch = only(POOL, POOL_SIZE, other, config=config)
    assert watch.limit_series == POOL_SIZE
    assert watch.labels["alertname"] == "OrdersPoolExhaustedSoon"
    assert watch.labels["capacity"] == "orders-pool"
    samples = [(T0 - micros(back * 60), 60 - back / 60) for back in range(7200 // 60, 0, -1)]
    found = outlook_of(watch, samples, [(T0 - micros(60), 70.0), (T0 - micros(3600), 200.0)], T0)
    assert isinstance(found, Outlook)
    assert found.limit == 70.0
    assert found.expected is not None
    assert found.expected.left(T0) == pytest.approx(10 * HOUR, rel=0.02)
    assert outlook_of(watch, samples, [], T0) == NotYet(f"nobody measures its limit ({POOL_SIZE.metric})")


def test_own_capacities_match_series_belong_to_services_and_replace_what_is_built_in():
    config = Config(
        capacities=[
            Capacity(
                name="var",
                metric=VAR.metric,
                match={"mountpoint": "/var"},
                limit=0.9,
                service="shop",
                severity="critical",
            )
        ]
    )
    root = Seen(VAR.metric, {"mountpoint": "/", "device": "/dev/sda2"}, "host")
    own, built_in = watches(config, [VAR, root])
    assert (own.limit, own.labels["alertname"], own.labels["service"]) == (0.9, "VarExhaustedSoon", "shop")
    assert own.labels["severity"] == "critical"
    assert (built_in.series, built_in.limit, built_in.labels["alertname"]) == (root, 1.0, "DiskFullSoon")


@pytest.mark.parametrize(
    ("series", "alert", "thing"),
    [
        (
            Seen(VAR.metric, {"mountpoint": "/", "mounts": "/, /home", "device": "/dev/sda2"}),
            "DiskFullSoon",
            "/ (with /home)",
        ),
        (Seen("system.filesystem.inodes.utilization", {"mountpoint": "/"}), "InodesExhaustedSoon", "inodes of /"),
        (Seen("system.memory.utilization"), "MemoryExhaustedSoon", "memory"),
        (Seen("system.paging.utilization"), "SwapExhaustedSoon", "swap"),
        (
            Seen("process.open_file_descriptor.utilization", {"process": "web"}, "shop"),
            "FilesExhaustedSoon",
            "open files of shop (web)",
        ),
        (TLS, "CertificateExpiredSoon", "certificate of shop/tls"),
        (BUDGET, "ErrorBudgetExhaustedSoon", "error budget of shop (availability)"),
    ],
)
def test_what_is_built_in(series, alert, thing):
    watch = only(series)
    assert (watch.labels["alertname"], watch.thing) == (alert, thing)
    assert watch.labels["service"] == series.service


def test_loop_devices_are_always_full_and_not_watched():
    assert watches(Config(), [Seen(VAR.metric, {"mountpoint": "/snap/x", "device": "/dev/loop3"})]) == []


def test_a_certificate_is_counted_down_exactly_from_one_look():
    found = outlook_of(only(TLS), [(T0 - micros(6 * HOUR), 10 * DAY)], (), T0)
    assert isinstance(found, Outlook)
    assert found.expected is not None
    assert found.expected.left(T0) == pytest.approx(9.75 * DAY)
    assert found.sentence(T0) == "certificate of shop/tls expires in 9.8 d, on 10 Jan"
    event = raised(found)
    assert isinstance(event, AlertRaised)
    assert event.values["method"] == "countdown"
    expired = outlook_of(only(TLS), [(T0 - micros(HOUR), -5.0)], (), T0)
    assert isinstance(expired, Outlook)
    assert expired.sentence(T0).startswith("certificate of shop/tls has expired")
    assert isinstance(outlook_of(only(TLS), [(T0 - micros(3 * DAY), 10 * DAY)], (), T0), NotYet)


def test_an_error_budget_is_used_up_at_zero():
    samples = [(T0 - micros(back * 300), 0.2 + 0.4 * back / 288) for back in range(5 * 288, 0, -1)]
    found = outlook_of(only(BUDGET), samples, (), T0)
    assert isinstance(found, Outlook)
    assert found.expected is not None
    assert found.expected.left(T0) == pytest.approx(12 * HOUR, rel=0.03)
    assert found.sentence(T0).startswith("error budget of shop (availability) used up in 12.0 h, 80 % interval")
    assert found.sentence(T0).endswith("now 20.1% left")


def test_what_cannot_be_forecast_says_why_and_ends_no_warning():
    watch = only(VAR)
    assert outlook_of(watch, [], (), T0) == NotYet("has no data")
    assert outlook_of(watch, [(T0 - micros(2 * HOUR), 0.5)], (), T0) == NotYet("has no data for 2h")
    young = [(T0 - micros(60 * back), 0.5) for back in range(10, 0, -1)]
    assert outlook_of(watch, young, (), T0) == NotYet("needs 30m of data, has 9m")
    assert capacity_events([watch], [], {fingerprint(watch.labels): watch.labels}, T0) == []


def test_a_warning_of_what_is_gone_from_the_machine_or_the_configuration_ends():
    watch = only(VAR)
    pool = {"alertname": "PoolExhaustedSoon", "capacity": "pool", "service": "orders", "severity": "warning"}
    other = {"alertname": "HostDiskFull", "service": "host", "severity": "critical"}
    firing = {fingerprint(labels): labels for labels in (watch.labels, pool, other)}
    events = capacity_events([watch], [], firing, T0)
    assert [(event.labels, event.unwatched) for event in events if isinstance(event, AlertCleared)] == [(pool, True)]
    assert len(capacity_events([], [], firing, T0)) == 2


def test_a_ticket_of_what_is_gone_ends_by_what_it_was_known_by():
    watch = only(VAR)
    event = raised(filling(watch, 5.0))
    assert isinstance(event, AlertRaised)
    ticket = as_ticket(event, Trust(True, 0.5, 20))
    (over,) = capacity_events([], [], {fingerprint(watch.labels): ticket.labels}, T0)
    assert fingerprint(over.labels) == fingerprint(watch.labels)


def test_days_are_said_as_people_say_them():
    assert day(T0 + micros(2 * HOUR), T0) == "1 Jan 02:00 UTC"
    assert day(T0 + micros(13 * DAY), T0) == "14 Jan"
    assert day(T0 - micros(13 * DAY), T0) == "19 Dec 2025"


def test_a_warning_carries_the_labels_and_the_owner_of_its_service():
    config = Config.model_validate(
        {"services": [{"name": "shop", "owner": "web-team", "labels": {"team": "web", "check": "spoofed"}}]}
    )
    labels = only(TLS, config=config).labels
    assert (labels["team"], labels["owner"], labels["check"]) == ("web", "web-team", "tls")
    assert "owner" not in only(VAR, config=config).labels
