"""Grafana's alert webhooks."""

import pytest
from source_samples import NOW, alert, encoded, source, webhook

from forewatch.incidents.events import AlertCleared
from forewatch.intake.sources.grafana import parse

pytestmark = pytest.mark.unit

ALERT = alert(
    labels={"alertname": "High load", "grafana_folder": "hosts", "service": "web"},
    values={"B": 22.5, "C": 1, "D": None},
    valueString="[ var='B' labels={__name__=go_threads} value=22.5 ]",
    dashboardURL="https://grafana.example/d/dash",
    panelURL="https://grafana.example/d/dash?viewPanel=2",
    silenceURL="https://grafana.example/alerting/silence/new",
    imageURL="https://grafana.example/public/img.png",
)


def parsed(*alerts):
    return parse(
        encoded(webhook(*alerts, version="1", orgId=1, title="x", state="alerting")), {}, source("grafana"), NOW
    )


def test_what_was_measured_and_where_to_look_is_kept():
    [event] = parsed(ALERT).events
    assert event.values == {"B": 22.5, "C": 1}
    assert event.annotations == {
        "summary": "the disk of db1 is full",
        "value": "[ var='B' labels={__name__=go_threads} value=22.5 ]",
        "dashboard": "https://grafana.example/d/dash",
        "panel": "https://grafana.example/d/dash?viewPanel=2",
        "silence": "https://grafana.example/alerting/silence/new",
        "image": "https://grafana.example/public/img.png",
    }
    assert event.service == "web"


def test_without_a_severity_it_counts_as_critical_and_stays_the_same_alert():
    [event] = parsed(ALERT).events
    assert event.labels["severity"] == "critical"
    assert event.identity == ALERT["labels"]


def test_a_resolved_one_is_cleared_and_a_bad_one_named():
    found = parsed({**ALERT, "status": "resolved"}, {**ALERT, "status": "nodata"})
    assert isinstance(found.events[0], AlertCleared)
    assert found.refused == ["alerts[1]: status must be firing or resolved, not 'nodata'"]


def test_extras_of_the_wrong_type_do_not_cost_the_alert():
    [event] = parsed({**ALERT, "values": [1], "valueString": 3, "imageURL": None}).events
    assert event.values == {}
