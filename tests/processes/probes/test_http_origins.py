"""Where a redirect leads: configured headers, user and body are secrets of the origin they are configured for."""

from contextlib import AsyncExitStack

import pytest
from servers import saying, serving

from forewatch.config.secrets import Secret

SECRETS = {"X-Api-Key": "s3cret", "Authorization": "Bearer t0ken", "Cookie": "id=s3cret"}


class Site:
    """Answers by path, and remembers what it was asked."""

    def __init__(self, **answers) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def __call__(self, head, writer) -> None:
        self.asked.append(head.decode())
        path = head.split()[1].decode().split("?")[0].strip("/") or "root"
        await self.answers.get(path, saying())(head, writer)


def to(where: str, status: str = "302 Found"):
    return saying(b"", status, f"Location: {where}\r\n")


@pytest.fixture
async def sites():
    """`await sites(**answers)` -> (site, its port)."""
    async with AsyncExitStack() as stack:

        async def started(**answers):
            site = Site(**answers)
            return site, await stack.enter_async_context(serving(site))

        yield started


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Again", "308 There"])
async def test_none_of_the_headers_and_no_body_goes_to_another_origin(ask, sites, status):
    other, elsewhere = await sites()
    first, port = await sites(root=to(f"http://127.0.0.1:{elsewhere}/in", status))
    result = await ask(
        http=f"http://user:passw0rd@127.0.0.1:{port}/", method="POST", body="b0dy", headers=SECRETS,
        follow_redirects=True,
    )  # fmt: skip
    assert result.ok
    assert "X-Api-Key: s3cret\r\n" in first.asked[0]
    (asked,) = other.asked
    for secret in ("s3cret", "t0ken", "b0dy", "X-Api-Key", "Authorization", "Cookie"):
        assert secret.lower() not in asked.lower()


async def test_a_secret_reference_stays_with_its_origin_too(ask, sites, monkeypatch):
    monkeypatch.setenv("PROBE_TOKEN", "s3cret")
    other, elsewhere = await sites()
    _, port = await sites(root=to(f"http://localhost:{elsewhere}/"))
    await ask(http=f"http://127.0.0.1:{port}/", headers={"X-Token": Secret("env:PROBE_TOKEN")}, follow_redirects=True)
    assert "s3cret" not in other.asked[0]


async def test_another_host_is_another_origin_on_the_same_port_too(ask, sites):
    site, port = await sites(root=lambda head, writer: to(f"http://localhost:{port}/in")(head, writer))
    await ask(http=f"http://127.0.0.1:{port}/", headers=SECRETS, follow_redirects=True)
    assert ["s3cret" in asked for asked in site.asked] == [True, False]


@pytest.mark.parametrize("where", ["/in", "in?x=1", "?y", "http://127.0.0.1:{port}/in"])
async def test_all_headers_and_the_user_go_along_within_the_same_origin(ask, sites, where):
    site, port = await sites(root=lambda head, writer: answer(head, writer))

    async def answer(head, writer):
        await (saying() if len(site.asked) > 1 else to(where.format(port=port)))(head, writer)

    result = await ask(
        http=f"http://user:passw0rd@127.0.0.1:{port}/", headers={"X-Api-Key": "s3cret"}, follow_redirects=True
    )
    assert result.ok
    first, second = site.asked
    assert "X-Api-Key: s3cret\r\n" in second
    assert (
        second.split("\r\nAuthorization: ")[1].split("\r\n")[0]
        == first.split("\r\nAuthorization: ")[1].split("\r\n")[0]
    )


async def test_the_body_goes_along_with_a_redirect_that_repeats_the_request(ask, sites):
    repeated, port = await sites(root=to("/in", "307 Again"))
    asked_for, other_port = await sites(root=to("/in", "302 Found"))
    for there in (port, other_port):
        await ask(http=f"http://127.0.0.1:{there}/", method="POST", body="b0dy", follow_redirects=True)
    assert repeated.asked[1].startswith("POST /in ")
    assert "Content-Length: 4\r\n" in repeated.asked[1]
    assert asked_for.asked[1].startswith("GET /in ")
    assert "Content-Length" not in asked_for.asked[1]


async def test_a_redirect_away_and_back_finds_the_headers_again(ask, sites):
    first, port = await sites(root=lambda head, writer: to(f"http://127.0.0.1:{elsewhere}/")(head, writer))
    other, elsewhere = await sites(root=to(f"http://127.0.0.1:{port}/in"))
    assert (await ask(http=f"http://127.0.0.1:{port}/", headers=SECRETS, follow_redirects=True)).ok
    assert ["s3cret" in asked for asked in first.asked] == [True, True]
    assert "s3cret" not in other.asked[0]


async def test_a_redirect_to_another_scheme_is_not_followed(ask, sites):
    for where in ("ftp://127.0.0.1/x", "file:///etc/passwd", "gopher://127.0.0.1:1/"):
        _, port = await sites(root=to(where))
        result = await ask(http=f"http://127.0.0.1:{port}/", follow_redirects=True)
        assert result.reason == f"redirected to {where}, which is not a URL"


async def test_a_header_cannot_smuggle_in_another_one(ask, sites):
    site, port = await sites()
    result = await ask(http=f"http://127.0.0.1:{port}/", headers={"X-A": "a\r\nX-B: b"})
    assert result.reason == "could not be checked: the header X-A holds a line break"
    assert not site.asked
