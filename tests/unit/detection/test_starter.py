from __future__ import annotations

from pathlib import Path

import pytest

from forewatch.config.models import Config
from forewatch.detection.starter import all_rules, starter_rules

pytestmark = pytest.mark.unit

SHOP = {
    "services": [
        {"name": "shop", "checks": [{"http": "http://127.0.0.1:1/"}, {"name": "port", "tcp": "127.0.0.1:1"}]},
    ]
}


def named(config: dict[str, object]) -> list[str]:
    return [rule.alert for rule in starter_rules(Config.model_validate(config))]


def test_the_host_and_our_own_parts_are_watched_from_the_start():
    names = named({})
    assert {"HostCpuBusy", "HostMemoryLow", "HostDiskFilling", "HostDiskFull", "HostInodesLow"} <= set(names)
    assert {"HostLoadHigh", "HostSwapFull", "HostDiskReadOnly"} <= set(names)
    assert sum(name.startswith("Forewatch") for name in names) == 7


def test_every_http_check_gets_an_error_ratio_and_a_latency_rule_and_no_other_check_does():
    names = named(SHOP)
    assert names.count("HttpErrorRatio") == names.count("HttpSlow") == 1
    rules = {rule.alert: rule for rule in starter_rules(Config.model_validate(SHOP))}
    assert rules["HttpErrorRatio"].match == {"service": "shop", "check": "http"}
    # An error ratio above 1 % is a mean of `check.up` below 99 %.
    assert (rules["HttpErrorRatio"].metric, rules["HttpErrorRatio"].below) == ("check.up", 0.99)
    assert (rules["HttpSlow"].statistic, rules["HttpSlow"].above) == ("p95", 0.5)


def test_every_metric_they_name_is_one_that_is_collected():
    root = Path(__file__).parents[3]
    folders = (root / "tasks" / name for name in ("collect", "shifts", "probes"))
    sources = "".join(file.read_text() for folder in folders for file in folder.glob("*.py"))
    collected = sources.replace("{minutes}", "1")
    for rule in starter_rules(Config.model_validate(SHOP)):
        for metric in filter(None, (rule.metric, rule.per)):
            assert f'"{metric}"' in collected, f"{rule.alert}: nobody collects {metric}"


def test_they_can_be_turned_off():
    assert named(SHOP | {"metrics": {"starter_rules": False}}) == []


def test_without_host_metrics_there_are_no_host_rules():
    assert not any(name.startswith("Host") for name in named({"metrics": {"host": False}}))


def test_a_rule_of_ones_own_replaces_the_one_of_the_same_name():
    own = {"alert": "HostCpuBusy", "metric": "system.cpu.utilization", "above": "50%"}
    config = Config.model_validate({"rules": [own]})
    assert "HostCpuBusy" not in [rule.alert for rule in starter_rules(config)]
    assert [rule.above for rule in all_rules(config) if rule.alert == "HostCpuBusy"] == [0.5]
