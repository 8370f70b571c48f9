"""A real `serve`: what it answered with 200 is on the disk, whatever happens to it a moment later."""

import json
import re
import shutil
import subprocess
import threading
import time

import httpx
import pytest
from serving import Deciding, Serving, wait_for

from forewatch.store import alerts, inbox
from forewatch.store.inbox import Mark

ALERTS = "/api/v2/alerts"


@pytest.fixture
def serving(tmp_path):
    serving = Serving(tmp_path)
    yield serving
    serving.stop()


@pytest.fixture
def client(serving):
    with httpx.Client(base_url=serving.url, trust_env=False, timeout=10) as client:
        yield client


def alert(name):
    return {"labels": {"alertname": name, "service": "web", "severity": "critical"}, "annotations": {"summary": name}}


def kept(serving):
    """The names of all alerts in the inbox."""
    with serving.store.read_intake() as conn:
        rows = inbox.read(conn, Mark(1, 0), rows=1_000_000, size=1 << 40)
    return [one["labels"]["alertname"] for row in rows for one in json.loads(row.body)]


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_the_disk_is_synced_before_the_answer(serving, client, tmp_path):
    trace = tmp_path / "trace"
    calls = "fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg,recvfrom,read"
    serving.start("strace", "-f", "-tt", "-y", "-s", "64", "-e", f"trace={calls}", "-o", str(trace))
    for number in range(3):  # the first one opens connections and may checkpoint
        assert client.post(ALERTS, json=[alert(f"Warm{number}")]).status_code == 200
    at = trace.stat().st_size
    assert client.post(ALERTS, json=[alert("Traced")]).status_code == 200
    wait_for("the answer in the trace", lambda: "HTTP/1.1 200" in trace.read_text(errors="replace")[at:])
    lines = trace.read_text(errors="replace")[at:].splitlines()
    asked = next(n for n, line in enumerate(lines) if "POST /api/v2/alerts" in line)
    answered = next(n for n, line in enumerate(lines) if n > asked and "HTTP/1.1 200" in line)
    between = lines[asked:answered]
    written = max(n for n, line in enumerate(between) if "pwrite64" in line and "intake.db-wal" in line)
    synced = [n for n, line in enumerate(between) if re.search(r"f(data)?sync\(\d+<[^>]*intake\.db-wal>\)", line)]
    assert synced, "\n".join(between)
    done = [n for n, line in enumerate(between) if "sync" in line and re.search(r"= 0$", line)]
    assert max(synced) > written
    assert max(done) > written


def test_what_was_answered_is_there_after_kill_9(serving, client):
    serving.start()
    assert client.post(ALERTS, json=[alert("Kept")]).status_code == 200
    serving.kill()
    assert kept(serving) == ["Kept"]
    serving.start()
    with Deciding(serving.home):
        shown = wait_for("the alert to be shown", lambda: httpx.get(serving.url + ALERTS, trust_env=False).json())
    assert [one["labels"]["alertname"] for one in shown] == ["Kept"]


@pytest.mark.parametrize("after", [0.15, 0.4, 0.8])
def test_kill_9_under_load_loses_nothing_that_was_answered(serving, after):
    serving.start()
    answered = []

    def send(thread):
        with httpx.Client(base_url=serving.url, trust_env=False, timeout=10) as client:
            for number in range(100_000):
                name = f"A{thread}-{number}"
                try:
                    status = client.post(ALERTS, json=[alert(name)]).status_code
                except httpx.HTTPError:
                    return
                if status == 200:
                    answered.append(name)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    wait_for("the first answers", lambda: answered)
    time.sleep(after)
    serving.kill()
    for thread in threads:
        thread.join(30)
    assert answered
    found = kept(serving)
    assert set(answered) <= set(found)
    assert len(found) == len(set(found)), "and nothing twice"


def test_what_is_sent_while_it_is_decided_upon_is_decided_once(serving, client):
    serving.start()
    with Deciding(serving.home) as deciding:
        for number in range(40):
            assert client.post(ALERTS, json=[alert(f"A{number}"), alert("Same")]).status_code == 200
        wait_for("all to be decided", lambda: deciding.decided >= 80)
        with serving.store.read() as conn:
            names = [one.name for one in alerts.listing(conn, 1000)]
    assert sorted(names) == sorted(["Same", *(f"A{number}" for number in range(40))])
    assert len(client.get(ALERTS).json()) == 41


def test_decided_rows_leave_the_file(serving, client):
    serving.start()
    with Deciding(serving.home):
        assert client.post(ALERTS, json=[alert("A")]).status_code == 200
        wait_for("the inbox to be empty", lambda: not kept(serving))


def test_a_large_request_does_not_keep_others_waiting(serving, client):
    serving.start()
    body = json.dumps([alert(f"A{number}") for number in range(40_000)]).encode()
    assert 3_000_000 < len(body) < 10_000_000
    client.post(ALERTS, json=[])
    headers = {"Content-Type": "application/json"}
    answer = []
    sender = threading.Thread(
        target=lambda: answer.append(httpx.post(serving.url + ALERTS, content=body, headers=headers, timeout=60))
    )
    sender.start()
    longest = 0.0
    while sender.is_alive():
        began = time.monotonic()
        assert client.get("/-/ready").status_code == 200
        longest = max(longest, time.monotonic() - began)
    assert answer[0].status_code == 200
    assert len(kept(serving)) == 40_000
    assert longest < 2.0


def test_a_body_beyond_the_limit_is_refused_before_it_is_read(serving):
    serving.start()
    said = subprocess.run(
        [
            "curl",
            "-s",
            "-i",
            "-m",
            "20",
            "-H",
            "Content-Type: application/json",
            "--data-binary",
            "@-",
            serving.url + ALERTS,
        ],
        input=b" " * 30_000_000,
        capture_output=True,
        timeout=30,
        check=False,
    ).stdout.decode()
    assert re.search(r"^HTTP/1.1 413", said, re.MULTILINE), said[:500]
