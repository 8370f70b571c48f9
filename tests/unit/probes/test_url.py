import pytest

from tasks.probes.url import parse, redirected

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "text",
    [
        "http://shop.example:80/a%2Fb?next=%2Fhome%3Fx&sig=a%2Bb%2F%3D",
        "http://shop.example:80/a/../b//c/./d;v=1",
        "http://shop.example:80/%7euser/%C3%BC/%c3%bc",
        "http://shop.example:80/?q='\"<>{}|^`[]$,+*",
        "http://shop.example:80/?",
        "https://u%40x:p%3Aw@shop.example:8443/?a=b%20c+d",
        "http://[::1]:8080/x?y",
        "http://[fe80::1%25eth0]:80/",
    ],
)
def test_a_url_is_sent_as_it_is_written(text):
    assert parse(text).written() == text


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("http://shop.example", "http://shop.example:80/"),
        ("HTTPS://Shop.Example/", "https://shop.example:443/"),
        ("http://shop.example?x=1", "http://shop.example:80/?x=1"),
        ("http://shop.example/a#top", "http://shop.example:80/a"),
        ("http://shop.example/a b?c d", "http://shop.example:80/a%20b?c%20d"),
        ("http://shop.example/grüße?ä=ö", "http://shop.example:80/gr%C3%BC%C3%9Fe?%C3%A4=%C3%B6"),
        ("http://bücher.example/", "http://xn--bcher-kva.example:80/"),
        ("http://shop.example./", "http://shop.example.:80/"),
        (" http://shop.example/ ", "http://shop.example:80/"),
    ],
)
def test_only_what_cannot_be_sent_is_encoded(text, sent):
    assert parse(text).written() == sent


@pytest.mark.parametrize(
    "text", ["shop.example/", "ftp://shop.example/", "http://", "http://x:99999/", "http://x:0/", "http://a/b\r\nc",
             "http://[::1/", "http:///path"]
)  # fmt: skip
def test_what_is_no_url_is_none(text):
    with pytest.raises(ValueError):
        parse(text)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://a.example/x", "http://A.example:80/y", True),
        ("http://a.example/", "http://a.example./", True),
        ("http://u:p@a.example/", "http://a.example/", True),
        ("http://a.example/", "https://a.example/", False),
        ("http://a.example/", "http://a.example:81/", False),
        ("http://a.example/", "http://b.a.example/", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(one, other, same):
    assert (parse(one).origin == parse(other).origin) is same


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("/a%2Fb", "https://u:p@shop.example:443/a%2Fb"),
        ("c?d=%2F", "https://u:p@shop.example:443/x/c?d=%2F"),
        ("?d", "https://u:p@shop.example:443/x/y?d"),
        ("../c", "https://u:p@shop.example:443/c"),
        ("//other.example/", "https://other.example:443/"),
        ("https://shop.example/z", "https://u:p@shop.example:443/z"),
        ("https://v:q@shop.example/z", "https://v:q@shop.example:443/z"),
        ("https://other.example/z", "https://other.example:443/z"),
        ("http://shop.example/z", "http://shop.example:80/z"),
        (" /a b ", "https://u:p@shop.example:443/a%20b"),
    ],
)
def test_a_redirect_takes_user_and_password_along_within_the_origin_alone(location, leads_to):
    assert redirected(parse("https://u:p@shop.example/x/y"), location).written() == leads_to
