"""What is monitored, under which labels, and what a new watch takes over."""

import pytest

from forewatch.checking.results import (
    CheckKey,
    CheckState,
    ProbeResult,
    check_labels,
    cleared,
    dropped,
    monitors,
    raised,
    take_over,
)
from forewatch.config.models import Config
from forewatch.incidents.events import from_json

pytestmark = pytest.mark.unit

SHOP = Config.model_validate(
    {
        "services": [
            {
                "name": "shop",
                "labels": {"team": "web", "service": "spoofed"},
                "instances": [
                    {"name": "a", "address": "10.0.0.1", "labels": {"zone": "eu"}},
                    {"name": "b", "address": "10.0.0.2"},
                ],
                "checks": [
                    {"http": "http://{address}/health", "severity": "warning"},
                    {"name": "db", "tcp": "db:5432"},
                ],
            }
        ]
    }
)


def test_a_check_runs_once_an_instance_only_where_it_mentions_the_address():
    assert [tuple(monitor.key) for monitor in monitors(SHOP)] == [
        ("shop", "http", "a"),
        ("shop", "http", "b"),
        ("shop", "db", "default"),
    ]


def test_labels_name_the_check_and_cannot_be_overwritten_by_the_services_own():
    shop = SHOP.services[0]
    assert check_labels(shop, shop.checks[0], shop.instances[0]) == {
        "alertname": "CheckFailing",
        "service": "shop",
        "check": "http",
        "instance": "a",
        "severity": "warning",
        "team": "web",
        "zone": "eu",
    }


def test_events_say_what_is_wrong_and_survive_storage():
    monitor = monitors(SHOP)[0]
    result = ProbeResult(False, 0.25, "refused by 10.0.0.1:80", {"addresses": ["10.0.0.1"]})
    event = raised(monitor, CheckState("down", failures=3), result, 5)
    assert event.annotations["summary"] == "shop is down on a: refused by 10.0.0.1:80"
    assert event.annotations["reason"] == "refused by 10.0.0.1:80"
    assert event.values["failures"] == 3
    assert from_json(event.as_json()) == event
    assert cleared(monitor, CheckState("up"), result, 6).labels == event.labels
    assert dropped(event.labels, 7).labels == event.labels


def test_only_a_time_out_says_whether_our_own_loop_was_late():
    monitor, state = monitors(SHOP)[0], CheckState("down", failures=3)
    refused = ProbeResult(False, 0.25, "refused by 10.0.0.1:80")
    assert "observer_late" not in raised(monitor, state, refused, 5, observer_late=True).values
    silent = ProbeResult(False, 5.0, "no answer within 5 s", timed_out=True)
    assert raised(monitor, state, silent, 5, observer_late=True).values["observer_late"] is True
    assert raised(monitor, state, silent, 5).values["observer_late"] is False


def test_a_new_watch_believes_the_alerts_about_what_is_down():
    watched = monitors(SHOP)
    a, b, db = (monitor.key for monitor in watched)
    rows = {a: CheckState("up", successes=4, at=9), b: CheckState("down", failures=7, at=9)}
    states, orphans, _ = take_over(watched, rows, [watched[0].labels])
    assert orphans == []
    assert (states[a].status, states[a].at) == ("down", 9)  # the crash came between the alert and its row
    assert (states[b].status, states[b].failures) == ("unknown", 7)  # no alert: raised again at the next failure
    assert states[db] == CheckState()


def test_alerts_of_checks_that_are_gone_are_orphans_and_relabelled_ones_fail_on():
    watched = monitors(SHOP)
    relabelled = {**watched[0].labels, "severity": "critical"}
    gone = {**watched[0].labels, "check": "old"}
    others = {"alertname": "DiskFilling", "service": "host"}
    states, orphans, moved = take_over(watched, {}, [relabelled, gone, others])
    assert orphans == [gone]
    assert moved == {CheckKey("shop", "http", "a"): relabelled}
    assert states[CheckKey("shop", "http", "a")].status == "down"


def test_the_owner_is_a_label_unless_one_is_written():
    owned = SHOP.services[0].model_copy(update={"owner": "web-team"})
    assert check_labels(owned, owned.checks[0], None)["owner"] == "web-team"
    written = owned.model_copy(update={"labels": {"owner": "shop-team"}})
    assert check_labels(written, written.checks[0], None)["owner"] == "shop-team"
    assert "owner" not in check_labels(SHOP.services[0], SHOP.services[0].checks[0], None)
