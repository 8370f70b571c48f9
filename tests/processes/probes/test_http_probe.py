import asyncio
import gzip
import re
import socket
import time

import pytest
from authority import Authority
from servers import certificate, saying, serving

from forewatch.config.models import Instance
from forewatch.config.secrets import Secret


async def hang(_, writer):
    await asyncio.sleep(60)


async def test_a_healthy_answer_passes_and_says_how_fast(ask):
    async with serving(saying()) as port:
        result = await ask(http=f"http://127.0.0.1:{port}/health", expect={"status": 200, "body": "ok"})
    assert result.ok
    assert re.fullmatch(r"200 after \d+ ms", result.reason)
    assert result.details["status"] == 200
    assert 0 < result.duration < 1


@pytest.mark.parametrize("status", [200, 204, 302, 399])
async def test_without_an_expected_status_200_to_399_pass(ask, status):
    async with serving(saying(b"", f"{status} X", "Location: /elsewhere\r\n")) as port:
        assert (await ask(http=f"http://127.0.0.1:{port}/")).ok


async def test_an_unexpected_status_is_told_with_its_time(ask):
    async with serving(saying(b"", "503 Busy")) as port:
        result = await ask(http=f"http://127.0.0.1:{port}/")
        wanted = await ask(http=f"http://127.0.0.1:{port}/", expect={"status": [200, 201]})
    assert re.fullmatch(r"503 after \d+ ms", result.reason)
    assert re.fullmatch(r"503 after \d+ ms, expected 200 or 201", wanted.reason)
    assert result.details["status"] == 503


async def test_the_request_is_sent_as_configured_with_secrets_revealed(ask, monkeypatch):
    monkeypatch.setenv("PROBE_TOKEN", "s3cret")
    heads = []

    async def remember(head, writer):
        heads.append(head.decode())
        await saying()(head, writer)

    async with serving(remember) as port:
        result = await ask(
            http=f"http://127.0.0.1:{port}/a%20b?c=d", method="POST", body="hello",
            headers={"X-Token": Secret("env:PROBE_TOKEN")},
        )  # fmt: skip
    assert result.ok
    assert heads[0].startswith("POST /a%20b?c=d HTTP/1.1\r\n")
    assert "X-Token: s3cret\r\n" in heads[0]
    assert "Accept-Encoding: identity\r\n" in heads[0]


async def test_a_secret_that_cannot_be_read_fails_the_check_and_names_only_the_reference(ask, monkeypatch):
    monkeypatch.delenv("PROBE_TOKEN", raising=False)
    result = await ask(http="http://127.0.0.1:1/", headers={"X-Token": Secret("env:PROBE_TOKEN")})
    assert "env:PROBE_TOKEN" in result.reason


async def test_proxies_of_the_environment_are_not_used(ask, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving(saying()) as port:
        assert (await ask(http=f"http://127.0.0.1:{port}/")).ok


async def test_body_headers_and_json_are_judged_in_plain_words(ask):
    async with serving(saying(b'{"db": [{"up": true}]}', headers="X-Build: 42-beta\r\n")) as port:
        url = f"http://127.0.0.1:{port}/"
        good = await ask(
            http=url, expect={"json": {"$.db[0].up": True}, "headers": {"x-build": "42"}, "body": '"db"'}
        )  # fmt: skip
        lacks = await ask(http=url, expect={"body": "ok"})
        wrong = await ask(http=url, expect={"json": {"db[0].up": 1}})
        missing = await ask(http=url, expect={"json": {"db[1].up": True}})
        header = await ask(http=url, expect={"headers": {"X-Build": "43"}})
        absent = await ask(http=url, expect={"headers": {"X-Other": ""}})
    assert good.ok
    assert lacks.reason == 'body lacks "ok"'
    assert wrong.reason == "json db[0].up is true, expected 1"
    assert missing.reason == "json has no db[1].up"
    assert header.reason == 'header X-Build is "42-beta", expected "43"'
    assert absent.reason == "header X-Other is missing"


async def test_a_slow_answer_fails_only_the_latency(ask):
    async def late(head, writer):
        await asyncio.sleep(0.2)
        await saying()(head, writer)

    async with serving(late) as port:
        result = await ask(http=f"http://127.0.0.1:{port}/", expect={"latency": "100ms"})
    assert re.fullmatch(r"took 2\d\d ms, expected at most 100 ms", result.reason)


async def test_a_target_that_hangs_for_ever_ends_at_the_timeout(ask):
    async with serving(hang) as port:
        began = time.monotonic()
        result = await ask(http=f"http://127.0.0.1:{port}/", timeout="500ms")
    assert result.reason == "no answer within 500 ms"
    assert time.monotonic() - began < 1


async def test_a_dripping_body_ends_at_the_timeout(ask):
    async def drip(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with serving(drip) as port:
        result = await ask(http=f"http://127.0.0.1:{port}/", timeout="400ms")
    assert result.reason == "no end of the body within 400 ms"


async def test_an_endless_body_ends_at_the_cap(ask):
    sent = 0

    async def pour(_, writer):
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with serving(pour) as port:
        url = f"http://127.0.0.1:{port}/"
        searched = await ask(http=url, timeout="5s", expect={"body": "y"})
        by_status = await ask(http=url, timeout="5s")
    assert searched.reason == "body larger than 1 MiB"
    assert searched.details["status"] == 200
    assert by_status.ok
    assert sent < 32 * 1024 * 1024


async def test_a_compressed_bomb_ends_at_the_cap(ask):
    bomb = gzip.compress(b"\0" * 50_000_000)
    async with serving(saying(bomb, headers="Content-Encoding: gzip\r\n")) as port:
        result = await ask(http=f"http://127.0.0.1:{port}/", expect={"body": "y"})
    assert result.reason == "body larger than 1 MiB"


async def test_head_asks_for_no_body(ask):
    async def large(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")
        await writer.drain()

    async with serving(large) as port:
        assert (await ask(http=f"http://127.0.0.1:{port}/", method="HEAD")).ok


async def test_redirects_are_followed_only_when_asked_for_and_not_for_ever(ask):
    async def loop(head, writer):
        await saying(b"", "302 Found", "Location: /again\r\n")(head, writer)

    async with serving(loop) as port:
        url = f"http://127.0.0.1:{port}/"
        assert (await ask(http=url)).details["status"] == 302
        result = await ask(http=url, follow_redirects=True)
    assert result.reason == "more than 10 redirects"


async def test_a_redirect_to_a_dead_place_names_that_place(ask):
    async def away(head, writer):
        await saying(b"", "302 Found", "Location: http://127.0.0.1:1/\r\n")(head, writer)

    async with serving(away) as port:
        result = await ask(http=f"http://127.0.0.1:{port}/", follow_redirects=True)
    assert result.reason == "refused by 127.0.0.1:1"


async def test_a_refused_connection_names_host_and_port(ask):
    assert (await ask(http="http://127.0.0.1:1/")).reason == "refused by 127.0.0.1:1"


async def test_a_name_that_does_not_exist_is_named(ask, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert (await ask(http="http://no-such-host.invalid/")).reason == "name not found: no-such-host.invalid"


async def test_a_dead_name_server_holds_up_only_those_who_ask_it(ask, monkeypatch):
    real = socket.getaddrinfo

    def stuck(host, *args, **more):
        if host.startswith("stuck"):
            time.sleep(1.5)
        return real(host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", stuck)
    async with serving(saying()) as port:
        began = time.monotonic()
        asked = [ask(http=f"http://stuck{n}.invalid/", timeout="300ms") for n in range(60)]
        *dead, fine = await asyncio.gather(*asked, ask(http=f"http://localhost:{port}/", timeout="1s"))
    assert fine.ok
    assert {one.reason for one in dead} == {"no answer within 300 ms"}
    assert time.monotonic() - began < 1.4


async def test_a_reset_and_a_hang_up_are_told_apart(ask):
    async def reset(_, writer):
        wire = writer.get_extra_info("socket")
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    async def hang_up(_, writer):
        return

    async with serving(reset) as resetting, serving(hang_up) as silent:
        assert (await ask(http=f"http://127.0.0.1:{resetting}/")).reason == f"connection reset by 127.0.0.1:{resetting}"
        assert (await ask(http=f"http://127.0.0.1:{silent}/")).reason == f"127.0.0.1:{silent} hung up without an answer"


async def test_a_body_that_breaks_off_is_told(ask):
    async def part(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()

    async with serving(part) as port:
        assert (await ask(http=f"http://127.0.0.1:{port}/")).reason == "body broke off before its end"


async def test_a_peer_that_speaks_something_else_is_told(ask):
    async def ssh(_, writer):
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        await writer.drain()

    async with serving(ssh) as port:
        assert (await ask(http=f"http://127.0.0.1:{port}/")).reason.startswith(
            f"127.0.0.1:{port} does not speak HTTP"
        )  # fmt: skip
    async with serving(saying(), listens=False) as port:
        assert (await ask(http=f"https://127.0.0.1:{port}/", timeout="1s")).reason == (
            f"127.0.0.1:{port} does not speak TLS"
        )


async def test_an_expired_certificate_says_since_when(ask, tmp_path):
    tls, file = certificate(tmp_path, valid_from_days=-30, valid_to_days=-3.5)
    async with serving(saying(), tls=tls) as port:
        url = f"https://127.0.0.1:{port}/"
        # Trusted, so that nothing is wrong with it but its age.
        expired = await ask(http=url, ca=file.name)
        unverified = await ask(http=url, verify_tls=False)
        watched = await ask(http=url, verify_tls=False, expect={"certificate_days": 7})
    assert expired.reason == "certificate expired 3 days ago"
    assert expired.details["certificate_days"] == -4
    assert unverified.ok
    assert watched.reason == "certificate expired 3 days ago, expected at least 7 days"


async def test_a_certificate_that_runs_out_soon_fails_before_it_does(ask, tmp_path):
    tls, file = certificate(tmp_path, valid_from_days=-30, valid_to_days=5.5)
    async with serving(saying(), tls=tls) as port:
        url = f"https://127.0.0.1:{port}/"
        fine = await ask(http=url, ca=file.name, expect={"certificate_days": 5})
        soon = await ask(http=url, ca=file.name, expect={"certificate_days": 14})
    assert fine.ok
    assert fine.details["certificate_days"] == 5
    assert soon.reason == "certificate expires in 5 days, expected at least 14 days"


async def test_a_certificate_signed_by_itself_is_refused_with_the_reason(ask, tmp_path):
    tls, _ = certificate(tmp_path, valid_from_days=-1, valid_to_days=30)
    async with serving(saying(), tls=tls) as port:
        result = await ask(http=f"https://127.0.0.1:{port}/")
    assert result.reason == "certificate is signed by itself, not by an authority"


async def test_an_authority_of_ones_own_is_trusted_from_its_file(ask, tmp_path):
    authority = Authority(tmp_path)
    async with serving(saying(), tls=authority.server("127.0.0.1", days=20.5)) as port:
        url = f"https://127.0.0.1:{port}/"
        unknown = await ask(http=url)
        trusted = await ask(http=url, ca=authority.file.name, expect={"certificate_days": 20})
        too_short = await ask(http=url, ca=authority.file.name, expect={"certificate_days": 30})
    assert unknown.reason.startswith("certificate is signed by Test Authority, an authority this machine does not know")
    assert trusted.ok
    assert too_short.reason == "certificate expires in 20 days, expected at least 30 days"


async def test_with_a_file_of_authorities_no_other_one_is_trusted_and_names_still_count(ask, tmp_path):
    ours, theirs = Authority(tmp_path, "Ours"), Authority(tmp_path, "Theirs")
    async with serving(saying(), tls=theirs.server("127.0.0.1")) as port:
        url = f"https://127.0.0.1:{port}/"
        assert not (await ask(http=url, ca=ours.file.name)).ok
        # A changed file is read again.
        ours.file.write_bytes(theirs.file.read_bytes())
        assert (await ask(http=url, ca=ours.file.name)).ok
    async with serving(saying(), tls=theirs.server("shop.example")) as port:
        named = await ask(http=f"https://127.0.0.1:{port}/", ca=theirs.file.name)
    assert named.reason == "certificate is for shop.example, not for 127.0.0.1"


async def test_a_file_of_authorities_that_is_none_is_told(ask, tmp_path):
    (tmp_path / "none.pem").write_text("nothing")
    async with serving(saying()) as port:
        url = f"https://127.0.0.1:{port}/"
        gone, empty = await ask(http=url, ca="gone.pem"), await ask(http=url, ca="none.pem")
    assert gone.reason == "could not be checked: gone.pem cannot be read: No such file or directory"
    assert empty.reason == "could not be checked: none.pem holds no certificate in PEM form"


async def test_retries_forgive_a_passing_failure(ask):
    answers = iter([saying(b"", "503 Busy"), saying(b"", "503 Busy"), saying()])

    async def better_and_better(head, writer):
        await next(answers)(head, writer)

    async with serving(better_and_better) as port:
        assert (await ask(http=f"http://127.0.0.1:{port}/", retries=2)).ok


async def test_the_address_of_the_instance_is_put_into_the_url(ask):
    async with serving(saying()) as port:
        there = Instance(name="a", address=f"127.0.0.1:{port}")
        assert (await ask(http="http://{address}/", instance=there)).ok
    nowhere = await ask(http="http://{address}/", instance=Instance(name="b"))
    assert nowhere.reason == "instance b has no address to put into http://{address}/"


@pytest.mark.parametrize("url", ["127.0.0.1:80/x", "ftp://127.0.0.1/", "http://", "http://127.0.0.1:99999/"])
async def test_what_is_not_a_url_is_told(ask, url):
    assert "is not a URL" in (await ask(http=url)).reason


async def test_a_timeout_noticed_late_says_nothing_about_the_target(ask):
    """The process was stopped while the answer lay ready: the probe is held again."""
    heads = []

    async def remember(head, writer):
        heads.append(head)
        if len(heads) == 1:
            time.sleep(0.8)  # noqa: ASYNC251 - nobody's loop runs: as good as a SIGSTOP
            await asyncio.sleep(0.1)
        await saying()(head, writer)

    async with serving(remember) as port:
        result = await ask(http=f"http://127.0.0.1:{port}/", timeout="300ms")
    assert result.ok
    assert len(heads) == 2
