"""PagerDuty's Events API v2."""

import pytest
from source_samples import MINUTE, NOW, encoded, event, source

from forewatch.incidents.events import AlertAcknowledged, AlertCleared, AlertRaised
from forewatch.intake.sources.pagerduty import InvalidEvent, change_of, events_of, parse, read_change, read_event

pytestmark = pytest.mark.unit

SOURCE = source("pagerduty", token="R" * 32)


def events(message, wanted=SOURCE):
    return events_of(read_event(encoded(message)), wanted, NOW)


def errors(message):
    with pytest.raises(InvalidEvent) as raised:
        read_event(encoded(message))
    return raised.value.errors


def payload(**fields):
    return event(payload={**event()["payload"], **fields})


def test_a_trigger_raises_an_alert_with_all_that_was_said():
    [alert] = events(event())
    assert isinstance(alert, AlertRaised)
    assert alert.identity == {"source": "my-pagerduty", "dedup_key": "db1/disk"}
    assert alert.labels == {
        "alertname": "disk", "class": "disk", "component": "postgres", "group": "prod", "source": "db1.example",
        "severity": "critical",
    }  # fmt: skip
    assert alert.annotations == {
        "summary": "the disk of db1 is full",
        "dedup_key": "db1/disk",
        "client": "Nagios",
        "links": "what to do: https://wiki.example/disk",
        "images": "the disk: https://charts.example/disk.png",
        "details.free": "1 %",
        "details.service": "orders",
        "details.db_password": "***",
        "details.load": "[1, 2]",
    }
    assert (alert.at, alert.generator_url, alert.service) == (NOW - 10 * MINUTE, "https://nagios.example", "orders")
    assert (alert.until, alert.timeout) == (None, False)


@pytest.mark.parametrize(
    ("theirs", "ours"), [("critical", "critical"), ("error", "critical"), ("warning", "warning"), ("info", "info")]
)
def test_its_four_severities_are_our_three(theirs, ours):
    assert events(payload(severity=theirs))[0].labels["severity"] == ours


def test_the_service_is_found_in_labels_and_details():
    assert events(event(), source("pagerduty", service=["component", "service"]))[0].service == "postgres"
    assert events(payload(custom_details={}))[0].service == "host"


def test_acknowledge_and_resolve_name_the_same_alert():
    [acknowledged] = events({"routing_key": "R" * 32, "event_action": "acknowledge", "dedup_key": "db1/disk"})
    [resolved] = events({"routing_key": "R" * 32, "event_action": "resolve", "dedup_key": "db1/disk"})
    [raised] = events(event())
    assert isinstance(acknowledged, AlertAcknowledged)
    assert isinstance(resolved, AlertCleared)
    assert acknowledged.identity == resolved.identity == raised.identity


def test_only_the_same_source_reaches_an_alert():
    other = source("pagerduty").model_copy(update={"name": "other"})
    assert events(event())[0].identity != events(event(), other)[0].identity


def test_a_trigger_without_a_key_gets_a_new_one_each_time():
    without = {name: value for name, value in event().items() if name != "dedup_key"}
    first, second = read_event(encoded(without)), read_event(encoded(without))
    assert first.key != second.key
    assert len(first.key) == 32
    assert read_event(encoded(without), lambda: "made-here").key == "made-here"


def test_a_long_summary_is_cut_and_not_refused():
    [alert] = events(payload(summary="x" * 5_000))
    assert len(alert.annotations["summary"]) == 1_024


@pytest.mark.parametrize(
    ("details", "kept"),
    [
        ("the disk is full", "the disk is full"), (["sda", 3], '["sda", 3]'), (7, "7"), (False, "false"),
        ("token=abcdefgh12345678", "token=***"),
    ],
)  # fmt: skip
def test_details_that_are_no_object_are_kept_as_they_read(details, kept):
    [alert] = events(payload(custom_details=details))
    assert alert.annotations["details"] == kept
    change = {"routing_key": "x", "payload": {"summary": "deployed", "custom_details": details}}
    assert change_of(read_change(encoded(change)), SOURCE, NOW).summary == "deployed"


@pytest.mark.parametrize("empty", [None, {}, "", []])
def test_no_details_are_none(empty):
    [alert] = events(payload(custom_details=empty))
    assert not any(name.startswith("details.") for name in alert.annotations)


@pytest.mark.parametrize("timestamp", [1_767_225_000, 1_767_225_000.0, "1767225000", 1_767_225_000_000])
def test_a_timestamp_may_be_a_unix_number(timestamp):
    assert events(payload(timestamp=timestamp))[0].at == NOW - 10 * MINUTE


@pytest.mark.parametrize("timestamp", ["noon", 3, {}, True])
def test_a_timestamp_that_is_none_counts_as_now_and_is_shown(timestamp):
    [alert] = events(payload(timestamp=timestamp))
    assert alert.at == NOW
    assert alert.annotations["timestamp"]


@pytest.mark.parametrize(
    "fields", [{"severity": "page"}, {"severity": None}, {"class": 3}, {"component": ["a"]}, {"group": {"a": 1}},
               {"summary": 503}, {"source": 7}],
)  # fmt: skip
def test_a_page_is_never_refused_over_a_detail(fields):
    [alert] = events(payload(**fields))
    assert alert.labels["severity"] == "critical"
    assert alert.annotations["summary"]


@pytest.mark.parametrize("links", [{"text": "x"}, [{"text": "x"}], [{"href": "javascript:alert(1)"}], "x", [None], 3])
def test_links_that_lead_nowhere_are_left_out(links):
    [alert] = events({name: value for name, value in event(links=links, images=links).items() if name != "client_url"})
    assert "links" not in alert.annotations
    assert "images" not in alert.annotations
    assert alert.generator_url == ""


def test_one_link_alone_and_one_too_many_are_taken():
    [alert] = events(event(links={"href": "https://wiki.example"}, images=["https://charts.example/1.png"] * 51))
    assert alert.annotations["links"] == "https://wiki.example"
    assert len(alert.annotations["images"].splitlines()) == 50


def test_a_key_beyond_its_length_still_tells_alerts_apart():
    keys = [read_event(encoded(event(dedup_key="k" * 300 + end))).key for end in "ab"]
    assert keys[0] != keys[1]
    assert max(map(len, keys)) == 255
    assert read_event(encoded(event(dedup_key=7))).key == "7"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (event(routing_key=None), "routing_key is required"),
        (event(routing_key=7), "routing_key must be text"),
        (event(event_action="page"), "event_action must be one of trigger, acknowledge, resolve"),
        (event(dedup_key=["a"]), "dedup_key must be text"),
        (event("resolve", dedup_key=None), "dedup_key is required to resolve"),
        (event("acknowledge", dedup_key=""), "dedup_key is required to acknowledge"),
        (event(payload=None), "payload must be an object, not null"),
        (payload(summary=""), "payload.summary"),
        (payload(source=None), "payload.source is required"),
        ([], "must be a JSON object"),
    ],
)
def test_each_thing_that_is_wrong_is_named(message, said):
    with pytest.raises(InvalidEvent, match=said):
        read_event(encoded(message))


def test_all_that_is_wrong_is_said_at_once():
    assert len(errors({"event_action": "trigger", "payload": {}})) == 3


def test_a_change_is_reported_of_the_service_it_names():
    body = {
        "routing_key": "R" * 32,
        "payload": {
            "summary": "build 7 went out",
            "timestamp": "2025-12-31T23:50:00Z",
            "source": "ci",
            "custom_details": {"service": "orders", "api_key": "k3y"},
        },
        "links": [{"href": "https://ci.example/7", "text": "the build"}],
    }
    change = change_of(read_change(encoded(body)), SOURCE, NOW)
    assert (change.summary, change.service, change.sender) == ("build 7 went out", "orders", "my-pagerduty")
    assert change.at == NOW - 10 * MINUTE
    assert change.details["custom_details"] == {"service": "orders", "api_key": "***"}
    assert change.details["links"] == "the build: https://ci.example/7"
    del body["payload"]["custom_details"]
    assert change_of(read_change(encoded(body)), SOURCE, NOW).service is None


@pytest.mark.parametrize(
    "change", [{}, {"routing_key": "x"}, {"routing_key": "x", "payload": {}}, {"routing_key": "x", "payload": "x"}]
)
def test_a_change_without_a_summary_is_refused(change):
    with pytest.raises(InvalidEvent, match=r"payload|routing_key"):
        read_change(encoded(change))


def test_a_saved_body_is_an_event_or_a_change_by_its_action():
    assert isinstance(parse(encoded(event()), {}, SOURCE, NOW).events[0], AlertRaised)
    change = {"routing_key": "x", "payload": {"summary": "deployed"}}
    assert parse(encoded(change), {}, SOURCE, NOW).events[0].summary == "deployed"
