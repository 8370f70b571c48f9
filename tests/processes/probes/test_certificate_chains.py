"""Which certificate counts: `http` and `tls` checks say the same of the same server."""

import asyncio
import datetime
import ipaddress
import socket
import ssl
import threading

import pytest
from authority import Authority
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from servers import saying, serving

from tasks.probes import names


@pytest.fixture
def root(tmp_path):
    return Authority(tmp_path, "Root")


@pytest.fixture
def both(ask):
    """`await both(tls, ca, **expect)` -> the results of a `tls` and of an `http` check of one server."""

    async def asked(tls, ca, **expect):
        async with serving(saying(), tls=tls) as port:
            by_tls = await ask(tls={"address": f"127.0.0.1:{port}", "ca": ca}, expect=expect)
            by_http = await ask(http=f"https://127.0.0.1:{port}/", ca=ca, expect=expect)
        assert by_tls.ok == by_http.ok
        assert by_tls.ok or by_tls.reason == by_http.reason
        for detail in ("certificate_days", "certificate_of", "remarks"):
            assert by_tls.details.get(detail) == by_http.details.get(detail)
        return by_tls

    return asked


async def test_an_intermediate_that_expires_first_counts_and_is_named(both, tmp_path, root):
    between = Authority(tmp_path, "Between", above=root, days=2.5)
    tls = between.server("127.0.0.1", days=90)
    fine = await both(tls, root.file.name)
    short = await both(tls, root.file.name, certificate_days=14)
    enough = await both(tls, root.file.name, certificate_days=2)
    assert fine.details["certificate_days"] == 2
    assert fine.details["certificate_of"] == "Between"
    assert fine.reason == "certificate is good for 2 days, as that of its authority Between expires first"
    assert short.reason == "the certificate of its authority Between expires in 2 days, expected at least 14 days"
    assert enough.ok


async def test_an_http_check_that_passes_says_whose_certificate_expires_soon(ask, tmp_path, root):
    between = Authority(tmp_path, "Between", above=root, days=2.5)
    async with serving(saying(), tls=between.server("127.0.0.1", days=90)) as port:
        result = await ask(http=f"https://127.0.0.1:{port}/", ca=root.file.name)
    assert result.reason.endswith(" ms; certificate is good for 2 days, as that of its authority Between expires first")


async def test_a_root_that_expires_first_counts(both, tmp_path):
    root = Authority(tmp_path, "Root", days=5.5)
    between = Authority(tmp_path, "Between", above=root)
    result = await both(between.server("127.0.0.1", days=90), root.file.name, certificate_days=14)
    assert result.reason == "the certificate of its authority Root expires in 5 days, expected at least 14 days"


@pytest.mark.parametrize("days", [-3, 2])
async def test_a_surplus_cross_signed_certificate_that_no_path_needs_does_not_count(both, tmp_path, root, days):
    old = Authority(tmp_path, "Old Root")
    between = Authority(tmp_path, "Between", above=root)
    # As many servers still send it: the root's own name and key, signed by one nobody needs any more.
    tls = between.server("127.0.0.1", days=90.5, also=[root.cross_signed(old, days)])
    result = await both(tls, root.file.name, certificate_days=14)
    assert result.ok, result.reason
    assert result.details["certificate_days"] == 90
    assert "certificate_of" not in result.details


async def test_of_two_accepted_paths_the_longer_lasting_counts(both, tmp_path, root):
    other = Authority(tmp_path, "Other Root")
    between = Authority(tmp_path, "Between", above=root, days=3)
    both_roots = tmp_path / "both.pem"
    both_roots.write_bytes(root.file.read_bytes() + other.file.read_bytes())
    tls = between.server("127.0.0.1", days=60.5, also=[between.cross_signed(other, 900)])
    assert (await both(tls, both_roots.name)).details["certificate_days"] == 60
    # Who trusts one root alone has that path alone.
    assert (await both(tls, root.file.name)).details["certificate_days"] == 2


async def test_an_unrelated_certificate_sent_along_does_not_count(both, tmp_path, root):
    stray = Authority(tmp_path, "Stray", days=-1)
    result = await both(root.server("127.0.0.1", days=40.5, also=[stray.certificate]), root.file.name)
    assert result.details["certificate_days"] == 40


async def test_many_certificates_that_sign_each_other_are_not_followed_for_ever(both, tmp_path, root):
    other = Authority(tmp_path, "Other")
    circle = [one for days in range(30, 38) for one in (root.cross_signed(other, days), other.cross_signed(root, days))]
    result = await both(root.server("127.0.0.1", days=20.5, also=circle), root.file.name)
    assert result.details["certificate_days"] == 20


async def test_a_trusted_intermediate_is_an_anchor_of_its_own(both, tmp_path, root):
    between = Authority(tmp_path, "Between", above=root, days=30.5)
    result = await both(between.server("127.0.0.1", days=90, chain=False), between.file.name)
    assert result.ok, result.reason
    assert result.details["certificate_days"] == 30


async def test_a_leaf_without_key_identifier_passes_with_a_remark_on_every_python(both, root):
    result = await both(root.server("127.0.0.1", key_identifier=False), root.file.name)
    assert result.ok, result.reason
    (remark,) = result.details["remarks"]
    assert remark == ("certificate has no Authority Key Identifier: strict clients, as Python from 3.13 on, refuse it")
    assert remark in result.reason


async def test_without_verifying_the_servers_own_certificate_counts(ask, tmp_path, root):
    between = Authority(tmp_path, "Between", above=root, days=2)
    async with serving(saying(), tls=between.server("127.0.0.1", days=90.5)) as port:
        result = await ask(http=f"https://127.0.0.1:{port}/", verify_tls=False)
    assert result.details["certificate_days"] == 90


async def test_a_certificate_that_cannot_be_read_cannot_fail_a_check_that_does_not_verify(ask, tmp_path):
    async with serving(saying(), tls=odd_server(tmp_path)) as port:
        url = f"https://127.0.0.1:{port}/"
        result = await ask(http=url, verify_tls=False)
        judged = await ask(http=url, verify_tls=False, expect={"certificate_days": 1})
        refused = await ask(http=url)
    assert result.ok, result.reason
    assert "certificate_days" not in result.details
    assert "certificate_left" not in result.details
    assert judged.reason.startswith("certificate cannot be read")
    assert refused.reason == "certificate is signed by itself, not by an authority"


@pytest.fixture
def at_home(monkeypatch):
    """Every name is this machine's; what was asked for."""
    asked = []

    def look_up(host):
        asked.append(host)
        return [names.Address(2, "127.0.0.1")]

    monkeypatch.setattr(names, "_look_up", look_up)
    return asked


@pytest.fixture
def seen():
    """TLS that notes what name it was asked for: `tls = seen(context)`, then `tls.asked`."""

    def noting(context: ssl.SSLContext):
        context.asked = []
        context.sni_callback = lambda _, name, context: context.asked.append(name)
        return context

    class Noting(ssl.SSLContext):
        asked: list

    def made(context):
        context.__class__ = Noting
        return noting(context)

    return made


async def test_a_final_dot_is_looked_up_and_neither_checked_nor_asked_for(ask, root, at_home, seen):
    tls = seen(root.server("shop.example"))
    async with serving(saying(), tls=tls) as port:
        by_tls = await ask(tls={"address": f"shop.example.:{port}", "ca": root.file.name})
        by_http = await ask(http=f"https://shop.example.:{port}/", ca=root.file.name)
        named = await ask(tls={"address": f"127.0.0.1:{port}", "server_name": "shop.example.", "ca": root.file.name})
        other = await ask(tls={"address": f"other.example.:{port}", "ca": root.file.name})
    assert by_tls.ok, by_tls.reason
    assert by_http.ok, by_http.reason
    assert named.ok, named.reason
    assert at_home[0] == "shop.example."
    assert tls.asked == ["shop.example"] * 3 + ["other.example"]
    assert other.reason == "certificate is for shop.example, not for other.example"


@pytest.mark.parametrize(
    "more",
    [
        {"headers": {"Host": "shop.example"}},
        {"headers": {"host": "shop.example:8443"}},
        {"server_name": "shop.example"},
        {"server_name": "shop.example.", "headers": {"Host": "other.example"}},
    ],
)
async def test_one_backend_is_checked_by_its_address_under_the_name_it_serves(ask, root, seen, more):
    heads = []

    async def remember(head, writer):
        heads.append(head.decode())
        await saying()(head, writer)

    tls = seen(root.server("shop.example"))
    async with serving(remember, tls=tls) as port:
        result = await ask(http=f"https://127.0.0.1:{port}/", ca=root.file.name, **more)
    assert result.ok, result.reason
    assert tls.asked == ["shop.example"]
    wanted = {name.lower(): value for name, value in more.get("headers", {}).items()}.get("host", f"127.0.0.1:{port}")
    (head,) = heads
    assert next(line for line in head.split("\r\n") if line.lower().startswith("host:")).split(": ")[1] == wanted


async def test_a_name_that_is_set_is_the_one_that_counts(ask, root, at_home):
    async with serving(saying(), tls=root.server("shop.example")) as port:
        result = await ask(http=f"https://shop.example:{port}/", server_name="other.example", ca=root.file.name)
        by_host = await ask(http=f"https://shop.example:{port}/", headers={"Host": "other.example"}, ca=root.file.name)
    assert result.reason == "certificate is for shop.example, not for other.example"
    assert by_host.reason == result.reason
    assert set(at_home) == {"shop.example"}


@pytest.mark.parametrize("name", ["a b", "a/b", "a\nb"])
async def test_a_name_that_is_none_is_told(ask, root, name):
    async with serving(saying(), tls=root.server("shop.example")) as port:
        by_http = await ask(http=f"https://127.0.0.1:{port}/", server_name=name)
        by_tls = await ask(tls={"address": f"127.0.0.1:{port}", "server_name": name})
    assert by_http.reason == f"could not be checked: {name} is not the name of a host"
    assert by_tls.reason == by_http.reason


async def test_the_name_that_is_set_is_not_taken_to_another_origin(ask, root):
    async def away(head, writer):
        await saying(b"", "302 Found", f"Location: https://127.0.0.1:{elsewhere}/\r\n")(head, writer)

    async with (
        serving(saying(), tls=root.server("127.0.0.1")) as elsewhere,
        serving(away, tls=root.server("shop.example")) as port,
    ):
        result = await ask(
            http=f"https://127.0.0.1:{port}/", server_name="shop.example", ca=root.file.name, follow_redirects=True
        )
    assert result.ok, result.reason


async def test_a_peer_that_hangs_up_in_the_handshake_is_told_by_both(ask):
    async def leave(_, writer):
        writer.transport.abort()

    async with serving(leave, listens=False) as port:
        wanted = f"127.0.0.1:{port} hung up in the TLS handshake"
        assert (await ask(http=f"https://127.0.0.1:{port}/")).reason == wanted
        assert (await ask(tls=f"127.0.0.1:{port}")).reason == wanted


def cutting_off(tls: ssl.SSLContext, answer: bytes) -> int:
    """A server that answers once and ends the connection without TLS's goodbye; its port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listening, listening.accept()[0] as plain:
            wire = tls.wrap_socket(plain, server_side=True)
            wire.recv(65536)
            wire.sendall(answer)
            with socket.socket(fileno=wire.detach()) as bare:
                bare.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=serve, daemon=True).start()
    return listening.getsockname()[1]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nok", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "body broke off before its end"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", "body broke off before its end"),
        (b"", "127.0.0.1:{port} hung up without an answer"),
    ],
)
async def test_an_end_without_goodbye_ends_a_body_whose_length_nobody_said(ask, root, answer, reason):
    port = cutting_off(root.server("127.0.0.1"), answer)
    result = await ask(http=f"https://127.0.0.1:{port}/", ca=root.file.name, expect={"body": "ok"})
    if reason is None:
        assert result.ok, result.reason
    else:
        assert result.reason == reason.format(port=port)


async def test_a_server_that_wants_a_certificate_of_ours_is_told(ask, root):
    tls = root.server("127.0.0.1")
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(root.file)
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    async with serving(saying(), tls=tls) as port:
        result = await ask(http=f"https://127.0.0.1:{port}/", ca=root.file.name)
    assert result.reason.startswith((f"no TLS with 127.0.0.1:{port}: ", f"127.0.0.1:{port} hung up"))


async def test_a_handshake_that_hangs_ends_at_the_timeout(ask):
    async def hang(_, writer):
        await asyncio.sleep(60)

    async with serving(hang, listens=False) as port:
        result = await ask(http=f"https://127.0.0.1:{port}/", timeout="300ms")
    assert result.reason == "no answer within 300 ms"


def odd_server(folder) -> ssl.SSLContext:
    """TLS with a certificate signed by itself in which TRUE is 01 rather than FF, which DER does not allow."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "odd")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    body = made.tbs_certificate_bytes.replace(b"\x01\x01\xff", b"\x01\x01\x01")
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")  # ecdsa-with-SHA256
    signature = key.sign(body, ec.ECDSA(hashes.SHA256()))
    der = _der(0x30, body + algorithm + _der(0x03, b"\0" + signature))
    file = folder / "odd.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(ssl.DER_cert_to_PEM_cert(der).encode() + private)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x82]) + size.to_bytes(2, "big")
    return bytes([tag]) + length + content
