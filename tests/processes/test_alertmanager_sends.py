"""A real Alertmanager sends to a real `serve`: by its webhook, and as it would to PagerDuty."""

import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from serving import Deciding, Serving, free_port, wait_for

from forewatch.alerting.fingerprint import fingerprint
from forewatch.store import alerts

CONFIGURATION = """\
sources:
  - {name: other-cluster, alertmanager_webhook: {}, token: !secret env:OTHER_TOKEN, service: [app]}
  - {name: pager, pagerduty: {}, token: RRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRR}
  - {name: small, json: {labels: {alertname: x}}, max_body: 1000}
"""
SENDING = """\
route:
  receiver: webhook
  group_wait: 100ms
  group_interval: 1s
  group_by: [alertname]
  routes:
    - {{matchers: [by=pager], receiver: pager}}
receivers:
  - name: webhook
    webhook_configs:
      - url: {url}/intake/other-cluster
        http_config: {{authorization: {{credentials: an-intake-t0ken}}}}
  - name: pager
    pagerduty_configs:
      - {{routing_key: RRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRR, url: '{url}/v2/enqueue', severity: error, class: disk,
         links: [{{href: 'https://wiki.example/disk', text: what to do}}]}}
"""


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    os.environ["OTHER_TOKEN"] = "an-intake-t0ken"
    serving = Serving(tmp_path_factory.mktemp("serving"), CONFIGURATION)
    try:
        serving.start()
        with Deciding(serving.home):
            yield serving
    finally:
        serving.stop()
        del os.environ["OTHER_TOKEN"]


@pytest.fixture(scope="module")
def post(serving, tmp_path_factory):
    """Post alerts to a real Alertmanager: `post(ends=0, **labels)`."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        pytest.skip("no Alertmanager here: install the package prometheus-alertmanager")
    folder = tmp_path_factory.mktemp("alertmanager")
    (folder / "am.yml").write_text(SENDING.format(url=serving.url), encoding="utf-8")
    url = f"http://127.0.0.1:{free_port()}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "--config.file=am.yml", "--storage.path=data", f"--web.listen-address={url.partition('//')[2]}",
             "--cluster.listen-address="],
            cwd=folder, stdout=log, stderr=log,
        )  # fmt: skip

    def ready():
        try:
            return httpx.get(f"{url}/-/ready", timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def post(over=False, **labels):
        now = datetime.now(UTC)
        ends = {"endsAt": now.isoformat()} if over else {"endsAt": (now + timedelta(hours=1)).isoformat()}
        alert = {
            "labels": labels,
            "annotations": {"summary": "it is full"},
            "startsAt": (now - timedelta(60)).isoformat(),
        }
        httpx.post(f"{url}/api/v2/alerts", json=[alert | ends], timeout=5, trust_env=False).raise_for_status()

    try:
        wait_for("Alertmanager to stand", ready, 30)
        yield post
    finally:
        process.terminate()
        process.wait(10)


def found(serving, source, status):
    def look():
        with serving.store.read() as conn:
            return next((one for one in alerts.listing(conn) if one.source == source and one.status == status), None)

    return wait_for(f"a {status} alert of {source}", look, 30)


def test_a_webhook_of_alertmanager_fires_and_resolves(serving, post):
    labels = {"alertname": "DiskFull", "app": "orders", "severity": "warning"}
    post(**labels)
    alert = found(serving, "other-cluster", "firing")
    assert alert.fingerprint == fingerprint(labels)
    assert (alert.labels, alert.service, alert.severity) == (labels, "orders", "warning")
    assert (alert.annotations["summary"], alert.timeout) == ("it is full", False)
    post(over=True, **labels)
    assert found(serving, "other-cluster", "resolved").id == alert.id


def test_what_alertmanager_sends_to_pagerduty_fires_and_resolves(serving, post):
    post(alertname="DiskFull", by="pager")
    alert = found(serving, "pager", "firing")
    assert alert.labels["alertname"] == alert.labels["class"] == "disk"
    assert (alert.severity, alert.annotations["links"]) == ("critical", "what to do: https://wiki.example/disk")
    assert "it is full" in alert.annotations["details.firing"]
    post(over=True, alertname="DiskFull", by="pager")
    assert found(serving, "pager", "resolved").id == alert.id


def test_ten_megabytes_are_refused_and_the_next_request_is_answered(serving):
    with httpx.Client(trust_env=False, timeout=20, headers={"Content-Type": "application/json"}) as http:
        for path, body in (("/intake/small", b"[" * 10_000_000), ("/v2/enqueue", b'{"a": "' + b"x" * 10_000_000)):
            assert http.post(f"{serving.url}{path}", content=body).status_code == 413
        assert http.post(f"{serving.url}/intake/small", content=b"[" * 900).status_code == 400
        assert http.post(f"{serving.url}/intake/small", content=b"{}").status_code == 200
