"""Whatever a body is, it is JSON that can be stored, or one sentence says why not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewatch.intake.sources.body import DEEPEST, read_json, read_object

pytestmark = pytest.mark.unit


def test_plain_json_is_read_with_and_without_a_byte_order_mark():
    assert read_json(b'{"a": [1, 2.5, null, true, "\\u00e4"]}') == {"a": [1, 2.5, None, True, "ä"]}
    assert read_json(b"\xef\xbb\xbf[]") == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b'{"a": 1', "line 1, column"),
        (b"\xff\xfe{}", "not UTF-8 text: byte 0"),
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b'{"a": -Infinity}', "-Infinity is no JSON number"),
        (b'{"a": 1e999}', "1e999 is beyond every number"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"[" * 100_000, "nested more than 50 levels"),
        (b"[" * 60 + b"]" * 60, "nested more than 50 levels"),
        (b'{"a":' * 51 + b"1" + b"}" * 51, "nested more than 50 levels"),
        (b'"\\ud800"', "half a character"),
        (b'{"\\udfff": 1}', "half a character"),
    ],
)
def test_what_is_no_json_is_refused_with_the_reason(body, said):
    with pytest.raises(ValueError, match=said):
        read_json(body)


def test_many_lists_beside_each_other_are_not_deep():
    assert len(read_json(b"[" + b"[1]," * 1000 + b"[]]")) == 1001
    assert read_json(b"[" * DEEPEST + b"]" * DEEPEST)


def test_whole_characters_outside_the_first_plane_are_read():
    assert read_json(b'"\\ud83d\\ude00"') == "\U0001f600"


@pytest.mark.parametrize(("body", "kind"), [(b"[]", "a list"), (b"null", "null"), (b"3", "a number"), (b'"x"', "text")])
def test_where_an_object_is_wanted_the_sentence_says_what_came(body, kind):
    with pytest.raises(ValueError, match=f"must be a JSON object, not {kind}"):
        read_object(body)


@given(st.binary())
def test_any_bytes_are_read_and_can_be_written_or_are_refused(body):
    try:
        data = read_json(body)
    except ValueError:
        return
    json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
