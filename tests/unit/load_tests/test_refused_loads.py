"""A slip of the keyboard is no attack: what cannot be meant is refused in one sentence."""

from __future__ import annotations

import math
import socket

import pytest

from forewatch.load_tests import load as loading
from forewatch.load_tests.load import Load, LoadRefused, check, check_owner

pytestmark = pytest.mark.unit

OWN = "http://127.0.0.1:8080/"


@pytest.mark.parametrize(
    ("load", "why"),
    [
        (Load(OWN, rate=0), "a rate of 0 requests a second is refused: say one above 0 and up to 10,000 (--rate)"),
        (Load(OWN, rate=math.inf), "a rate of inf requests a second is refused"),
        (Load(OWN, rate=math.nan), "a rate of nan requests a second is refused"),
        (Load(OWN, rate=1e6), "a rate of 1e+06 requests a second is refused"),
        (Load(OWN, duration=0.5), "it lasts from 1 s to an hour (--duration)"),
        (Load(OWN, duration=86_400), "it lasts from 1 s to an hour (--duration)"),
        (Load(OWN, timeout=0), "a time-out of 0 s is refused"),
        (Load(OWN, max_in_flight=0), "0 requests in flight are refused: say 1 to 10,000 (--max-in-flight)"),
        (Load("shop.example/x"), "shop.example/x is not a URL (try http://HOST[:PORT]/PATH)"),
        (Load("ftp://shop.example/x"), "is not a URL"),
        (Load("http://shop.example:99999/x"), "is not a URL"),
        (Load("http://shop.example/a b"), "is not a URL"),
        (Load(OWN, method="GE T"), "'GE T' is not a method of HTTP (try GET)"),
        (Load(OWN, headers={"X-A": "one\r\nX-B: two"}), "the header 'X-A' cannot be sent"),
        (Load(OWN, headers={"X-A": "é"}), "the header 'X-A' cannot be sent"),
        (Load(OWN, headers={"a b": "c"}), "the header 'a b' cannot be sent"),
    ],
)
def test_a_load_that_cannot_be_meant_is_refused(load, why):
    with pytest.raises(LoadRefused) as refused:
        check(load)
    assert why in str(refused.value)


def test_what_can_be_meant_is_not():
    check(Load(OWN))
    check(Load("https://shop.example:8443/a?b=c", rate=10_000, duration=3600))


@pytest.fixture
def addresses(monkeypatch):
    known = {"shop.internal": "10.1.2.3", "shop.example": "93.184.216.34", "both.example": "93.184.216.34"}

    def look_up(host, port, type):
        if host not in known and not host[0].isdigit():
            raise OSError("no such name")
        return [(2, type, 6, "", (known.get(host, host), 0))]

    monkeypatch.setattr(loading.socket, "getaddrinfo", look_up)


@pytest.mark.parametrize("url", [OWN, "http://10.0.0.7/", "http://shop.internal/"])
def test_a_high_rate_on_an_address_of_ones_own_needs_no_word(url, addresses):
    check_owner(Load(url, rate=5_000), mine=False)


@pytest.mark.parametrize(
    ("load", "what"),
    [
        (Load("https://shop.example/", rate=51), "51 requests a second"),
        (Load("https://shop.example/", rate=1, method="post"), "POST requests"),
        (Load("http://8.8.8.8/", rate=500), "500 requests a second"),
    ],
)
def test_on_a_public_address_somebody_must_say_it_is_theirs(load, what, addresses):
    with pytest.raises(LoadRefused, match=f"has a public address, and {what} .* add --mine if it is your own"):
        check_owner(load, mine=False)
    check_owner(load, mine=True)


def test_a_name_without_an_address_may_be_anybodys(monkeypatch):
    def look_up(host, *others, **named):
        raise socket.gaierror("Temporary failure in name resolution")

    monkeypatch.setattr(loading.socket, "getaddrinfo", look_up)
    load = Load("https://shop.example/", rate=51)
    with pytest.raises(LoadRefused, match="has no address now, so whose it is cannot be told"):
        check_owner(load, mine=False)
    check_owner(load, mine=True)


def test_a_few_reads_a_second_harm_nobody(addresses):
    check_owner(Load("https://shop.example/", rate=50), mine=False)
