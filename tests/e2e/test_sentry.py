"""Our own failures arrive at a Sentry server, once each, tagged and without secrets; nothing is sent without a DSN."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from harness import Forewatch, wait_for
from receiver import Receiver
from scene import HOOK_SECRET, configuration_of
from sentry_sdk.envelope import Envelope
from victim import Victim

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(240)]

SECRET = "value-nobody-may-see"

RUNBOOKS = '''
import os

from forewatch.runbook import runbook, step


@step
async def break_down(key: str) -> None:
    """Fail with what must not be told."""
    raise ValueError(f"cannot log in with {os.environ['API_KEY']}, password=hunter2 at https://bob:s3cr3t@db/shop")


@runbook(title="Fail in a step")
async def fail_in_step(key: str = "a") -> None:
    """It fails."""
    await break_down(key)


@runbook(title="Fail beside its steps")
async def fail_beside() -> None:
    """It fails too."""
    raise LookupError(f"no such thing as {os.environ['API_KEY']}")


@runbook(title="Succeed")
async def succeed() -> str:
    """It does not fail."""
    return "all well"
'''


class SentryServer:
    """Takes envelopes as Sentry's own server does, and keeps the events in them."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.raw = b""
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                server.raw += body
                items = Envelope.deserialize(body).items
                server.events.extend(event for item in items if (event := item.get_event()) is not None)  # type: ignore[misc]
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.dsn = f"http://publickey123@127.0.0.1:{self._http.server_port}/1"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def of(self, error: str) -> list[dict[str, Any]]:
        """The events whose last exception is of this type."""
        return [event for event in self.events if event["exception"]["values"][-1]["type"] == error]


@pytest.fixture(scope="module")
def sentry() -> Iterator[SentryServer]:
    server = SentryServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def forewatch(
    folder: Path, sentry: SentryServer, victim: Victim, healable: Victim, receiver: Receiver
) -> Iterator[Forewatch]:
    own = folder / "own"
    own.mkdir()
    (own / "failing.py").write_text(RUNBOOKS, encoding="utf-8")
    environment = {"HOOK_SECRET": HOOK_SECRET, "API_KEY": SECRET, "SENTRY_DSN": sentry.dsn, "NO_PROXY": "127.0.0.1"}
    started = Forewatch(folder, environment=environment)
    remedy = """\
    remedies:
      - on: {alertname: CheckFailing}
        runbook: fail-in-step
        with: {key: b}
        autonomy: auto
        limits: {per_hour: 50, cooldown: 0s}
"""
    # What stands in the configuration is known to be secret, whoever comes upon it.
    keyed = victim.watched().replace("expect:", 'headers: {X-Key: "${API_KEY}"}\n        expect:')
    services = keyed + healable.watched(remedy)
    started.write_config(configuration_of(services, receiver) + "runbook_folders: [own]\n")
    try:
        started.up()
        yield started
    finally:
        started.sweep()


def settled(sentry: SentryServer, error: str) -> dict[str, Any]:
    """The one event of a kind, after time enough for a second."""
    wait_for(f"{error} to arrive", lambda: sentry.of(error), timeout=30)
    time.sleep(3)
    [event] = sentry.of(error)
    return event


def test_a_quiet_watch_sends_nothing(forewatch: Forewatch, sentry: SentryServer) -> None:
    assert sentry.events == []


def test_a_failing_step_of_a_remedy_arrives_once_with_its_whole_context(
    forewatch: Forewatch, sentry: SentryServer, healable: Victim
) -> None:
    healable.fault("errors")
    event = settled(sentry, "StepFailed")
    healable.fault("none")
    [incident] = forewatch.incidents("healable")
    [run] = forewatch.runs(incident.id)
    tags = event["tags"]
    assert tags["process"] == "child"
    assert (tags["flow"], tags["runbook"], tags["step"]) == ("respond", "fail-in-step", "break-down")
    assert (tags["incident"], tags["service"]) == (incident.id, "healable")
    assert tags["flow_run_id"] == run.flow_run_id
    assert tags["flow_run_url"] == f"http://127.0.0.1:{forewatch.prefect_port}/runs/flow-run/{run.flow_run_id}"
    assert event["contexts"]["forewatch"] == tags
    assert [value["type"] for value in event["exception"]["values"]] == ["ValueError", "StepFailed"]
    assert event["fingerprint"][0] == "runbook fail-in-step"


def test_a_runbook_started_from_prefect_that_fails_beside_its_steps_arrives_once(
    forewatch: Forewatch, sentry: SentryServer
) -> None:
    deployment = forewatch.prefect("GET", "/deployments/name/fail-beside/fail-beside")
    made = forewatch.prefect(
        "POST", f"/deployments/{deployment['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}}
    )
    event = settled(sentry, "LookupError")
    assert event["tags"]["flow_run_id"] == made["id"]
    assert (event["tags"]["flow"], event["tags"]["runbook"]) == ("fail-beside", "fail-beside")


def test_a_failing_delivery_arrives_once_for_its_page(
    forewatch: Forewatch, sentry: SentryServer, victim: Victim, receiver: Receiver
) -> None:
    receiver.status = 403
    victim.fault("errors")
    event = settled(sentry, "DeliveryFailed")
    receiver.status = 204
    victim.fault("none")
    [incident] = forewatch.incidents("victim")
    assert (event["tags"]["notifier"], event["tags"]["incident"]) == ("hook", incident.id)
    assert event["tags"]["service"] == "victim"
    assert "403" in event["exception"]["values"][-1]["value"]


def test_a_flow_that_prefect_cannot_load_arrives(forewatch: Forewatch, sentry: SentryServer, folder: Path) -> None:
    before = len(sentry.events)
    # Broken after it was deployed: the flow run is there, its code is not.
    deployment = forewatch.prefect("GET", "/deployments/name/succeed/succeed")
    (folder / "own" / "failing.py").write_text("raise OSError('the runbook file is broken')\n", encoding="utf-8")
    forewatch.prefect("POST", f"/deployments/{deployment['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}})
    wait_for("the failure to arrive", lambda: sentry.events[before:], timeout=30)
    assert sentry.events[-1]["tags"]["flow_run_id"]


def test_what_arrived_holds_no_secret(sentry: SentryServer) -> None:
    for secret in (SECRET, HOOK_SECRET, "hunter2", "s3cr3t"):
        assert secret.encode() not in sentry.raw
    assert all(event["tags"]["process"] in ("child", "worker", "supervisor", "serve") for event in sentry.events)


def test_prefects_own_records_of_the_failures_hold_no_secret(forewatch: Forewatch) -> None:
    records = json.dumps(forewatch.prefect("POST", "/logs/filter", {}))
    records += json.dumps(forewatch.prefect("POST", "/flow_runs/filter", {}))
    records += json.dumps(forewatch.prefect("POST", "/task_runs/filter", {}))
    assert "break-down" in records
    for secret in (SECRET, "hunter2", "s3cr3t"):
        assert secret not in records
        assert secret not in forewatch.tail(1_000_000)
