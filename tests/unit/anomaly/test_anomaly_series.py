from __future__ import annotations

import itertools
from typing import Any

import pytest

from forewatch.config.models import Config
from forewatch.reports.anomalies import learning
from forewatch.series.anomaly_series import Expected, chosen
from forewatch.store.series import Series

pytestmark = pytest.mark.unit

HOUR = 3_600_000_000
_numbers = itertools.count(1)


def one(metric: str, service: str = "shop", **labels: str) -> Series:
    return Series(next(_numbers), metric, {"service": service, **labels}, service)


def metrics(found: dict[int, Any]) -> set[str]:
    return {series.metric for series, _ in found.values()}


def config(**fields: Any) -> Config:
    return Config.model_validate({"services": [{"name": "shop", "checks": [{"tcp": "shop:80"}]}], **fields})


def test_forewatch_itself_and_what_is_judged_better_elsewhere_is_left_out():
    some = [
        one(name)
        for name in ("check.duration", "check.up", "forewatch.tick.lag", "process.uptime", "system.memory.limit")
    ]
    assert metrics(chosen(config(), some)) == {"check.duration"}


def test_what_is_to_be_ignored_is_left_out():
    some = [one("system.network.io"), one("system.disk.io")]
    assert metrics(chosen(config(anomalies={"ignore": ["system.network.*"]}), some)) == {"system.disk.io"}


def test_turned_off_nothing_is_looked_at():
    assert chosen(config(anomalies={"enabled": False}), [one("check.duration")]) == {}


def test_a_rule_brings_in_what_would_be_left_out_and_says_how_rare():
    some = [one("check.up", check="a"), one("check.up", check="b")]
    asked = {"alert": "Odd", "metric": "check.up", "match": {"check": "a"}, "anomaly": "medium"}
    ((series, level),) = chosen(config(rules=[asked]), some).values()
    assert (series.labels["check"], level) == ("a", "medium")


@pytest.mark.parametrize(
    ("metric", "service", "labels", "anomalous"),
    [
        ("app.latency", "shop", {}, True),
        ("app.latency", "gone", {}, False),
        ("check.duration", "shop", {"check": "tcp"}, True),
        ("check.duration", "shop", {"check": "removed"}, False),
        ("process.memory.usage", "shop", {}, False),
        ("system.memory.usage", "host", {}, True),
    ],
)
def test_only_what_the_configuration_still_has_can_fall_silent(metric, service, labels, anomalous):
    assert Expected(config())(one(metric, service, **labels)) is anomalous


def test_without_host_metrics_the_host_may_be_silent():
    assert not Expected(config(metrics={"host": False}))(one("system.memory.usage", "host"))


def test_what_is_still_being_learned_is_said_with_how_long():
    assert learning([1, 2], {1: 5, 2: 5}, 10) == "2 series are known: anything unusual on any of them is reported"
    assert learning([1, 2, 3], {1: 5, 2: 10 + 5 * HOUR}, 10) == (
        "1 series is known; 2 more are still being learned, the first of them for another 5h: "
        "nothing is reported for them yet"
    )
