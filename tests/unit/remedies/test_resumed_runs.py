"""What a resumed run does about each step it comes to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewatch.errors import RunbookError, SequenceChanged
from forewatch.remedy.replay import Call, Failed, Perform, Recorded, Unclear, as_json, input_hash, next_move
from forewatch.store.receipts import Receipt

pytestmark = pytest.mark.unit

CALL = Call(1, "stop", "act", "abc")
RECEIPT = Receipt("RUN-1", 1, "stop", "act", "abc", "done", intent_at=1, done_at=2, result={"took": "TERM"}, error=None)

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_a_step_without_a_receipt_is_taken():
    assert next_move({}, CALL) == Perform()


def test_a_step_with_a_receipt_is_not_taken_again():
    assert next_move({1: RECEIPT}, CALL) == Recorded({"took": "TERM"})


def test_a_failed_step_fails_again_in_the_same_words():
    assert next_move({1: replace(RECEIPT, state="failed", error="no such file")}, CALL) == Failed("no such file")


def test_an_intent_without_a_receipt_is_unclear_for_a_step_that_acts():
    assert next_move({1: replace(RECEIPT, state="intent")}, CALL) == Unclear()


def test_an_interrupted_observation_is_made_again():
    receipt = replace(RECEIPT, state="intent", kind="observe")
    assert next_move({1: receipt}, replace(CALL, kind="observe")) == Perform(intended=True)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (replace(CALL, name="start"), "is start where stop was taken before"),
        (replace(CALL, input_hash="xyz"), "is stop with other inputs"),
        (replace(CALL, kind="observe"), "is stop"),
    ],
)
def test_another_step_in_its_place_is_refused(call, says):
    with pytest.raises(SequenceChanged, match=says):
        next_move({1: RECEIPT}, call)


@given(st.dictionaries(st.text(), plain, max_size=4))
def test_the_hash_does_not_depend_on_the_order_of_keys(inputs):
    assert input_hash(inputs) == input_hash(dict(reversed(inputs.items())))


@given(plain)
def test_what_went_through_json_once_does_not_change_again(value):
    once = as_json(value, "it")
    assert as_json(once, "it") == once
    assert input_hash({"value": once}) == input_hash({"value": value})


def test_a_tuple_is_a_list_the_first_time_already():
    assert as_json((1, 2), "it") == [1, 2]


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), b"bytes"])
def test_what_is_not_json_is_refused_by_name(value):
    with pytest.raises(RunbookError, match="the result of stop is not plain JSON"):
        as_json(value, "the result of stop")
