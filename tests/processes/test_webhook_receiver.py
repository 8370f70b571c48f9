"""The webhook against a real HTTP server on loopback that answers as badly as servers do."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from forewatch.alerting.notification import Notification
from forewatch.config.models import Heartbeat, Notifier, Webhook
from forewatch.config.secrets import Secret
from forewatch.errors import DeliveryFailed
from forewatch.notifying.content import Links, complete
from forewatch.notifying.rendering import render
from notifiers import sender_for
from notifiers.webhook.sender import WebhookSender
from tasks import heartbeat

AT = 1_767_225_600_000_000
OK = b"HTTP/1.1 204 No Content\r\n\r\n"


class Receiver:
    """Answers each request with the next of `answers` (raw bytes, or a coroutine function of the writer)."""

    def __init__(self):
        self.requests, self.answers = [], []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/hook/secret-path"
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def _serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *lines = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append((line, headers, body))
        answer = self.answers.pop(0) if self.answers else OK
        try:
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(writer)
        except ConnectionError:
            pass  # the sender has heard enough
        finally:
            writer.close()


@pytest.fixture
async def receiver(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with Receiver() as receiver:
        yield receiver


async def send(url, **options):
    notification = Notification(
        id="NT-42",
        incident_id="INC-7",
        alert_id=None,
        run_id="RUN-1",
        kind="page",
        severity="critical",
        notifier="ops-hook",
        state="claimed",
        not_before=AT,
        content={
            "title": "storefront is down é",
            "text": "It answers 503.",
            "service": "storefront",
            "alert": {"labels": {"alertname": "CheckFailing"}, "annotations": {"runbook": "r"}},
        },
        created_at=AT,
    )
    sender = sender_for(Notifier(name="ops-hook", webhook=Webhook(url=url, **{"timeout": "2s", **options})))
    links = Links("https://fw.example", "https://p.example")
    content = complete(notification, links, flow_run_id="0192", key="9f3c-1-NT-42", incident_key="9f3c-1-INC-7")
    return await sender.send(notification, content, await render(content, sender.templates))


def answer(status, body=b"", **headers):
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def failure(url, **options):
    with pytest.raises(DeliveryFailed) as failed:
        await send(url, **options)
    assert "secret-path" not in str(failed.value)
    return failed.value


async def test_a_page_arrives_whole_with_its_idempotency_key(receiver):
    receipt = await send(receiver.url, headers={"X-Team": "ops"})
    [(line, headers, body)] = receiver.requests
    assert line == "POST /hook/secret-path HTTP/1.1"
    assert (headers["idempotency-key"], headers["content-type"], headers["x-team"]) == (
        "9f3c-1-NT-42",
        "application/json",
        "ops",
    )
    assert headers["user-agent"].startswith("forewatch/")
    assert "x-forewatch-signature" not in headers
    text = "CRITICAL storefront is down é (INC-7)\nIt answers 503.\n\nhttps://fw.example/incidents/INC-7"
    assert json.loads(body) == {
        "version": "1",
        "id": "NT-42",
        "key": "9f3c-1-NT-42",
        "kind": "page",
        "status": "firing",
        "severity": "critical",
        "service": "storefront",
        "title": "storefront is down é",
        "text": text,
        "reason": "",
        "runbook": None,
        "incident": {"id": "INC-7", "key": "9f3c-1-INC-7"},
        "incidents": ["INC-7"],
        "named": [],
        "update": False,
        "ended": None,
        "run": {"id": "RUN-1"},
        "alert": {
            "id": None,
            "incident_id": "INC-7",
            "name": "CheckFailing",
            "status": "firing",
            "severity": "critical",
            "service": "storefront",
            "classification": None,
            "fingerprint": None,
            "labels": {"alertname": "CheckFailing"},
            "annotations": {"runbook": "r"},
            "starts_at": None,
            "ends_at": None,
            "generator_url": "",
        },
        "group": None,
        "links": {
            "incident": "https://fw.example/incidents/INC-7",
            "flow_run": "https://p.example/runs/flow-run/0192",
        },
        "created_at": "2026-01-01T00:00:00.000Z",
    }
    assert receipt.notifier == "ops-hook"
    assert receipt.detail.startswith("204 in ")


async def test_the_signature_is_checked_as_the_documentation_says(receiver, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", "s3cret-of-the-hook")
    await send(receiver.url, secret=Secret("env:HOOK_SECRET"))
    [(_, headers, body)] = receiver.requests
    page = Path(__file__).parents[2] / "docs" / "operations" / "notifications.md"
    documented = {}
    exec(page.read_text().split("```python\n")[1].split("```")[0], documented)
    check = documented["is_from_forewatch"]
    signature, timestamp = headers["x-forewatch-signature"], headers["x-forewatch-timestamp"]
    now = time.time()
    assert check("s3cret-of-the-hook", signature, timestamp, body, now)
    assert not check("another", signature, timestamp, body, now)
    assert not check("s3cret-of-the-hook", signature, timestamp, body + b" ", now)
    assert not check("s3cret-of-the-hook", signature, str(int(timestamp) + 1), body, now)
    assert not check("s3cret-of-the-hook", signature, timestamp, body, now + 3600)
    assert not check("s3cret-of-the-hook", "", "", body, now)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
async def test_a_refusal_that_may_pass_is_to_be_tried_again(receiver, status):
    receiver.answers = [answer(status, b"busy token=abcdef")]
    failed = await failure(receiver.url)
    assert not failed.permanent
    assert str(failed) == f"ops-hook: the receiver answered {status}: busy token=***"
    assert (await send(receiver.url)).detail.startswith("204")


@pytest.mark.parametrize("status", [400, 401, 404, 410])
async def test_any_other_refusal_is_final(receiver, status):
    receiver.answers = [answer(status)]
    assert (await failure(receiver.url)).permanent


async def test_retry_after_is_read_in_both_its_forms(receiver):
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    receiver.answers = [answer(429, **{"Retry-After": value}) for value in ("30", at, "soon")]
    assert (await failure(receiver.url)).retry_after == 30
    assert 80 < (await failure(receiver.url)).retry_after <= 90
    assert (await failure(receiver.url)).retry_after is None


async def test_a_redirect_is_not_followed(receiver):
    async with Receiver() as elsewhere:
        receiver.answers = [answer(302, Location=elsewhere.url), answer(307, Location=elsewhere.url)]
        for _ in range(2):
            failed = await failure(receiver.url)
            assert failed.permanent
            assert "redirects are not followed" in str(failed)
        assert elsewhere.requests == []


async def test_a_receiver_that_hangs_is_left_after_the_timeout(receiver):
    async def hang(writer):
        await asyncio.sleep(5)

    receiver.answers = [hang]
    began = time.monotonic()
    failed = await failure(receiver.url, timeout="300ms")
    assert time.monotonic() - began < 2
    assert not failed.permanent
    assert str(failed) == f"ops-hook: 127.0.0.1:{receiver.port} did not answer within 300ms"


async def test_one_that_drips_its_headers_does_not_outlast_the_timeout(receiver):
    async def drip(writer):
        writer.write(b"HTTP/1.1 200 OK\r\n")
        for _ in range(50):
            writer.write(b"X-A: b\r\n")
            await writer.drain()
            await asyncio.sleep(0.1)

    receiver.answers = [drip]
    began = time.monotonic()
    assert not (await failure(receiver.url, timeout="500ms")).permanent
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("status", [200, 500])
async def test_an_endless_answer_is_not_read(receiver, status):
    async def pour(writer):
        writer.write(f"HTTP/1.1 {status} X\r\n\r\n".encode())
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    receiver.answers = [pour]
    began = time.monotonic()
    if status == 200:
        assert (await send(receiver.url)).detail.startswith("200")
    else:
        assert len(str(await failure(receiver.url))) < 300
    assert time.monotonic() - began < 1.5


async def test_a_receiver_that_is_away_or_hangs_up_is_tried_again(receiver):
    async def hang_up(writer):
        writer.close()

    receiver.answers = [hang_up]
    assert not (await failure(receiver.url)).permanent
    receiver.server.close()
    await receiver.server.wait_closed()
    failed = await failure(receiver.url)
    assert not failed.permanent
    assert f"127.0.0.1:{receiver.port} cannot be reached" in str(failed)


@pytest.mark.parametrize(
    "options",
    [{"url": "ftp://127.0.0.1/x"}, {"url": "no url"}, {"headers": {"X-A": "a\nb"}}, {"headers": {"X-A": "é"}}],
)
async def test_a_url_or_header_that_cannot_be_sent_is_final(receiver, options):
    failed = await failure(**{"url": receiver.url, **options})
    assert failed.permanent
    assert "cannot be sent" in str(failed)


async def test_the_kinds_of_senders(tmp_path):
    assert isinstance(sender_for(Notifier(name="a", webhook=Webhook(url="http://x"))), WebhookSender)


async def test_a_heartbeat_is_a_get_that_wants_a_2xx(receiver):
    switch = Heartbeat(url=receiver.url)
    await heartbeat.beat(switch)
    assert receiver.requests[0][0] == "GET /hook/secret-path HTTP/1.1"
    receiver.answers = [answer(302, Location="http://127.0.0.1:9/"), answer(500)]
    for status in (302, 500):
        with pytest.raises(DeliveryFailed, match=f"127.0.0.1 answered {status}"):
            await heartbeat.beat(switch)


async def test_a_heartbeat_that_gets_no_answer_gives_up(receiver, monkeypatch):
    async def hang(writer):
        await asyncio.sleep(5)

    monkeypatch.setattr(heartbeat, "TIMEOUT", 0.2)
    receiver.answers = [hang]
    with pytest.raises(DeliveryFailed, match=r"did not answer within 0\.2s"):
        await heartbeat.beat(Heartbeat(url=receiver.url))
