"""The metrics a configuration may speak of are the ones that are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from forewatch.config import known_metrics
from forewatch.config.known_metrics import METRICS, Writers, needs
from forewatch.config.models import Config
from forewatch.detection.resources import BUILT_IN
from forewatch.detection.starter import HOST_RULES, OWN_RULES
from forewatch.load_tests import benchmarks
from forewatch.series import objective_answers
from tasks.probes import memory

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]


def test_every_metric_that_a_collector_adds_is_known_and_no_other():
    added = set()
    for path in [*(ROOT / "tasks/collect").glob("*.py"), ROOT / "tasks/shifts/collect_metrics.py"]:
        added |= set(re.findall(r'(?:add|Point)\(\s*f?"([a-z_.{}]+)"', path.read_text(encoding="utf-8")))
        added |= set(re.findall(r'\("(forewatch\.[a-z.]+age)",', path.read_text(encoding="utf-8")))
    added -= {"system.cpu.load_average.{minutes}m", "system.disk.smart.{name}"}
    added |= {f"system.cpu.load_average.{minutes}m" for minutes in (1, 5, 15)}
    added |= {memory.UP, memory.DURATION, memory.PHASE, memory.CERTIFICATE, memory.RESTARTS}
    added |= {objective_answers.IN_TIME, "objective.budget.left"}
    added |= {benchmarks.DURATION, benchmarks.THROUGHPUT, benchmarks.ERRORS}
    assert added == set(METRICS)


def test_what_is_built_in_looks_at_metrics_that_are_known():
    used = {rule.metric for rule in (*HOST_RULES, *OWN_RULES)} | {one.metric for one in BUILT_IN}
    used |= {rule.per for rule in HOST_RULES if rule.per} | {one.limit_metric for one in BUILT_IN if one.limit_metric}
    assert used <= set(METRICS)


def test_every_metric_says_what_has_it_written():
    assert all(needs(metric) is not None for metric in METRICS)
    assert needs("system.disk.smart.temperature") == ""
    assert needs("anything.else") is None


def test_the_cadence_of_a_metric_is_that_of_who_writes_it():
    config = Config.model_validate(
        {"metrics": {"every": 30.0}, "services": [
            {"name": "a", "checks": [{"tcp": "x:1", "every": 2.0}, {"name": "b", "tcp": "x:2", "every": 5.0}]},
            {"name": "c", "benchmarks": [{"name": "load", "url": "http://x", "every": 120.0}]},
        ]}
    )  # fmt: skip
    writers = Writers(config)
    assert writers.cadence("check.up") == writers.cadence("check.duration", "a") == 2.0
    assert writers.cadence("benchmark.duration", "c") == 120.0
    assert writers.cadence("check.certificate.left", "a") == 600.0
    assert writers.cadence("check.phase.duration", "a") == 60.0
    assert writers.cadence(f"{known_metrics.SMART}x") == 3600.0
    assert writers.cadence("system.cpu.utilization") == writers.cadence("check.up", "nobody") == 30.0
