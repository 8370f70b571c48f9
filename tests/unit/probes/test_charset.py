import pytest

from tasks.probes.charset import text_of

pytestmark = pytest.mark.unit

HTML, JSON = "text/html", "application/json"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("grüße".encode(), None),
        ("grüße".encode(), JSON),
        ("grüße".encode("utf-8-sig"), JSON),
        ("grüße".encode("utf-16"), HTML),
        (b"\xfe\xff" + "grüße".encode("utf-16-be"), "text/html; charset=utf-8"),
        ("grüße".encode("utf-8-sig"), "text/html; charset=iso-8859-1"),
        ("grüße".encode("latin-1"), "text/html; charset=ISO-8859-1"),
        ("grüße".encode("latin-1"), "text/html; charset='iso-8859-1'"),
        ("grüße".encode("latin-1"), 'text/plain; format=flowed; Charset="latin1"'),
        ("grüße".encode("cp1252"), "text/html;charset=us-ascii"),
    ],
)
def test_a_mark_says_the_encoding_and_then_the_content_type(body, content_type):
    assert text_of(body, content_type) == "grüße"


@pytest.mark.parametrize(
    "head",
    [
        '<meta charset="windows-1251">',
        "<META charset=windows-1251 />",
        '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">',
        '<!-- <meta charset="utf-8"> --><meta charset="windows-1251">',
        '<?xml version="1.0" encoding="windows-1251"?>',
    ],
)
def test_a_document_says_its_encoding_where_the_answer_does_not(head):
    body = (head + "привет").encode("windows-1251")
    assert text_of(body, HTML).endswith("привет")
    assert text_of(body, "text/html; charset=made-up").endswith("привет")
    assert text_of(body, None).endswith("привет")
    # What the answer says counts more.
    assert not text_of(body, "text/html; charset=utf-8").endswith("привет")


def test_only_the_first_1024_bytes_of_a_document_are_looked_at():
    body = b"<html>" + b" " * 1024 + b"<meta charset=windows-1251>" + "привет".encode("windows-1251")
    assert not text_of(body, HTML).endswith("привет")


def test_json_is_utf_8_whatever_a_tag_in_it_says():
    body = '{"page": "<meta charset=windows-1251>", "greeting": "grüße"}'.encode()
    assert "grüße" in text_of(body, JSON)


def test_a_tag_cannot_say_utf_16():
    assert "grüße" in text_of("<meta charset=utf-16>grüße".encode(), HTML)


@pytest.mark.parametrize("charset", ["", "made-up", "hex", "rot13", "zlib", "\x00", "undefined", "idna"])
def test_a_charset_that_is_none_is_passed_over(charset):
    assert text_of(b"ok \xff", f"text/plain; charset={charset}").startswith("ok")
