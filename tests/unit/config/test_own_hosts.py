"""The names a server goes by, and `hosts` in the configuration."""

import pytest

from forewatch.config import open_sources
from forewatch.config.authority import Authority, authority, of_url, one_spelling
from forewatch.config.models import Config

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("forewatch", "forewatch", None),
        ("Watch.Example.:8080", "watch.example", 8080),
        ("127.0.0.1:4280", "127.0.0.1", 4280),
        ("[::1]:4280", "::1", 4280),
        ("[0:0:0:0:0:0:0:1]", "::1", None),
        ("[::ffff:10.0.0.5]:1", "10.0.0.5", 1),
    ],
)
def test_a_host_is_read_in_its_one_spelling(text, host, port):
    assert authority(text) == Authority(host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":80",
        "a:",
        "a:0",
        "a:65536",
        "a:1:2",
        "::1",
        "[::1",
        "[a]",
        "a b",
        "http://a",
        "a/b",
        "u@a",
        "é",
        "a\n",
        ".",
    ],
)
def test_what_is_no_host_is_told_so(text):
    with pytest.raises(ValueError, match="is no"):
        authority(text)


def test_a_host_is_written_as_it_stands_in_a_url():
    assert [str(authority(text)) for text in ("a:1", "[::1]:1", "[::1]")] == ["a:1", "[::1]:1", "[::1]"]


@pytest.mark.parametrize(
    ("url", "port"), [("https://a", 443), ("http://a/x", 80), ("http://a:8080", 8080), ("https://u:p@a/", 443)]
)
def test_a_url_has_the_port_of_its_scheme_unless_it_names_another(url, port):
    assert of_url(url) == Authority("a", port)


@pytest.mark.parametrize("origin", ["null", "", "chrome-extension://abc", "file://", "a"])
def test_an_origin_that_is_no_web_address_has_no_host(origin):
    with pytest.raises(ValueError, match="is no"):
        of_url(origin)


def test_the_scope_of_an_address_is_no_part_of_it():
    assert one_spelling("fe80::1%eth0") == "fe80::1"


def test_hosts_of_the_configuration_are_names_with_or_without_a_port():
    assert Config.model_validate({"hosts": ["forewatch", "watch.example:8080", "[fd00::5]:80"]}).hosts
    with pytest.raises(ValueError, match=r"https://watch\.example is no host \(try watch\.example"):
        Config.model_validate({"hosts": ["https://watch.example"]})


def config(**source):
    return Config.model_validate({"sources": [{"name": "s", **source}]})


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"grafana": {}}, "start no remedy"),
        ({"grafana": {}, "token": ""}, "start no remedy"),
        ({"kuma": {}, "remedies": "allowed"}, "start remedies"),
    ],
)
def test_a_source_without_a_token_is_warned_of(source, said):
    [(name, sentence)] = open_sources.warnings(config(**source))
    assert name == "s"
    assert sentence.startswith("has no token: ")
    assert said in sentence


@pytest.mark.parametrize(
    "source",
    [
        {"grafana": {}, "token": "t0ken"},
        {"bugsink": {"url": "http://bugs.example", "token": "t0ken"}},
        {"sentry": {"api": {"organization": "acme", "token": "t0ken"}}},
    ],
)
def test_a_source_that_proves_who_it_is_is_not_warned_of(source):
    assert open_sources.warnings(config(**source)) == []
