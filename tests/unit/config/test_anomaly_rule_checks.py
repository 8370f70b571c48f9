from __future__ import annotations

import pytest

pytestmark = pytest.mark.unit

RULE = """
rules:
  - {{alert: {alert}, metric: app.latency, anomaly: high{more}}}
"""


def rules(alert: str = "Slow", more: str = "") -> str:
    return RULE.format(alert=alert, more=more)


def test_a_rule_that_asks_for_anomalies_is_taken(problems):
    assert problems(rules()) == []


def test_one_that_could_never_fire_is_refused_where_it_stands(problems):
    (problem,) = problems("anomalies: {enabled: false}" + rules())
    assert problem.endswith("nothing is looked at for anomalies (anomalies.enabled: false), so this would never fire")
    (problem,) = problems("anomalies: {ignore: ['app.*']}" + rules())
    assert "app.latency is not looked at (anomalies.ignore: app.*), so this would never fire" in problem


def test_a_ratio_has_no_anomalies(problems):
    (problem,) = problems(rules(more=", statistic: ratio, per: app.requests"))
    assert "anomalies are of a metric itself, not of a ratio of two" in problem


def test_the_name_of_confirmed_anomalies_is_taken(problems):
    (problem,) = problems(rules(alert="Anomalous"))
    assert "Anomalous is the alert of confirmed anomalies; choose another name" in problem
