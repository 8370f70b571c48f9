"""Uptime Kuma's push URL."""

import pytest
from source_samples import NOW, source

from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.intake.sources.kuma import parse, parse_push

pytestmark = pytest.mark.unit

SOURCE = source("kuma", {"severity": "warning"}, default_service="nas")


def test_down_raises_and_up_clears_the_same_alert():
    [down] = parse_push({"status": "down", "msg": "disk gone", "ping": "3.5"}, SOURCE, NOW).events
    [up] = parse_push({"status": "up", "msg": "OK", "ping": ""}, SOURCE, NOW).events
    assert isinstance(down, AlertRaised)
    assert isinstance(up, AlertCleared)
    assert down.identity == up.identity == {"source": "my-kuma"}
    assert down.labels == {"alertname": "PushDown", "push": "my-kuma", "severity": "warning"}
    assert down.annotations == {"summary": "my-kuma is down: disk gone"}
    assert (down.service, down.values, down.timeout) == ("nas", {"ping": 3.5}, False)


def test_no_status_is_up_and_any_other_is_down():
    assert isinstance(parse_push({}, SOURCE, NOW).events[0], AlertCleared)
    assert isinstance(parse_push({"status": "pending"}, SOURCE, NOW).events[0], AlertRaised)


@pytest.mark.parametrize("ping", ["x", "nan", "inf", "-1", "1e400", "9" * 400])
def test_a_ping_that_is_no_number_is_left_out(ping):
    assert parse_push({"status": "down", "ping": ping}, SOURCE, NOW).events[0].values == {}


def test_a_message_of_any_kind_can_be_stored():
    [event] = parse_push({"status": "down", "msg": "\udcff\x00" + "x" * 5000}, SOURCE, NOW).events
    event.annotations["summary"].encode()
    assert len(event.annotations["summary"]) < 1_100


def test_a_query_can_be_read_from_a_file():
    assert (
        parse(b"?status=down&msg=no+answer\n", {}, SOURCE, NOW).events[0].annotations["summary"].endswith("no answer")
    )
    with pytest.raises(ValueError, match="must be a query"):
        parse(b"\xff", {}, SOURCE, NOW)
