"""`forewatch sources`: what to set in each sender, and what a body would come to."""

import json

import pytest
from typer.testing import CliRunner

from forewatch.cli import app
from forewatch.errors import ForewatchError
from forewatch.incidents.events import AlertRaised
from forewatch.intake.issue_changes import Seen
from forewatch.store import config_versions, feeds

pytestmark = pytest.mark.unit

CONFIG = """
sources:
  - {name: prometheus, alertmanager: {}}
  - {name: other-alertmanager, alertmanager_webhook: {}, token: an-intake-t0ken}
  - {name: nagios, pagerduty: {}, token: RRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRR}
  - {name: backups, kuma: {}, token: kuma-t0ken}
  - {name: errors, sentry: {client_secret: !secret env:S, api: {organization: acme, token: !secret env:T}}}
  - {name: bugs, bugsink: {url: "http://bugs.example", token: !secret env:T}}
  - {name: deploys, json: {labels: {alertname: "{{ body.title }}"}}}
public_url: https://watch.example/
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "forewatch.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


@pytest.fixture
def test(folder):
    """`test(source, body, *words)`: exit code, events, what was said."""

    def test(source, body, *words):
        (folder / "body").write_bytes(body if isinstance(body, bytes) else json.dumps(body).encode())
        ended = CliRunner().invoke(app, ["sources", "test", source, "--body", "body", *words, "--home", str(folder)])
        if isinstance(ended.exception, ForewatchError):
            return ended.exit_code, [], str(ended.exception)
        return ended.exit_code, ended.stdout, ended.stderr

    return test


def test_each_source_is_listed_with_what_its_sender_needs(typed, folder):
    with typed.runtime.store.decide() as conn:
        config_versions.add(conn, [(str(folder / "forewatch.yaml"), CONFIG)], typed.clock.now())
    with typed.runtime.store.measure() as conn:
        feeds.put(conn, "bugs", Seen(1, typed.clock.now()), None)
    typed.clock.advance(2)
    typed._decide(AlertRaised({"alertname": "A"}, {}, typed.clock.now(), sender="prometheus"))
    said = typed.say("sources", "list")
    rows = {line.split()[0]: " ".join(line.split()) for line in said.splitlines()[1:]}
    assert rows["prometheus"].endswith("this machine https://watch.example/api/v2/alerts")
    assert rows["other-alertmanager"].endswith("token https://watch.example/intake/other-alertmanager")
    assert rows["nagios"].endswith("https://watch.example/v2/enqueue")
    assert rows["backups"].endswith("https://watch.example/api/push/TOKEN?status=up&msg=OK&ping=")
    assert rows["errors"].endswith("signature https://watch.example/intake/errors, asks https://sentry.io")
    assert rows["bugs"].endswith("none needed asks http://bugs.example")
    assert rows["deploys"].endswith("https://watch.example/intake/deploys")
    assert "2026-01-01" in rows["prometheus"]
    assert "2026-01-01" in rows["bugs"]
    assert "2026-01-01" not in rows["backups"]
    assert "t0ken" not in said


def test_without_sources_it_says_where_to_find_some(typed):
    assert "docs/operations/sources.md" in typed.say("sources", "list")


def test_a_body_is_tried_without_a_running_forewatch(test):
    code, said, _ = test("deploys", {"title": "DeployFailed"})
    event = json.loads(said)
    assert code == 0
    assert event["type"] == "AlertRaised"
    assert event["labels"] == {"alertname": "DeployFailed", "severity": "critical"}
    assert event["service"] == "host"
    assert event["at"].endswith("Z")
    assert event["until"].endswith("Z")


@pytest.mark.parametrize("name", ["prometheus", "other-alertmanager"])
def test_what_would_be_refused_of_a_batch_is_named_beside_what_would_not(test, name):
    alerts = [{"status": "firing", "labels": {"alertname": "A"}}, {"status": "firing", "labels": {}}]
    code, said, complaints = test(name, alerts if name == "prometheus" else {"alerts": alerts})
    assert code == 1
    assert json.loads(said)["labels"]["alertname"] == "A"
    assert complaints.startswith("refused: alert")


@pytest.mark.parametrize("name", ["prometheus", "other-alertmanager", "nagios", "errors", "deploys"])
def test_a_body_of_which_nothing_is_good_is_one_sentence(test, name):
    code, _, said = test(name, b"{")
    assert code == 1
    assert said.startswith(f"{name} would be refused: ")


def test_a_push_is_tried_by_its_query(test):
    assert json.loads(test("backups", b"status=down&msg=late")[1])["annotations"]["summary"] == "backups is down: late"


def test_headers_can_be_given(test):
    body = {"action": "created", "data": {}}
    assert test("errors", body, "--header", "Sentry-Hook-Resource: installation")[1].startswith("Nothing")
    assert test("errors", body, "--header", "no header")[2] == "no header is no header; write it NAME: VALUE"


def test_what_is_not_there_is_named(test, folder):
    assert test("nobody", b"{}")[2] == "there is no source nobody in the configuration"
    assert "is asked by us" in test("bugs", b"{}")[2]
    ended = CliRunner().invoke(app, ["sources", "test", "deploys", "--body", "nothing", "--home", str(folder)])
    assert "nothing cannot be read" in str(ended.exception)


@pytest.mark.parametrize(
    ("json", "said"),
    [
        ('{labels: {alertname: "{{ x"}}', "4:51: sources[0].json.labels.alertname: not a template"),
        ('{labels: {alertname: a}, resolved: "{% if %}"}', "sources[0].json.resolved: not a template"),
        ("{labels: {service: a}}", "sources[0].json.labels: needs alertname"),
    ],
)
def test_templates_are_checked_with_the_configuration(folder, json, said):
    (folder / "forewatch.yaml").write_text(f"\n\nsources:\n  - {{name: a, json: {json}}}\n", encoding="utf-8")
    ended = CliRunner().invoke(app, ["check"])
    assert ended.exit_code == 2
    assert said.partition(": ")[2] in ended.stderr
