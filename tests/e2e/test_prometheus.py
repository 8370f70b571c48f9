"""A stock Prometheus and amtool, pointed at Forewatch as at an Alertmanager."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import Forewatch, free_port, wait_for
from receiver import Receiver
from scene import configuration_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

SERVICES = "  - name: web\n"
SOURCES = """\
sources:
  - name: prometheus
    alertmanager: {}
    token: prom-token
"""
RULES = """\
groups:
  - name: web
    rules:
      - alert: TargetDown
        expr: up{job="web"} == 0
        labels: {service: web, severity: critical}
        annotations: {summary: "{{ $labels.instance }} does not answer"}
"""


@pytest.fixture(scope="module")
def configuration(receiver: Receiver) -> str:
    return configuration_of(SERVICES, receiver) + SOURCES


class Target:
    """What Prometheus scrapes."""

    def __init__(self) -> None:
        self.healthy = False
        target = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200 if target.healthy else 500)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(b"answers 1\n")

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def target() -> Iterator[Target]:
    target = Target()
    yield target
    target.close()


@pytest.fixture
def amtool(forewatch: Forewatch, tmp_path: Path) -> Callable[..., str]:
    """`amtool ...` against Forewatch; what it printed."""
    program = shutil.which("amtool")
    if program is None:
        pytest.skip("needs amtool (Debian: apt-get install prometheus-alertmanager)")
    login = tmp_path / "login.yml"
    login.write_text("authorization: {credentials: prom-token}\n", encoding="utf-8")

    def run(*arguments: str) -> str:
        command = [program, f"--alertmanager.url=http://127.0.0.1:{forewatch.port}", f"--http.config.file={login}"]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def prometheus(forewatch: Forewatch, target: Target, tmp_path: Path) -> Iterator[str]:
    if shutil.which("prometheus") is None:
        pytest.skip("needs Prometheus (Debian: apt-get install prometheus)")
    port = free_port()
    (tmp_path / "rules.yml").write_text(RULES, encoding="utf-8")
    (tmp_path / "prometheus.yml").write_text(
        f"""\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
alerting:
  alertmanagers:
    - authorization: {{credentials: prom-token}}
      static_configs: [{{targets: ["127.0.0.1:{forewatch.port}"]}}]
scrape_configs:
  - job_name: web
    static_configs: [{{targets: ["{target.address}"]}}]
""",
        encoding="utf-8",
    )
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
             f"--web.listen-address=127.0.0.1:{port}", "--rules.alert.resend-delay=2s"],
            stdout=log, stderr=log,
        )  # fmt: skip
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(20)


def test_an_alert_of_prometheus_opens_an_incident_and_its_end_resolves_it(
    forewatch: Forewatch, prometheus: str, target: Target
) -> None:
    (incident,) = wait_for("an incident", lambda: forewatch.incidents("web"), 60)
    assert incident.severity == "critical"
    wait_for("its page", lambda: [n for n in forewatch.notifications(incident.id) if n.state == "sent"], 30)
    (shown,) = shown_alerts(forewatch)
    assert shown["annotations"] == {"summary": f"{target.address} does not answer"}
    assert shown["receivers"] == [{"name": "hook"}]
    assert "/graph?" in shown["generatorURL"]
    (active,) = httpx.get(f"{prometheus}/api/v1/alerts", trust_env=False).json()["data"]["alerts"]
    assert shown["labels"] == active["labels"]
    wait_for("it to be sent again", lambda: shown_alerts(forewatch)[0]["endsAt"] > shown["endsAt"])
    assert len(forewatch.incidents("web")) == 1
    target.healthy = True
    wait_for("the incident to be resolved", lambda: forewatch.incidents("web")[0].status == "resolved", 60)
    assert shown_alerts(forewatch) == []


def test_amtool_adds_and_finds_alerts(forewatch: Forewatch, amtool: Callable[..., str]) -> None:
    amtool("alert", "add", "DiskFull", "service=db", "instance=db1", "severity=warning", "--annotation=summary=full")
    found = json.loads(amtool("alert", "query", "-o", "json", "alertname=DiskFull", "instance=~db.*"))
    assert [one["labels"]["instance"] for one in found] == ["db1"]
    assert "full" in amtool("alert", "query", "service=db")
    assert "DiskFull" not in amtool("alert", "query", "service!=db")
    (incident,) = forewatch.incidents("db")
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    amtool("alert", "add", "DiskFull", "service=db", "instance=db1", "severity=warning", f"--end={now}")
    wait_for("the incident to be resolved", lambda: forewatch.incidents("db")[0].status == "resolved")
    assert forewatch.incidents("db")[0].id == incident.id


def test_amtool_sets_edits_and_ends_a_silence(forewatch: Forewatch, amtool: Callable[..., str]) -> None:
    silence_id = amtool("silence", "add", "service=queue", "--author=ada", "--comment=a move", "--duration=1h").strip()
    amtool("alert", "add", "QueueLong", "service=queue", "severity=critical")
    assert "QueueLong" not in amtool("alert", "query", "service=queue")
    (hidden,) = json.loads(amtool("alert", "query", "-o", "json", "--silenced", "service=queue"))
    assert hidden["status"]["silencedBy"] == [silence_id]
    assert [n for one in forewatch.incidents("queue") for n in forewatch.notifications(one.id)] == []
    assert "a move" in amtool("silence", "query", "service=queue")
    amtool("silence", "update", "--duration=3h", "--comment=a longer move", silence_id)
    (edited,) = json.loads(amtool("silence", "query", "-o", "json", "service=queue"))
    assert (edited["id"], edited["comment"], edited["createdBy"]) == (silence_id, "a longer move", "ada")
    amtool("silence", "expire", silence_id)
    assert amtool("silence", "query", "-q", "service=queue").strip() == ""
    assert silence_id in amtool("silence", "query", "-q", "--expired", "service=queue")
    assert "QueueLong" in amtool("alert", "query", "service=queue")
    (incident,) = forewatch.incidents("queue")
    wait_for("people to hear of it", lambda: forewatch.notifications(incident.id), 30)


def shown_alerts(forewatch: Forewatch) -> list[dict[str, Any]]:
    """The alerts of `web`, as the API shows them."""
    answer = httpx.get(
        f"http://127.0.0.1:{forewatch.port}/api/v2/alerts",
        params={"filter": 'service="web"'},
        headers={"Authorization": "Bearer prom-token"},
        trust_env=False,
    )
    answer.raise_for_status()
    return list(answer.json())
