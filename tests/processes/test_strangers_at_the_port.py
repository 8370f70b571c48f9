"""A real `serve`, asked by programs and as a browser would ask for a page of somebody else."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from serving import Deciding, Serving, wait_for

from forewatch.store import alerts, components, silences
from forewatch.store.components import REFUSED_REQUESTS

CONFIGURATION = """\
hosts: [forewatch]
services:
  - name: host
sources:
  - {name: prometheus, alertmanager: {}}
  - {name: deploys, json: {labels: {alertname: x}}, token: deploys-t0ken}
"""
SILENCE = json.dumps(
    {
        "matchers": [{"name": "alertname", "value": ".+", "isRegex": True, "isEqual": True}],
        "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2029-01-01T00:00:00Z",
        "createdBy": "mallory", "comment": "hush",
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder: Path = tmp_path_factory.mktemp("serving")
    serving = Serving(folder, CONFIGURATION)
    try:
        serving.start()
        yield serving
    finally:
        serving.stop()


def ask(serving: Serving, method: str, path: str, *headers: str, body: str = "") -> int:
    """The status of an answer to exactly these headers."""
    lines = [f"{method} {path} HTTP/1.1", *headers, f"Content-Length: {len(body)}", "Connection: close", "", body]
    with closing(socket.create_connection(("127.0.0.1", serving.port), timeout=20)) as wire:
        wire.sendall("\r\n".join(lines).encode())
        answer = b""
        while part := wire.recv(65536):
            answer += part
    return int(answer.split(b" ", 2)[1])


def test_only_requests_for_one_of_its_own_names_are_answered(serving: Serving) -> None:
    port = serving.port
    for ours in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", f"forewatch:{port}", "forewatch"):
        assert ask(serving, "GET", "/incidents", f"Host: {ours}") == 200, ours
    for foreign in (f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}", f"[::2]:{port}", ""):
        for path in ("/incidents", "/api/v2/silences", "/metrics"):
            assert ask(serving, "GET", path, f"Host: {foreign}") == 403, (foreign, path)
    assert ask(serving, "GET", "/incidents") in (400, 403)


def test_a_rebound_name_and_another_sites_page_set_no_silence(serving: Serving) -> None:
    host, json_type = f"Host: 127.0.0.1:{serving.port}", "Content-Type: application/json"
    for headers in (
        (f"Host: evil.example:{serving.port}", json_type),
        (host, json_type, "Origin: http://evil.example"),
        (host, json_type, f"Origin: http://127.0.0.1:{serving.port + 1}"),
        (host, json_type, "Sec-Fetch-Site: same-site"),
    ):
        assert ask(serving, "POST", "/api/v2/silences", *headers, body=SILENCE) == 403, headers
        assert ask(serving, "POST", "/api/v2/alerts", *headers, body='[{"labels": {"alertname": "A"}}]') == 403
    for headers in ((host, "Content-Type: text/plain"), (host,)):
        assert ask(serving, "POST", "/api/v2/silences", *headers, body=SILENCE) == 415
    with serving.store.read() as conn:
        assert silences.listing(conn) == []
    assert ask(serving, "POST", "/api/v2/silences", host, json_type, body=SILENCE) == 200


def test_a_sender_with_a_token_may_call_it_by_any_name(serving: Serving) -> None:
    anyone = ("Host: monitoring_forewatch_1:4280", "Authorization: Bearer deploys-t0ken")
    assert ask(serving, "POST", "/intake/deploys", *anyone, body="{}") == 200
    assert ask(serving, "GET", "/metrics", *anyone) == 200
    assert ask(serving, "POST", "/intake/deploys", *anyone[:1], body="{}") == 401


def test_people_and_doctor_hear_of_what_was_refused(serving: Serving) -> None:
    ask(serving, "GET", "/incidents", "Host: evil.example")

    def warned() -> bool:
        with serving.store.read() as conn:
            part = components.get(conn, REFUSED_REQUESTS)
            told = [alert.name for alert in alerts.all_firing(conn)].count("ForeignRequestRefused")
        return told == 1 and part is not None and part.data["refused"]["host"] >= 1

    with Deciding(serving.home):
        wait_for("the warning", warned)
