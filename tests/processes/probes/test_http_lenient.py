"""Answers that browsers take: taken, and what is malformed is said as a remark."""

import asyncio
import gzip
import zlib

import pytest
from servers import raw, saying, serving

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Security-Policy: " + "x" * 9000,
        "X-Long: " + "x" * 90_000,
        "\r\n".join(f"Set-Cookie: c{n}={'x' * 4000}" for n in range(60)),
        "\r\n".join(f"X-{n}: {'x' * 20}" for n in range(2000)),
    ],
)
async def test_long_and_many_headers_are_taken(ask, headers):
    async with serving(saying(headers=headers + "\r\n")) as port:
        result = await ask(http=f"http://127.0.0.1:{port}/", expect={"body": "ok"})
    assert result.ok, result.reason
    assert "remarks" not in result.details


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        (
            "\r\n".join(f"X-{n}: {'x' * 90_000}" for n in range(9)),
            "headers too large: 351 KiB and more, at most 300 KiB are read",
        ),
        ("X-Long: " + "x" * 200_000, "headers too large: a line of more than 100 KiB after 36 bytes"),
        ("\r\n".join(f"X-{n}: x" for n in range(9000)), "headers too large: more than 5,000 lines"),
    ],
)
async def test_headers_without_end_are_told_with_their_size(ask, headers, reason):
    async with serving(saying(headers=headers + "\r\n")) as port:
        assert (await ask(http=f"http://127.0.0.1:{port}/")).reason == reason


TAKEN = {
    "bytes after the end of the body": [
        HEAD + b"Content-Length: 2\r\n\r\nok<!-- served by web-3 -->",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore",
    ],
    "several Content-Lengths": [
        HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        HEAD + b"Content-Length: 2, 2\r\n\r\nok",
    ],
    "a Content-Length beside a Transfer-Encoding": [
        HEAD + b"Content-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ],
    "lines that end in a line feed alone": [b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"],
}


@pytest.mark.parametrize(("remark", "answer"), [(name, one) for name, some in TAKEN.items() for one in some])
async def test_what_is_malformed_is_taken_and_remarked(ask, remark, answer):
    async with serving(raw(answer)) as port:
        url = f"http://127.0.0.1:{port}/"
        first = await ask(http=url, expect={"body": "ok"})
        again = await ask(http=url)
    assert first.ok, first.reason
    assert first.details["remarks"] == [remark]
    assert first.reason.endswith(f"(remark: {remark})")
    assert again.details["remarks"] == [remark]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\n\r\nok",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        HEAD + b"Content-Length : 2\r\n\r\nok",
        HEAD + b"Content-Length: 2\r\nX: gr\xfc\xdfe\r\n\r\nok",
        HEAD + b"Content-Length: 2\r\nX: a\r\n folded\r\n\r\nok",
        HEAD + b"Content-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Trailer: y\r\n\r\n",
    ],
)
async def test_other_liberties_are_taken_as_browsers_do(ask, answer):
    async with serving(raw(answer)) as port:
        result = await ask(http=f"http://127.0.0.1:{port}/")
    assert result.ok, result.reason


@pytest.mark.parametrize(
    ("header", "remark"),
    [
        (b"no colon here", "a header line without a colon"),
        (b"X: a\rb", "a carriage return within a header"),
        (b"Content-Length: many", "a Content-Length that is no number"),
        (b"Transfer-Encoding: odd", "a Transfer-Encoding that nobody asked for"),
    ],
)
async def test_a_head_that_is_broken_after_its_status_passes_by_its_status(ask, header, remark):
    async with serving(raw(HEAD + header + b"\r\n\r\nok")) as port:
        url = f"http://127.0.0.1:{port}/"
        result = await ask(http=url)
        searched = await ask(http=url, expect={"body": "ok"})
        headed = await ask(http=url, expect={"headers": {"X": "a"}})
        other = await ask(http=url, expect={"status": 204})
    assert result.ok
    assert result.details["remarks"] == [remark]
    assert searched.reason == f"body cannot be read: the answer has {remark}"
    assert headed.reason == f"headers cannot be read: the answer has {remark}"
    assert other.reason.endswith("expected 204")


async def test_two_lengths_that_differ_are_no_answer_to_browsers_either(ask):
    async with serving(raw(HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!")) as port:
        result = await ask(http=f"http://127.0.0.1:{port}/")
    assert result.reason.startswith(f"127.0.0.1:{port} does not speak HTTP")


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br", "made-up"])
async def test_a_coding_that_was_not_asked_for_counts_only_if_the_body_does(ask, coding):
    async with serving(saying(b"\x0b\x01\x80ok\x03", headers=f"Content-Encoding: {coding}\r\n")) as port:
        url = f"http://127.0.0.1:{port}/"
        by_status = await ask(http=url)
        searched = await ask(http=url, expect={"body": "ok"})
        read = await ask(http=url, expect={"json": {"status": "UP"}})
    assert by_status.ok
    name = coding.rpartition(", ")[2]
    assert searched.reason == f"body is compressed with {name}, which was not asked for, and cannot be searched"
    assert read.reason == searched.reason


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", lambda body: gzip.compress(body[:5]) + gzip.compress(body[5:])),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body)[2:-4]),
        ("identity", bytes),
    ],
)
async def test_what_can_be_unpacked_is_searched(ask, coding, pack):
    async with serving(saying(pack(b'{"status": "UP"}'), headers=f"Content-Encoding: {coding}\r\n")) as port:
        result = await ask(http=f"http://127.0.0.1:{port}/", expect={"json": {"status": "UP"}})
    assert result.ok, result.reason


async def test_a_body_that_is_not_packed_as_it_says_is_told(ask):
    async with serving(saying(b"plain", headers="Content-Encoding: gzip\r\n")) as port:
        result = await ask(http=f"http://127.0.0.1:{port}/", expect={"body": "plain"})
    assert result.reason == "body is not compressed with gzip, as its Content-Encoding says"


@pytest.mark.parametrize("length", ["", "Content-Length: 2000000\r\n"])
async def test_a_large_page_is_up_by_its_status(ask, length):
    async def large(_, writer):
        writer.write(f"HTTP/1.1 200 OK\r\nX-Build: 42\r\n{length}\r\n".encode() + b"x" * 2_000_000)
        await writer.drain()

    async with serving(large) as port:
        url = f"http://127.0.0.1:{port}/"
        by_status = await ask(http=url, expect={"status": 200, "headers": {"X-Build": "42"}})
        searched = await ask(http=url, expect={"body": "y"})
    assert by_status.ok
    assert searched.reason == "body larger than 1 MiB"


async def test_every_line_of_a_header_counts(ask):
    cookies = "Set-Cookie: a=1\r\nSet-Cookie: session=xyz\r\nVary: Accept\r\nVary: Origin\r\n"
    async with serving(saying(headers=cookies)) as port:
        url = f"http://127.0.0.1:{port}/"
        second = await ask(http=url, expect={"headers": {"set-cookie": "session="}})
        first = await ask(http=url, expect={"headers": {"Set-Cookie": "a=1"}})
        joined = await ask(http=url, expect={"headers": {"Vary": "Accept, Origin"}})
        neither = await ask(http=url, expect={"headers": {"Set-Cookie": "b="}})
    assert second.ok
    assert first.ok
    assert joined.ok
    assert neither.reason == 'header Set-Cookie is "a=1" and "session=xyz", expected "b="'


async def test_marks_are_not_part_of_a_document(ask):
    async with serving(saying(b'\xef\xbb\xbf{"status":"UP"}', headers="Content-Type: application/json\r\n")) as port:
        result = await ask(http=f"http://127.0.0.1:{port}/", expect={"json": {"status": "UP"}})
    assert result.ok, result.reason


async def test_an_answer_of_another_protocol_is_an_answer(ask):
    """A WebSocket: what follows is no body."""

    async def upgrade(_, writer):
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x00")
        await asyncio.sleep(60)

    headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
    async with serving(upgrade) as port:
        result = await ask(http=f"http://127.0.0.1:{port}/", headers=headers, expect={"status": 101})
    assert result.ok, result.reason
