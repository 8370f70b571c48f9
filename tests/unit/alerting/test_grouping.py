import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewatch.alerting.grouping import Notice, group_key, group_labels, next_flush, send_reason
from forewatch.alerting.routing import Route
from forewatch.clock import micros

pytestmark = pytest.mark.unit

NOW = micros(1_790_000_000)
REPEAT = 3600.0
LABELS = {"alertname": "DiskFull", "instance": "db1", "team": ""}


def route(*group_by, key="{}", **more):
    return Route("routes[0]", ("ops",), 0.0, group_by=group_by, key=key, **more)


def test_a_group_has_the_labels_it_is_grouped_by():
    assert group_labels(route("alertname", "cluster"), LABELS) == {"alertname": "DiskFull"}
    assert group_labels(route(), LABELS) == {}


def test_three_dots_are_every_label():
    assert group_labels(route("..."), LABELS) == {"alertname": "DiskFull", "instance": "db1"}


def test_an_empty_label_and_an_absent_one_are_the_same_group():
    assert group_key(route("team"), LABELS) == group_key(route("team"), {})


def test_the_key_is_written_as_alertmanager_does():
    found = group_key(route("instance", "alertname", key='{}/{severity="critical"}'), LABELS)
    assert found == '{}/{severity="critical"}:{alertname="DiskFull", instance="db1"}'
    assert group_key(route(), LABELS) == "{}:{}"


def test_a_value_cannot_pretend_to_be_another_label():
    by = route("...")
    assert group_key(by, {"a": '1", b="2'}) != group_key(by, {"a": "1", "b": "2"})


texts = st.dictionaries(st.sampled_from("abc"), st.text(max_size=4), max_size=3)


@given(texts, texts, st.lists(st.sampled_from(["a", "b", "c", "..."]), max_size=3))
def test_two_alerts_share_a_key_exactly_if_they_share_the_groups_labels(one, other, by):
    same = group_labels(route(*by), one) == group_labels(route(*by), other)
    assert (group_key(route(*by), one) == group_key(route(*by), other)) is same
    assert group_key(route(*by), group_labels(route(*by), one)) == group_key(route(*by), one)


def reason(firing, resolved, last=None, *, ago=0, **more):
    known = None if last is None else Notice(NOW - micros(ago), frozenset(last[0]), frozenset(last[1]))
    return send_reason(frozenset(firing), frozenset(resolved), known, REPEAT, NOW, **more)


@pytest.mark.parametrize(
    ("firing", "resolved", "last", "expected"),
    [
        ("a", "", None, "first notification"),
        ("", "a", None, None),
        ("", "", None, None),
        ("ab", "", ("a", ""), "new alerts added"),
        ("b", "a", ("a", ""), "new alerts added"),
        ("a", "", ("", "a"), "first notification"),
        ("a", "", ("a", ""), None),
        ("a", "", ("ab", ""), None),
        ("a", "b", ("ab", ""), "some alerts resolved"),
        ("a", "b", ("a", "b"), None),
        ("", "ab", ("ab", ""), "all alerts resolved"),
        ("", "", ("a", ""), "all alerts resolved"),
        ("", "ab", ("", "a"), None),
    ],
)
def test_a_notice_is_sent_for_exactly_one_reason_or_not_at_all(firing, resolved, last, expected):
    assert reason(firing, resolved, last) == expected


def test_it_is_repeated_when_more_than_the_interval_has_passed():
    assert reason("a", "", ("a", ""), ago=REPEAT) is None
    assert reason("a", "", ("a", ""), ago=REPEAT + 0.000001) == "repeat interval elapsed"
    assert reason("", "a", ("", "a"), ago=9 * REPEAT) is None


def test_who_does_not_want_to_hear_of_resolved_alerts_does_not():
    assert reason("a", "b", ("ab", ""), send_resolved=False) is None
    # It is recorded, or a later alert would not be told as the first.
    assert reason("", "ab", ("ab", ""), send_resolved=False) == "all alerts resolved"


WAITING = route(group_wait=30.0, group_interval=300.0)


def flush(created, has_flushed=False, starts=None, last=None, now=0):
    at = next_flush(
        NOW + micros(created),
        has_flushed,
        NOW + micros(created if starts is None else starts),
        None if last is None else NOW + micros(last),
        WAITING,
        NOW + micros(now),
    )
    return (at - NOW) / 1e6


def test_the_first_tick_comes_group_wait_after_the_first_alert():
    assert flush(created=0) == 30
    assert flush(created=0, now=10) == 30


def test_an_alert_that_began_longer_ago_than_group_wait_is_told_at_once():
    assert flush(created=0, starts=-31) == 0
    assert flush(created=0, starts=-30) == 30
    assert flush(created=0, starts=-25, now=10) == 10


def test_every_other_tick_comes_group_interval_after_the_one_before():
    assert flush(created=0, has_flushed=True, last=30, now=31) == 330
    assert flush(created=0, has_flushed=True, starts=-4000, last=30, now=31) == 330


def test_a_tick_that_was_missed_is_due_already():
    assert flush(created=0, has_flushed=True, last=30, now=5000) == 330
    assert flush(created=0, now=29) == 30


def test_a_clock_set_back_delays_a_tick_by_its_interval_at_most():
    assert flush(created=0, now=-86_400) == -86_400 + 30
    assert flush(created=0, has_flushed=True, last=30, now=-86_400) == -86_400 + 300
