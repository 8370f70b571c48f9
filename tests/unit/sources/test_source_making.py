"""What all parsers share: severities, services, bounds, times."""

import pytest
from source_samples import MINUTE, NOW, source

from forewatch.intake.sources.making import annotations_of, instant, labels_of, raised, service_of, severity_of, when

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("critical", "critical"), ("error", "critical"), ("page", "critical"), ("P1", "critical"), (None, "critical"),
        ("", "critical"), ("Warning", "warning"), ("warn", "warning"), ("minor", "warning"), ("info", "info"),
        ("none", "info"), (" notice ", "info"), (3, "critical"),
    ],
)  # fmt: skip
def test_an_unknown_severity_might_be_the_worst(word, severity):
    assert severity_of(word) == severity


def test_the_service_is_the_first_of_the_sources_labels_that_is_there():
    two = source("grafana", service=["app", "job"], default_service="shop")
    assert service_of(two, {"app": "web", "job": "nginx"}) == "web"
    assert service_of(two, {"app": "", "job": "nginx"}) == "nginx"
    assert service_of(two, {"service": "other"}) == "shop"
    assert service_of(source("grafana"), {}) == "host"


def test_the_alert_keeps_the_identity_its_sender_gave_it_and_gets_our_severity():
    labels = {"alertname": "A", "severity": "page"}
    event = raised(source("grafana"), labels, {}, NOW, identity=labels)
    assert (event.labels["severity"], event.identity) == ("critical", labels)
    assert (event.until, event.timeout) == (None, False)


def test_a_clock_that_is_ahead_counts_as_now():
    assert raised(source("grafana"), {"a": "b"}, {}, NOW, identity={}, at=NOW + MINUTE).at == NOW
    assert raised(source("grafana"), {"a": "b"}, {}, NOW, identity={}, at=NOW - MINUTE).at == NOW - MINUTE


def test_empty_labels_are_left_out_and_none_at_all_are_refused():
    assert labels_of({"a": "", "b": "c"}, "labels") == {"b": "c"}
    with pytest.raises(ValueError, match="labels needs at least one entry that is not empty"):
        labels_of({"a": ""}, "labels")


@pytest.mark.parametrize(("labels", "said"), [(None, "not null"), (["a"], "not a list"), ({"a": None}, "at least one")])
def test_what_is_no_set_of_labels_is_refused(labels, said):
    with pytest.raises(ValueError, match=said):
        labels_of(labels, "labels")


def test_annotations_are_cut_and_redacted():
    found = annotations_of({"a": "x" * 20_000, "b": "see https://bob:hunter2@host/", "c": "", "d": None, "e": 3, "": 1})
    assert len(found["a"]) == 20_000
    long = annotations_of({"a": "x" * 100_000})["a"]
    assert len(long) == 65_536
    assert long.endswith("…")
    assert "hunter2" not in found["b"]
    assert set(found) == {"a", "b", "e"}
    assert len(annotations_of({f"a{i}": "x" for i in range(10_000)})) == 256


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-01-01T00:00:00Z", NOW),
        ("2026-01-01T01:00:00.000000001+01:00", NOW),
        ("2026-01-01T00:00:00", NOW),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        (None, None),
        (1_767_225_600, NOW),
        ("1767225600", NOW),
        (1_767_225_600.5, NOW + 500_000),
        ("1767225600.25", NOW + 250_000),
        (1_767_225_600_000, NOW),
        (1_767_225_600_000_000, NOW),
        ("1767225600000000000", NOW),
    ],
)
def test_times_are_read_as_senders_write_them(text, at):
    assert instant(text) == at


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-13-01T00:00:00Z", 17, True, -1, 1e30, [], "99999-01-01", "x" * 10_000, "9" * 19]
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="time"):
        instant(text)
    assert when(text) is None
