"""How a rule's trouble reads."""

import pytest

from forewatch.config.known_metrics import METRICS
from forewatch.config.models import Rule
from forewatch.detection.rules import RuleState, evaluate, rule_alert
from forewatch.detection.sentences import READINGS, Watched
from forewatch.detection.starter import HOST_RULES, OWN_RULES

pytestmark = pytest.mark.unit

HOME = {"service": "app", "check": "home", "instance": "default"}
SUBVOLUMES = {"device": "/dev/sda2", "mountpoint": "/", "mounts": "/, /home, /var/log"}
UPLOADS = {"device": "tmpfs", "mountpoint": "/srv/uploads"}


def watched(metric, statistic="mean", labels=None, service="app", per=None):
    return Watched(metric, per, statistic, 300.0, labels or {}, service)


@pytest.mark.parametrize(
    ("series", "value", "side", "bound", "said"),
    [
        (
            watched("system.filesystem.utilization", "last", UPLOADS),
            *(0.954, "above", 0.9, "/srv/uploads is 95.4% full (above 90%)"),
        ),
        (
            watched("system.filesystem.inodes.utilization", "min", UPLOADS),
            *(0.92, "above", 0.9, "/srv/uploads has used 92% of its inodes (above 90%)"),
        ),
        (
            watched("system.filesystem.readonly", "last", UPLOADS),
            *(1.0, "above", 0.5, "/srv/uploads has turned read-only"),
        ),
        (
            watched("system.filesystem.utilization", "last", SUBVOLUMES),
            *(0.954, "above", 0.9, "/ (with /home, /var/log) is 95.4% full (above 90%)"),
        ),
        (watched("system.memory.utilization"), 0.95, "above", 0.92, "memory is 95% used (above 92%)"),
        (watched("system.paging.utilization"), 0.85, "above", 0.8, "swap is 85% used (above 80%)"),
        (watched("system.cpu.utilization"), 0.97, "above", 0.95, "CPU is 97% busy (above 95%)"),
        (
            watched("system.cpu.load_average.1m", "ratio", per="system.cpu.logical.count"),
            *(4.5, "above", 4.0, "load per CPU core is 4.5 (above 4)"),
        ),
        (
            watched("process.memory.usage", labels={"process": "app"}),
            *(3.2e9, "above", 2e9, "app uses 3.2GB of memory (above 2.0GB)"),
        ),
        (
            watched("process.memory.usage", labels={"process": "worker"}),
            *(3.2e9, "above", 2e9, "app uses 3.2GB of memory (above 2.0GB, process worker)"),
        ),
        (watched("process.cpu.utilization"), 0.9, "above", 0.8, "app uses 90% of a CPU core (above 80%)"),
        (
            watched("process.open_file_descriptor.utilization"),
            *(0.9, "above", 0.8, "app has used 90% of its file descriptors (above 80%)"),
        ),
        (watched("process.count"), 0, "below", 1, "app has 0 processes (below 1)"),
        (
            watched("check.up", labels={**HOME, "check": "http"}),
            *(0.59, "below", 0.99, "41% of app's checks failed in 5m"),
        ),
        (
            watched("check.up", labels={**HOME, "instance": "web-2"}),
            *(0.59, "below", 0.99, "41% of app's checks failed in 5m (check home, instance web-2)"),
        ),
        (
            watched("check.duration", "p95", {**HOME, "check": "http"}),
            *(1.2, "above", 0.5, "app is slow: its checks take 1.2s (above 500ms)"),
        ),
        (watched("check.in_time.ratio"), 0.9, "below", 0.95, "10% of app's checks were too slow (below 95%)"),
        (
            watched("check.certificate.left", "last"),
            *(86_400.0, "below", 172_800.0, "app's certificate expires in 1d (below 2d)"),
        ),
        (
            watched("http.server.request.duration", "p95"),
            *(0.731, "above", 0.5, "app is slow: its response time is 731ms (above 500ms)"),
        ),
        (
            watched("http.server.request.failed", "ratio", per="http.server.request.count"),
            *(0.03, "above", 0.01, "3% of app's requests failed (above 1%)"),
        ),
        (
            watched("benchmark.errors.ratio", "last"),
            *(0.03, "above", 0.01, "3% of app's benchmark requests failed (above 1%)"),
        ),
        (watched("forewatch.cpu.utilization"), 0.6, "above", 0.5, "Forewatch uses 60% of a CPU core (above 50%)"),
        (watched("forewatch.memory.usage"), 1.6e9, "above", 1.5e9, "Forewatch uses 1.6GB of memory (above 1.5GB)"),
        (
            watched("forewatch.tick.lag", "p95", {"shift": "check-health"}),
            *(1.2, "above", 1.0, "check-health is running 1.2s late (above 1s)"),
        ),
        (
            watched("forewatch.outbox.oldest.age", "last"),
            *(72.0, "above", 60.0, "a notification has been waiting 1m 12s to be sent (above 1m)"),
        ),
        (
            watched("forewatch.inbox.oldest.age", "last"),
            *(72.0, "above", 60.0, "an incoming event has been waiting 1m 12s to be processed (above 1m)"),
        ),
        (
            watched("forewatch.runs.oldest.age", "last"),
            *(45.0, "above", 30.0, "a runbook run has been waiting 45s to start (above 30s)"),
        ),
        (
            watched("forewatch.collector.up", "max", {"collector": "smart"}),
            *(0.0, "below", 1.0, "Forewatch's smart collector has failed for 5m"),
        ),
    ],
)
def test_a_metric_people_know_has_a_sentence_of_its_own(series, value, side, bound, said):
    assert series.beyond(value, side, bound) == said


@pytest.mark.parametrize(
    ("statistic", "side", "said"),
    [
        ("mean", "above", "queue.depth was 120 on average over 5m, above 100"),
        ("last", "above", "queue.depth is 120, above 100"),
        ("min", "above", "queue.depth was at least 120 for 5m, above 100"),
        ("max", "above", "queue.depth reached 120 within 5m, above 100"),
        ("min", "below", "queue.depth fell to 120 within 5m, below 100"),
        ("max", "below", "queue.depth was at most 120 for 5m, below 100"),
        ("p95", "above", "queue.depth had a p95 of 120 over 5m, above 100"),
        ("rate", "above", "queue.depth was 120/s over 5m, above 100/s"),
        ("count", "above", "queue.depth had 120 values in 5m, above 100"),
    ],
)
def test_any_other_metric_is_told_by_its_name_and_statistic(statistic, side, said):
    assert watched("queue.depth", statistic).beyond(120, side, 100) == said


def test_the_labels_of_a_metric_nobody_knows_tell_its_series_apart():
    assert watched("queue.depth", labels={"service": "app", "queue": "mail"}).beyond(120, "above", 100) == (
        "queue.depth (queue mail) was 120 on average over 5m, above 100"
    )


def test_a_sentence_is_said_only_where_it_is_true():
    assert watched("check.duration").beyond(0.001, "below", 0.01) == (
        "app's check duration was 1ms on average over 5m, below 10ms"
    )
    assert watched("system.memory.utilization", "count").beyond(3, "below", 5) == (
        "memory usage had 3 values in 5m, below 5"
    )


def test_a_series_without_the_label_a_sentence_needs_is_told_plainly():
    assert watched("system.filesystem.utilization", "last").beyond(0.95, "above", 0.9) == (
        "system.filesystem.utilization is 95%, above 90%"
    )


def test_numbers_have_digits_enough_to_differ():
    said = watched("system.filesystem.utilization", "last", UPLOADS).beyond(0.900004, "above", 0.9)
    assert said == "/srv/uploads is 90.0004% full (above 90%)"


def test_what_is_over_what_is_forecast_and_what_lacks_data_is_told_of_what_is_measured():
    disk = watched("system.filesystem.utilization", "last", UPLOADS)
    assert disk.back(0.4) == "usage of /srv/uploads is back at 40%"
    assert disk.did("reaches 100% in 3h") == "usage of /srv/uploads reaches 100% in 3h"
    assert disk.did("has no data") == "usage of /srv/uploads has no data"
    assert watched("check.duration", labels=HOME).usual_again(0.12) == (
        "app's check duration (check home) is as usual again: 120ms"
    )


def test_a_forecast_is_told_as_the_bound():
    depth = watched("queue.depth")
    assert depth.beyond(20, "above", 15, of_forecast=True) == (
        "queue.depth was 20 on average over 5m, above its forecast of at most 15"
    )
    assert watched("system.memory.utilization").beyond(0.1, "below", 0.2, of_forecast=True) == (
        "memory is 10% used (below its forecast of at least 20%)"
    )
    assert depth.against_band(7, 10, 20) == "queue.depth was 7 on average over 5m, outside its forecast of 10 to 20"
    assert depth.against_band(12, 10, 20) == "queue.depth was 12 on average over 5m, within its forecast of 10 to 20"


def test_every_rule_that_comes_with_forewatch_has_a_sentence():
    for rule in (*HOST_RULES, *OWN_RULES):
        assert (f"{rule.metric} / {rule.per}" if rule.per else rule.metric) in READINGS


def test_every_metric_with_a_sentence_exists():
    known = {*METRICS, "http.server.request.duration", "http.server.request.failed", "http.server.request.count"}
    assert {part for name in READINGS for part in name.split(" / ")} <= known


def test_a_rules_own_summary_wins():
    one = Rule.model_validate(
        {"alert": "DiskFull", "metric": "system.filesystem.utilization", "above": "90%", "statistic": "last"}
        | {"annotations": {"summary": "no room for uploads"}}
    )
    judged = evaluate(one, [(10**15, 0.95)], (), None, RuleState(), 10**15)
    assert rule_alert(one, UPLOADS, "host", 0.95, judged.evidence)[1]["summary"] == "no room for uploads"
