"""A real process, a real envelope on loopback."""

import gzip
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sentry_sdk.envelope import Envelope


class Receiver:
    """Takes what Sentry's SDK posts and keeps the events."""

    def __init__(self):
        self.events, self.raw = [], b""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                receiver.raw += body
                envelope = Envelope.deserialize(body)
                receiver.events.extend(event for item in envelope.items if (event := item.get_event()) is not None)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.dsn = f"http://publickey123@127.0.0.1:{self.server.server_port}/1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


def run(program, dsn=None, code=0):
    env = {name: value for name, value in os.environ.items() if not name.startswith("SENTRY_")}
    env["NO_PROXY"] = "127.0.0.1"
    if dsn:
        env["SENTRY_DSN"] = dsn
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done


START = """
import logging
from forewatch.guard.redact import remember
from forewatch.guard.logs import setup_logging
from forewatch.guard.sentry import start_sentry, report, scope
setup_logging("worker", None)
started = start_sentry("worker")
remember("tops3cret-value")
"""


def test_a_reported_failure_arrives_once_tagged_and_redacted(receiver):
    run(
        START
        + """
def connect(password):
    url = "postgres://bob:hunter2@db/shop"
    raise ConnectionError(f"cannot use tops3cret-value at {url}")
logging.getLogger("x").info("breadcrumb with token=abcdef")
try:
    with scope(flow="respond", flow_run_id="0192", flow_run_url="http://p/runs/flow-run/0192", incident="INC-1"):
        with scope(runbook="restart-service", step="stop", service="storefront"):
            connect("hunter2")
except ConnectionError as error:
    assert report(error, notifier="ops-hook")
    assert not report(error)
    raise RuntimeError("the flow failed") from error
""",
        receiver.dsn,
        code=1,
    )
    [event] = receiver.events
    assert event["tags"] == {
        "process": "worker",
        "flow": "respond",
        "flow_run_id": "0192",
        "flow_run_url": "http://p/runs/flow-run/0192",
        "incident": "INC-1",
        "runbook": "restart-service",
        "step": "stop",
        "service": "storefront",
        "notifier": "ops-hook",
    }
    assert event["fingerprint"][:2] == ["runbook restart-service", "ConnectionError"]
    assert event["release"].startswith("forewatch@")
    assert event["environment"] == "production"
    assert event["server_name"]
    assert event["exception"]["values"][-1]["value"] == "cannot use *** at postgres://***@db/shop"
    frames = event["exception"]["values"][-1]["stacktrace"]["frames"]
    assert frames[-1]["vars"] == {"password": "***", "url": "'postgres://***@db/shop'"}
    assert not any("context_line" in frame for frame in frames)
    assert any(crumb["message"] == "breadcrumb with token=***" for crumb in event["breadcrumbs"]["values"])
    assert not any(secret in receiver.raw for secret in (b"hunter2", b"tops3cret", b"abcdef"))


def test_a_crash_nobody_reported_arrives_too(receiver):
    run(START + "raise ValueError('password=hunter2')", receiver.dsn, code=1)
    [event] = receiver.events
    assert event["exception"]["values"][-1]["value"] == "password=***"
    assert event["tags"]["process"] == "worker"


def test_the_same_failure_over_and_over_is_sent_a_few_times_only(receiver):
    run(
        START
        + """
for number in range(50):
    try:
        raise ValueError(f"attempt {number}")
    except ValueError as error:
        report(error, notifier="ops-hook")
""",
        receiver.dsn,
    )
    assert len(receiver.events) == 3
    assert len({tuple(event["fingerprint"]) for event in receiver.events}) == 1


def test_nothing_is_sent_without_a_dsn(receiver):
    run(START + "assert not started\nassert not report(ValueError('x'))")
    assert receiver.raw == b""


def test_a_broken_dsn_is_one_clear_line_and_no_crash():
    done = run(START + "assert not started\nassert not report(ValueError('x'))", "https://no-key.example/secret-path")
    [line] = done.stderr.splitlines()
    assert "SENTRY_DSN is not a valid DSN" in line
    assert "secret-path" not in line


def test_a_receiver_that_is_away_costs_the_process_nothing_but_a_moment():
    run(START + "assert report(ValueError('x'))", "http://publickey123@127.0.0.1:9/1")


def test_a_worker_that_cannot_begin_says_so_before_it_ends(receiver, tmp_path):
    run(
        f"""
import os
os.environ["FOREWATCH_HOME"] = {str(tmp_path)!r}
from forewatch.orchestration import worker
worker.main()
""",
        receiver.dsn,
        code=1,
    )
    [event] = receiver.events
    assert event["tags"]["process"] == "worker"
    assert event["exception"]["values"][-1]["type"] == "StoreError"


def test_a_job_of_the_supervisor_that_breaks_off_is_reported_said_and_begun_anew(receiver, tmp_path):
    done = run(
        f"""
import asyncio
from pathlib import Path
from forewatch.guard.sentry import start_sentry, flush
from forewatch.home import Home
from forewatch.orchestration import supervisor
from forewatch.orchestration.settings import Settings
start_sentry("supervisor")
supervisor.JOB_AGAIN = 0.01
made = supervisor.Supervisor(Home(Path({str(tmp_path)!r})), Settings(config="x"), print)
tries = []
async def job():
    tries.append(1)
    if len(tries) < 3:
        raise LookupError("password=hunter2")
    await asyncio.sleep(60)
async def main():
    task = asyncio.create_task(made._keep_at(job))
    while len(tries) < 3:
        await asyncio.sleep(0.01)
    task.cancel()
asyncio.run(main())
flush()
""",
        receiver.dsn,
    )
    assert {event["tags"]["process"] for event in receiver.events} == {"supervisor"}
    assert b"hunter2" not in receiver.raw
    [line] = done.stdout.splitlines()
    assert line.startswith("forewatch: an unexpected error of the supervisor: LookupError")
