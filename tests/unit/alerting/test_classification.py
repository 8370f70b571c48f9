import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewatch.alerting.alert import Alert
from forewatch.alerting.classification import CLASSIFICATIONS, classify, labels_for_routing

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("alertname", "expected"),
    [
        ("CheckFailing", "availability"),
        ("InstanceDown", "availability"),
        ("LoadBalancerDown", "availability"),
        ("SomethingElse", "availability"),
        ("HighRequestLatency", "latency"),
        ("SlowQueries", "latency"),
        ("http_response_time_high", "latency"),
        ("HighErrorRate", "errors"),
        ("Http5xxRate", "errors"),
        ("UnhandledExceptions", "errors"),
        ("HostCpuBusy", "saturation"),
        ("HostMemoryLow", "saturation"),
        ("HostDiskFull", "saturation"),
        ("HostInodesLow", "saturation"),
        ("ConnectionPoolExhausted", "saturation"),
        ("queue_backlog", "saturation"),
        ("TLSCertificateExpiring", "security"),
        ("AuthFailures", "security"),
        ("BackupFailed", "data"),
        ("PostgresReplicationLag", "data"),
        ("HeartbeatMissed", "data"),
        ("DeploymentStuck", "deployment"),
        ("KubePodCrashLooping", "deployment"),
        ("pod_crash_loop", "deployment"),
    ],
)
def test_the_name_tells_what_kind_of_trouble_it_is(alertname, expected):
    assert classify({"alertname": alertname}, {}) == expected


def test_a_classification_label_wins_over_every_word():
    assert classify({"alertname": "DiskFull", "classification": "data"}, {}) == "data"


def test_a_classification_nobody_knows_is_not_believed():
    assert classify({"alertname": "DiskFull", "classification": "weather"}, {}) == "saturation"


def test_the_name_decides_before_the_metric_and_the_metric_before_the_summary():
    summary = {"summary": "The certificate of a.example expires"}
    assert classify({"alertname": "DiskFull"}, summary, "http.server.request.duration") == "saturation"
    assert classify({"alertname": "Bad"}, summary, "http.server.request.duration") == "latency"
    assert classify({"alertname": "Bad"}, summary) == "security"


def test_a_failing_check_is_about_availability_whatever_its_summary_says():
    assert classify({"alertname": "CheckFailing"}, {"summary": "slow: timeout after 5 s, disk full"}) == "availability"


def test_routes_see_what_an_alert_counts_as():
    alert = Alert(
        "AL-1", "f", {"alertname": "A", "severity": "page"}, {}, "web", "critical", "firing", 1, None, 1, None,
        classification="errors",
    )  # fmt: skip
    assert labels_for_routing(alert) == {
        "alertname": "A", "service": "web", "severity": "critical", "classification": "errors"
    }  # fmt: skip


@given(st.dictionaries(st.sampled_from(["alertname", "classification"]), st.text()), st.text(), st.text())
def test_any_alert_has_one_of_the_classifications(labels, metric, summary):
    assert classify(labels, {"summary": summary}, metric) in CLASSIFICATIONS
