"""What an alert may carry: no alert is lost over one field, and none becomes another one by a cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewatch.alerting.fingerprint import fingerprint
from forewatch.intake.limits import (
    LONGEST_ALL,
    LONGEST_NAME,
    LONGEST_VALUE,
    MOST_LABELS,
    REST,
    annotations_within,
    cut,
    labels_within,
)

pytestmark = pytest.mark.unit


def test_labels_that_are_good_stay_as_they_are():
    labels = {"alertname": "A", "größe": "12", "path": "x" * 2_100}
    assert labels_within(labels) == labels
    assert labels_within({"a": "x" * LONGEST_VALUE}) == {"a": "x" * LONGEST_VALUE}


def test_null_and_empty_labels_and_those_without_a_name_are_left_out():
    assert labels_within({"a": None, "b": "", "": "c", "d": "e"}) == {"d": "e"}


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (1.5, "1.5"), (True, "true"), ([1, "a"], '[1, "a"]'), ({"b": 1, "a": 2}, '{"a": 2, "b": 1}')],
)
def test_what_is_no_text_is_written_as_one(value, text):
    assert labels_within({"a": value}) == {"a": text}


def test_a_long_value_is_cut_and_still_another_alerts_value():
    one, other = (labels_within({"a": "x" * 70_000 + end}) for end in "12")
    assert len(one["a"]) == len(other["a"]) == LONGEST_VALUE
    assert one["a"].startswith("x" * 65_000)
    assert fingerprint(one) != fingerprint(other)
    assert one == labels_within({"a": "x" * 70_000 + "1"})


def test_a_long_name_is_cut_the_same_way():
    found = labels_within({"n" * 2_000 + "1": "a", "n" * 2_000 + "2": "b"})
    assert sorted(found.values()) == ["a", "b"]
    assert {len(name) for name in found} == {LONGEST_NAME}


def test_of_too_many_labels_those_that_tell_most_are_kept_and_a_hash_of_the_rest():
    many = {f"l{number:05}": "x" for number in range(10_000)} | {"severity": "page", "alertname": "A"}
    one = labels_within(many)
    assert len(one) == MOST_LABELS
    assert (one["alertname"], one["severity"]) == ("A", "page")
    other = labels_within(many | {"l09999": "y"})
    assert {name for name in one if one[name] != other[name]} == {REST}
    assert labels_within(dict(reversed(many.items()))) == one


def test_all_labels_together_are_bounded():
    one = labels_within({f"l{number}": "x" * 60_000 + str(number) for number in range(200)})
    assert sum(map(len, one.values())) <= LONGEST_ALL
    assert len(set(one.values())) == 200


def test_a_nul_is_replaced():
    assert labels_within({"a\x00b": "c\x00d"}) == {"a\N{REPLACEMENT CHARACTER}b": "c\N{REPLACEMENT CHARACTER}d"}
    assert annotations_within({"a": "c\x00d"}) == {"a": "c\N{REPLACEMENT CHARACTER}d"}


@pytest.mark.parametrize("given", [None, [], "x", 3])
def test_what_is_no_set_of_annotations_is_none(given):
    assert annotations_within(given) == {}


def test_annotations_together_are_bounded():
    found = annotations_within({f"a{number}": "x" * 60_000 for number in range(100)})
    assert sum(map(len, found.values())) <= LONGEST_ALL


@given(st.text(), st.text(), st.integers(40, 100))
def test_texts_that_differ_differ_when_cut(one, other, longest):
    assert (cut(one, longest) == cut(other, longest)) is (one == other)
    assert len(cut(one, longest)) <= longest
