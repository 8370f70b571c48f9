import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewatch.guard import redact as module
from forewatch.guard.redact import MASK, MOST, is_sensitive, redact, redact_data, remember

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch):
    monkeypatch.setattr(module, "_remembered", {})
    monkeypatch.setattr(module, "_longest_first", ())


# Joined at run time, so that no scanner of this repository takes them for leaked keys.
JWT = ".".join(("eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxMjM0NTY3ODkwIn0", "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"))
GITHUB = "ghp_" + "a1B2" * 9
SLACK = "-".join(("xoxb", "123456789012", "1234567890123", "AbCdEfGhIjKlMnOpQrStUvWx"))
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
PAGERDUTY = "R0" + "2ABCDEFGHIJ" * 2 + "12345678"
CARD = "4111 1111 1111 1111"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://bob:hunter2@db:5432/shop", "postgres://***@db:5432/shop"),
        ("https://abcdef0123@errors.example/1", "https://***@errors.example/1"),
        ("amqp://u:p@ss@host/", "amqp://***@host/"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("sent 'Bearer aBc123456' to x", "sent 'Bearer ***' to x"),
        ("proxy says Basic dXNlcjpwYXNz", "proxy says Basic ***"),
        ("Cookie: sid=1; theme=dark\nHost: a", "Cookie: ***\nHost: a"),
        ("password=hunter2 user=bob", "password=*** user=bob"),
        ("password = 'hun ter2', user", "password = '***', user"),
        ('{"db_password": "a\\"b", "user": "bob"}', '{"db_password": "***", "user": "bob"}'),
        ('"{\\"api_key\\": \\"abc\\", \\"n\\": 1}"', '"{\\"api_key\\": \\"***\\", \\"n\\": 1}"'),
        ("HOOK_SECRET=abc,def", "HOOK_SECRET=***"),
        ("aws_secret_access_key: wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key: ***"),
        ("/hook?token=abc&x=1", "/hook?token=***&x=1"),
        ("deploy --password hunter2 --force", "deploy --password *** --force"),
        ("['--token', 'abc', '-v']", "['--token', '***', '-v']"),
        ("[(b'x-api-key', b'abc')]", "[(b'x-api-key', b'***')]"),
        ("secrets={'a': 'b'} then", "secrets=***"),
        (f"got {JWT} from", "got *** from"),
        (f"clone {GITHUB}", "clone ***"),
        (f"slack {SLACK}!", "slack ***!"),
        ("https://hooks.slack.com/services/T0/B0/abcdef", "https://hooks.slack.com/***"),
        (f"id {AWS}.", "id ***."),
        (f"pagerduty {PAGERDUTY}", "pagerduty ***"),
        (f"card {CARD}, thanks", "card ***, thanks"),
        ("card 5555-5555-5555-4444", "card ***"),
        (f"key:\n{KEY}\nend", "key:\n***\nend"),
        (KEY[:50], "***"),
    ],
)
def test_a_secret_is_masked_and_the_rest_stays(text, expected):
    assert redact(text) == expected
    assert redact(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-03T09:04:05.678Z INFO sent NT-42 to ops-hook in 120 ms",
        "at 1767225600000000, took 0.4111111111111111 s",
        "card 4111 1111 1111 1112 fails the checksum",
        "flow run 0192f3a4-8f8e-7c3e-b9a0-1f2e3d4c5b6a",
        "basic authentication failed; the bearer credentials are wrong",
        "secret env:HOOK_SECRET: the environment variable HOOK_SECRET is not set",
        "secret file:keys/hook_token: cannot read keys/hook_token: No such file or directory",
        "http://127.0.0.1:4280/incidents/INC-1",
        "the token expired",
    ],
)
def test_ordinary_text_is_left_alone(text):
    assert redact(text) == text


def test_a_remembered_value_is_masked_however_it_is_spelled():
    remember('pa"ss word/é')
    assert redact('a pa"ss word/é b') == "a *** b"
    assert redact("x?q=pa%22ss%20word%2F%C3%A9") == "x?q=***"
    assert redact('{"a": "pa\\"ss word/\\u00e9"}') == '{"a": "***"}'
    assert "cGEic3Mgd29yZC/DqQ" not in redact("YQ cGEic3Mgd29yZC/DqQ==")


def test_values_too_short_to_be_told_from_words_are_not_remembered():
    remember("abc")
    assert redact("abc") == "abc"


def test_the_memory_is_bounded_and_forgets_the_oldest():
    for number in range(MOST + 10):
        remember(f"value{number:06}")
    assert len(module._remembered) <= MOST
    assert redact(f"value{MOST + 9:06}") == MASK
    assert redact("value000000") == "value000000"


def test_data_is_masked_whole_under_a_sensitive_key_and_by_value_elsewhere():
    remember("tops3cret")
    data = {
        "headers": {"Authorization": ["Bearer x"], "Accept": "json"},
        "password": 12345,
        "token": None,
        "values": [1, 2.5, True, None, "a tops3cret b", ("x", b"password=abc")],
        "card": 4111111111111111,
        "tops3cret": 1,
    }
    assert redact_data(data) == {
        "headers": {"Authorization": MASK, "Accept": "json"},
        "password": MASK,
        "token": None,
        "values": [1, 2.5, True, None, "a *** b", ["x", "password=***"]],
        "card": MASK,
        "***": 1,
    }


def test_data_that_holds_itself_or_cannot_be_shown_does_not_raise():
    class Hostile:
        def __str__(self):
            raise RuntimeError("no")

    loop = []
    loop.append(loop)
    assert redact_data({"loop": loop, "thing": Hostile()}) == {
        "loop": [MASK],
        "thing": "<Hostile that cannot be shown: RuntimeError>",
    }


def test_names_of_fields_that_hold_secrets_are_known():
    assert all(map(is_sensitive, ["password", "DB_PASSWD", "x-api-key", "accessToken", "Set-Cookie", "SENTRY_DSN"]))
    assert not any(map(is_sensitive, ["key", "service", "monkey", "sessions", "author"]))


fragments = st.sampled_from(
    [
        "password",
        "=",
        ": ",
        '"',
        "'",
        "\\",
        "token",
        "Bearer ",
        "://",
        "@",
        "--",
        "{",
        ",",
        " ",
        "\n",
        "4111",
        "***",
        "eyJ",
    ]
)
texts = st.one_of(st.text(max_size=200), st.lists(st.one_of(fragments, st.text(max_size=6)), max_size=25).map("".join))


@given(texts)
def test_a_second_pass_changes_nothing(text):
    once = redact(text)
    assert redact(once) == once


@given(st.lists(st.text(min_size=4, max_size=20), min_size=1, max_size=4), st.lists(texts, max_size=4))
def test_a_remembered_value_never_survives(values, around):
    for value in values:
        remember(value)
    text = values[0].join(around) + "".join(values)
    redacted = redact(text)
    assert not any(value in redacted for value in values)


@settings(max_examples=50)
@given(st.recursive(st.one_of(st.none(), st.integers(), st.floats(), st.binary(), texts), lambda inner: st.one_of(
    st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.text(max_size=9), st.integers()), inner, max_size=3)
), max_leaves=12))  # fmt: skip
def test_any_data_is_redacted_without_raising(data):
    redact_data(data)


@pytest.mark.parametrize(
    "piece",
    [
        "eyJ-",
        "password",
        "--token ",
        "4 ",
        "://@",
        'secret="\\',
        "xoxb-a-",
        "-----BEGIN PRIVATE KEY-----",
        "env:token: ",
    ],
)
def test_hostile_text_costs_no_more_than_linear_time(piece):
    def cost(size):
        text = piece * (size // len(piece))
        start = time.process_time()
        redact(text)
        return time.process_time() - start

    small = min(cost(40_000) for _ in range(3))
    # Quadratic work would cost 64 times as much.
    assert cost(320_000) < max(small, 0.002) * 30
