import pytest

from forewatch.config.models import Config
from forewatch.home import Home
from forewatch.notifying.content import Links, complete
from forewatch.orchestration.settings import Settings

pytestmark = pytest.mark.unit

LINKS = Links("https://fw.example", "https://prefect.example")


def test_links_come_from_the_configuration_without_a_slash_at_the_end(tmp_path):
    config = Config(public_url="https://fw.example/", prefect_url="https://prefect.example/")
    assert Links.of(config, Home(tmp_path)) == LINKS


def test_links_fall_back_to_where_this_forewatch_listens(tmp_path):
    home = Home(tmp_path)
    assert Links.of(Config(), home) == Links("http://127.0.0.1:4280", "http://127.0.0.1:4200")
    home.create()
    Settings(config="forewatch.yaml", port=5001, prefect_port=5002).write(home)
    assert Links.of(Config(), home) == Links("http://127.0.0.1:5001", "http://127.0.0.1:5002")
    home.settings.write_text("broken")
    assert Links.of(Config(), home).forewatch == "http://127.0.0.1:4280"


def test_content_is_completed_with_ids_links_and_the_stored_alert(a_notification, an_alert):
    content = complete(a_notification(run_id="RUN-3"), LINKS, alert=an_alert, flow_run_id="0192")
    assert content["links"] == {
        "incident": "https://fw.example/incidents/INC-7",
        "flow_run": "https://prefect.example/runs/flow-run/0192",
    }
    assert content["alert"]["id"] == "AL-1"
    assert content["alert"]["starts_at"] == "2026-01-01T00:00:00.000Z"
    assert (content["id"], content["status"], content["run_id"]) == ("NT-1", "firing", "RUN-3")


def test_content_without_alert_or_incident_has_every_key_still(a_notification):
    content = complete(a_notification(incident_id=None, content={"title": "t"}), LINKS)
    assert content["alert"] is None
    assert content["links"] == {}
    assert content["text"] == ""


def test_secrets_in_content_are_masked(a_notification):
    content = complete(a_notification(content={"title": "t", "text": "at postgres://u:hunter2@db/x"}), LINKS)
    assert content["text"] == "at postgres://***@db/x"
