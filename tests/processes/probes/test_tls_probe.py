import asyncio
import re

import pytest
from authority import Authority
from servers import serving


async def nothing(_, writer):
    await asyncio.sleep(60)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def target(authority, port, name="shop.example", **more):
    return {"address": f"127.0.0.1:{port}", "server_name": name, "ca": authority.file.name, **more}


async def test_a_server_in_order_passes_and_says_how_long_still(ask, authority):
    async with serving(nothing, tls=authority.server("shop.example", "127.0.0.1", days=20.5), listens=False) as port:
        result = await ask(tls=target(authority, port))
        by_address = await ask(tls=target(authority, port, name=None), expect={"certificate_days": 20})
    assert result.ok
    assert result.reason == "certificate is good for 20 days"
    assert result.details["certificate_days"] == 20
    assert result.details["certificate_left"] // 86400 == 20
    assert result.details["protocol"] == "TLSv1.3"
    assert by_address.ok


async def test_days_to_spare_are_asked_for(ask, authority):
    async with serving(nothing, tls=authority.server("shop.example", days=5.5), listens=False) as port:
        result = await ask(tls=target(authority, port), expect={"certificate_days": 14})
    assert result.reason == "certificate expires in 5 days, expected at least 14 days"
    assert result.details["certificate_days"] == 5


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({"begins": -30, "days": -3.5}, r"certificate expired 3 days ago"),
        ({"begins": 1}, r"certificate is not valid before \d{4}-\d\d-\d\d \d\d:\d\d UTC"),
    ],
)
async def test_a_certificate_out_of_its_time_is_told_with_the_time(ask, authority, made, reason):
    async with serving(nothing, tls=authority.server("shop.example", **made), listens=False) as port:
        result = await ask(tls=target(authority, port))
    assert re.fullmatch(reason, result.reason)


async def test_a_certificate_for_others_names_them(ask, authority):
    tls = authority.server("a.example", "*.b.example", "192.0.2.1")
    async with serving(nothing, tls=tls, listens=False) as port:
        by_name = await ask(tls=target(authority, port))
        by_address = await ask(tls=target(authority, port, name=None))
        wildcard = await ask(tls=target(authority, port, name="x.b.example"))
    assert by_name.reason == "certificate is for a.example, *.b.example, 192.0.2.1, not for shop.example"
    assert by_address.reason == "certificate is for a.example, *.b.example, 192.0.2.1, not for 127.0.0.1"
    assert wildcard.ok


async def test_an_authority_nobody_knows_is_named(ask, tmp_path, authority):
    async with serving(nothing, tls=authority.server("shop.example"), listens=False) as port:
        result = await ask(tls=target(authority, port, ca=None))
        plain = await ask(tls=f"127.0.0.1:{port}")
    assert result.reason.startswith("certificate is signed by Test Authority, an authority this machine does not know")
    assert plain.reason == result.reason


async def test_a_certificate_left_out_in_between_is_thought_of(ask, tmp_path, authority):
    between = Authority(tmp_path, "Between", above=authority)
    async with serving(nothing, tls=between.server("shop.example"), listens=False) as port:
        assert (await ask(tls=target(authority, port))).ok
    async with serving(nothing, tls=between.server("shop.example", chain=False), listens=False) as port:
        result = await ask(tls=target(authority, port))
    assert result.reason == (
        "certificate is signed by Between, an authority this machine does not know "
        "(or the server leaves out a certificate in between)"
    )


async def test_an_expired_authority_is_not_taken_for_an_expired_certificate(ask, tmp_path, authority):
    between = Authority(tmp_path, "Between", above=authority, days=-2)
    async with serving(nothing, tls=between.server("shop.example"), listens=False) as port:
        result = await ask(tls=target(authority, port))
    assert result.reason == "the certificate of its authority (Between) or one further up expired"
    assert result.details["certificate_days"] == 29


async def test_a_certificate_signed_by_itself_is_told(ask, tmp_path, authority):
    from servers import certificate

    own, _ = certificate(tmp_path, valid_from_days=-1, valid_to_days=30)
    async with serving(nothing, tls=own, listens=False) as port:
        result = await ask(tls=target(authority, port, name=None))
    assert result.reason == "certificate is signed by itself, not by an authority"


async def test_a_server_without_tls_is_told(ask):
    async def greet(_, writer):
        writer.write(b"220 mail.example ready\r\n")
        await writer.drain()
        await asyncio.sleep(60)

    async with serving(greet, listens=False) as port:
        result = await ask(tls=f"127.0.0.1:{port}")
    assert result.reason == f"127.0.0.1:{port} does not speak TLS"


async def test_a_server_that_hangs_ends_at_the_timeout(ask):
    async with serving(nothing, listens=False) as port:
        result = await ask(tls=f"127.0.0.1:{port}", timeout="300ms")
    assert result.reason == "no TLS handshake within 300 ms"
    assert result.duration < 1


async def test_a_server_that_hangs_up_and_one_that_is_not_there_are_told(ask):
    async def leave(_, writer):
        writer.transport.abort()

    async with serving(leave, listens=False) as port:
        assert (await ask(tls=f"127.0.0.1:{port}")).reason == f"127.0.0.1:{port} hung up in the TLS handshake"
    assert (await ask(tls="127.0.0.1:1")).reason == "refused by 127.0.0.1:1"


async def test_a_file_of_authorities_that_cannot_be_used_is_named(ask, tmp_path):
    (tmp_path / "empty.pem").write_text("nothing")
    for name, why in [("empty.pem", "holds no certificate in PEM form"), ("none.pem", "cannot be read: No such file")]:
        result = await ask(tls={"address": "127.0.0.1:1", "ca": name})
        assert result.reason.startswith(f"could not be checked: {name} {why}")
