"""Sentry's webhooks."""

import hashlib
import hmac

import pytest
from source_samples import MINUTE, NOW, encoded, sentry_data, source

from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.intake.sources.sentry import parse, signed

pytestmark = pytest.mark.unit

SOURCE = source("sentry", service=["service", "project"])


def hook(resource, action, data, wanted=SOURCE):
    body = encoded({"action": action, "installation": {"uuid": "x"}, "data": data, "actor": {"type": "user"}})
    return parse(body, {"sentry-hook-resource": resource}, wanted, NOW).events


def issue(action, **fields):
    return hook("issue", action, {"issue": sentry_data(**fields)})


EVENT = {
    "event_id": "e4874d664c3540c1a32eab185f12c5ab",
    "issue_id": "1170820242",
    "title": "ReferenceError: blooopy is not defined",
    "level": "warning",
    "culprit": "?(runner)",
    "datetime": "2025-12-31T23:59:00.677000Z",
    "url": "https://sentry.example/api/0/projects/acme/front-end/events/e4874d664c3540c1a32eab185f12c5ab/",
    "web_url": "https://sentry.example/organizations/acme/issues/1170820242/events/e48/",
    "tags": [["browser", "Chrome"], ["environment", "prod"], ["service", "shop"], "odd", [1, 2]],
}

METRIC = {
    "description_text": "1000 events in the last 10 minutes",
    "description_title": "Critical: Too many errors",
    "metric_alert": {
        "id": "4",
        "identifier": "1",
        "date_started": "2025-12-31T23:50:00.000000Z",
        "date_closed": None,
        "projects": ["bar"],
        "title": "Too many errors",
        "alert_rule": {"aggregate": "count()", "name": "Too many errors", "query": "level:error", "environment": None},
    },
    "web_url": "https://sentry.example/organizations/baz/alerts/1/",
}


def test_a_new_issue_is_raised():
    [alert] = issue("created")
    assert isinstance(alert, AlertRaised)
    assert alert.identity == {"source": "my-sentry", "issue": "1170820242"}
    assert alert.labels == {
        "alertname": "SentryIssue", "severity": "critical", "level": "error", "project": "front-end",
        "issue": "FRONT-END-9", "classification": "errors",
    }  # fmt: skip
    assert alert.annotations["summary"] == "ReferenceError: blooopy is not defined"
    assert alert.annotations["why"] == "new in Sentry"
    assert alert.values == {"events": 150, "users": 12}
    assert (alert.service, alert.until) == ("front-end", None)
    assert alert.generator_url.endswith("/issues/1170820242/")
    assert NOW - 10 * MINUTE < alert.at < NOW - 9 * MINUTE


@pytest.mark.parametrize(
    ("level", "severity"),
    [("fatal", "critical"), ("error", "critical"), ("warning", "warning"), ("info", "info"), ("debug", "info"),
     ("", "critical"), ("sample", "critical")],
)  # fmt: skip
def test_its_severity_is_by_level(level, severity):
    assert issue("created", level=level)[0].labels["severity"] == severity


def test_one_that_is_back_says_why():
    [alert] = issue("unresolved", substatus="escalating")
    assert alert.annotations["why"] == "escalating in Sentry"
    assert alert.at == NOW - MINUTE


@pytest.mark.parametrize("action", ["resolved", "archived", "ignored"])
def test_one_that_is_over_is_cleared(action):
    [alert] = issue(action)
    assert isinstance(alert, AlertCleared)
    assert alert.identity == issue("created")[0].identity
    assert action in alert.values["reason"]


def test_an_assignment_is_no_event():
    assert issue("assigned") == []


def test_an_issue_alert_is_of_the_same_alert_as_its_issue():
    [alert] = hook("event_alert", "triggered", {"event": EVENT, "triggered_rule": "Very important"})
    assert alert.identity == issue("created")[0].identity
    assert alert.labels["severity"] == "warning"
    assert (alert.labels["project"], alert.labels["environment"]) == ("front-end", "prod")
    assert alert.annotations["rule"] == "Very important"
    assert alert.service == "shop"


@pytest.mark.parametrize("number", [1170820242, 1170820242.0, "1170820242"])
def test_an_id_may_be_a_number(number):
    [known] = issue("created")
    assert hook("event_alert", "triggered", {"event": {**EVENT, "issue_id": number}})[0].identity == known.identity
    assert issue("created", id=number)[0].identity == known.identity
    [metric] = hook("metric_alert", "critical", {**METRIC, "metric_alert": {**METRIC["metric_alert"], "id": 4}})
    assert metric.identity == hook("metric_alert", "critical", METRIC)[0].identity


@pytest.mark.parametrize(
    "tags",
    [[["environment", "prod"], ["port", 80]], {"environment": "prod", "port": 80},
     [{"key": "environment", "value": "prod"}, {"key": "port", "value": 80}]],
)  # fmt: skip
def test_tags_are_read_in_every_shape(tags):
    [alert] = hook("event_alert", "triggered", {"event": {**EVENT, "tags": tags}}, source("sentry", service=["port"]))
    assert alert.labels["environment"] == "prod"
    assert alert.service == "80"


@pytest.mark.parametrize(
    "fields", [{"level": 40}, {"level": None}, {"datetime": "then"}, {"datetime": 1_767_225_540.5}, {"title": 7},
               {"culprit": None}, {"tags": "x"}, {"url": 3}, {"web_url": []}],
)  # fmt: skip
def test_no_issue_is_lost_over_a_field(fields):
    [alert] = hook("event_alert", "triggered", {"event": {**EVENT, **fields}})
    assert alert.identity == issue("created")[0].identity
    assert alert.at <= NOW
    assert issue("created", firstSeen="then", lastSeen=3, count=[], userCount="x", project="front-end")


@pytest.mark.parametrize("action", ["critical", "warning"])
def test_a_metric_alert_is_raised_with_its_severity(action):
    [alert] = hook("metric_alert", action, METRIC)
    assert alert.labels == {
        "alertname": "SentryMetricAlert", "severity": action, "rule": "Too many errors", "project": "bar",
        "classification": "errors",
    }  # fmt: skip
    assert alert.annotations["description"] == "1000 events in the last 10 minutes"
    assert alert.annotations["query"] == "count() level:error"
    assert alert.at == NOW - 10 * MINUTE


def test_a_metric_alert_on_a_duration_is_of_latency():
    rule = {**METRIC["metric_alert"]["alert_rule"], "aggregate": "p95(transaction.duration)"}
    [alert] = hook(
        "metric_alert", "critical", {**METRIC, "metric_alert": {**METRIC["metric_alert"], "alert_rule": rule}}
    )
    assert alert.labels["classification"] == "latency"


def test_a_metric_alert_ends_as_the_same_one():
    [over] = hook("metric_alert", "resolved", METRIC)
    assert isinstance(over, AlertCleared)
    assert over.identity == hook("metric_alert", "critical", METRIC)[0].identity


@pytest.mark.parametrize("resource", ["installation", "comment", "error", "activity_alert", "something-new"])
def test_other_resources_are_taken_and_mean_nothing(resource):
    assert hook(resource, "created", {"issue": sentry_data()}) == []


@pytest.mark.parametrize(
    ("resource", "action", "data", "said"),
    [
        ("issue", "created", {}, "data.issue must be an object, not null"),
        ("issue", "created", {"issue": {}}, "issue.id is required"),
        ("event_alert", "triggered", {"event": {}}, "issue_id is required"),
        ("metric_alert", "loud", METRIC, "must be critical, warning or resolved"),
        ("metric_alert", "critical", {"metric_alert": {}}, "id is required"),
        ("issue", 3, {}, "action must be text"),
    ],
)
def test_what_is_wrong_is_named(resource, action, data, said):
    with pytest.raises(ValueError, match=said):
        hook(resource, action, data)


def test_a_body_saved_without_its_headers_is_known_by_what_it_holds():
    for data, action in (({"issue": sentry_data()}, "created"), ({"event": EVENT}, "triggered"), (METRIC, "critical")):
        assert len(parse(encoded({"action": action, "data": data}), {}, SOURCE, NOW).events) == 1


def test_the_signature_is_over_the_raw_bytes():
    body = b'{"action":  "created"}'
    signature = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert signed(body, {"sentry-hook-signature": signature}, "s3cret")
    assert not signed(body.replace(b"  ", b" "), {"sentry-hook-signature": signature}, "s3cret")
    assert not signed(body, {"sentry-hook-signature": signature}, "another")
    assert not signed(body, {"sentry-hook-signature": signature[:-1] + "\xe9"}, "s3cret")
    assert not signed(body, {}, "s3cret")
