"""What people see: the Prefect UI of a Forewatch that watches the example shop, and Forewatch's own pages.

Each test leaves a picture in `test-output/`.
"""

from __future__ import annotations

from typing import Any

import pytest
from harness import Forewatch, wait_for
from playwright.sync_api import Page, expect
from screenshots import shoot

from examples.shop.shop import Shop

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

DEPLOYMENTS = (
    "check-health", "collect-metrics", "page-people", "respond", "forecast", "housekeeping",
    "restart-service", "collect-diagnostics",
)  # fmt: skip


@pytest.fixture
def ui(forewatch: Forewatch) -> str:
    return f"http://127.0.0.1:{forewatch.prefect_port}"


@pytest.fixture(scope="module")
def incident(forewatch: Forewatch, shop: Shop) -> Any:
    """Of a service that was killed and healed, once its story is published."""
    shop.fault("catalogue", "die")

    def resolved() -> Any:
        found = forewatch.incidents("catalogue")
        return found[0] if found and found[0].status == "resolved" else None

    healed = wait_for("catalogue to be healed", resolved, 60)
    key = f"incident-{healed.id.lower()}"
    wait_for(
        "the story of the incident",
        lambda: forewatch.prefect("POST", "/artifacts/filter", {"artifacts": {"key": {"any_": [key]}}}),
        30,
    )
    return healed


def test_the_login_is_what_forewatch_login_prints(forewatch: Forewatch, page: Page, ui: str) -> None:
    page.goto(f"{ui}/dashboard")
    expect(page.get_by_text("Event Feed", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Login")).to_have_count(0)
    shoot(page, "dashboard")


def test_every_flow_and_every_runbook_has_a_deployment(page: Page, ui: str) -> None:
    page.goto(f"{ui}/deployments")
    for name in DEPLOYMENTS:
        expect(page.get_by_role("link", name=name, exact=True).first).to_be_visible()
    shoot(page, "deployments")


def test_the_form_of_a_runbook_has_a_typed_field_for_each_parameter(page: Page, ui: str) -> None:
    _open_form(page, ui, "restart-service")
    for name in ("command", "pidfile (Optional)", "stop_signal (Optional)", "grace (Optional)", "dry_run (Optional)"):
        expect(page.get_by_text(name, exact=True)).to_be_visible()
    expect(page.get_by_text("Seconds it gets to end before it is killed.")).to_be_visible()
    # A list, a choice, a number with its default, a switch.
    expect(page.get_by_role("button", name="Add item")).to_be_visible()
    expect(page.get_by_text("TERM", exact=True)).to_be_visible()
    grace = page.locator("input[type=number]").first
    expect(grace).to_have_value("5")
    expect(page.locator("input[type=checkbox]").first).to_be_attached()
    shoot(page, "runbook-form")


def test_a_run_started_from_the_form_appears_under_its_name_and_completes(
    forewatch: Forewatch, page: Page, ui: str
) -> None:
    _open_form(page, ui, "collect-diagnostics")
    page.get_by_role("button", name="Submit").click()
    page.get_by_role("button", name="Submit").wait_for(state="detached")

    def done() -> Any:
        body = {"flows": {"name": {"any_": ["collect-diagnostics"]}}}
        found = forewatch.prefect("POST", "/flow_runs/filter", body)
        return found[0] if found and found[0]["state_type"] == "COMPLETED" else None

    run = wait_for("the run that was asked for", done, 60)
    wait_for("its name", lambda: done()["name"] == "collect-diagnostics RUN-1", 10)
    page.goto(f"{ui}/runs/flow-run/{run['id']}")
    expect(page.get_by_text("collect-diagnostics RUN-1").first).to_be_visible()
    expect(page.get_by_text("Completed", exact=True).first).to_be_visible()
    expect(page.get_by_text("look-at-machine").first).to_be_visible()
    shoot(page, "run-from-form")
    page.get_by_text("Artifacts", exact=True).last.click()
    expect(page.get_by_text("RUN-1: machine")).to_be_visible()


def test_the_runs_page_shows_shifts_and_what_was_done_about_an_incident(incident: Any, page: Page, ui: str) -> None:
    page.goto(f"{ui}/runs")
    for name in ("check-health", "collect-metrics", "page-people", f"respond {incident.id} catalogue"):
        expect(page.get_by_role("link", name=name, exact=True).first).to_be_visible()
    expect(page.get_by_role("link", name="restart-service RUN-2", exact=True)).to_be_visible()
    shoot(page, "runs")


def test_a_healed_incident_has_its_story_as_an_artifact(
    forewatch: Forewatch, incident: Any, page: Page, ui: str
) -> None:
    page.goto(f"{ui}/artifacts/key/incident-{incident.id.lower()}")
    page.locator("a[href*='/artifacts/artifact/']").first.click()
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
    story = page.locator("main, #app").first
    for text in ("critical", "RUN-2 (restart-service) is sent to heal catalogue", "healed", "NT-1", "start-service"):
        expect(story).to_contain_text(text)
    link = f"{ui}/runs/flow-run/{_flow_run(forewatch, incident)}"
    expect(page.get_by_role("link", name="RUN-2", exact=True)).to_have_attribute("href", link)
    shoot(page, "story")


def test_a_shift_publishes_its_table(forewatch: Forewatch, page: Page, ui: str) -> None:
    def published() -> Any:
        body = {"artifacts": {"key": {"any_": ["check-health"]}}}
        return forewatch.prefect("POST", "/artifacts/latest/filter", body)

    [artifact] = wait_for("the table of check-health", published, 90)
    page.goto(f"{ui}/artifacts/artifact/{artifact['latest_id']}")
    for name in ("storefront", "catalogue", "stock"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    shoot(page, "check-health")


def test_our_own_pages_tell_the_same_and_lead_to_prefect(
    forewatch: Forewatch, incident: Any, page: Page, ui: str
) -> None:
    ours = f"http://127.0.0.1:{forewatch.port}"
    page.goto(ours)
    shoot(page, "own-incidents")
    page.get_by_role("link", name=incident.id).click()
    expect(page.get_by_role("heading", name=incident.id)).to_be_visible()
    expect(page.get_by_text("RUN-2 (restart-service) healed catalogue")).to_be_visible()
    link = f"{ui}/runs/flow-run/{_flow_run(forewatch, incident)}"
    expect(page.get_by_role("link", name="RUN-2")).to_have_attribute("href", link)
    shoot(page, "own-incident")


def test_the_picture_of_a_series_is_drawn(forewatch: Forewatch, page: Page) -> None:
    page.goto(f"http://127.0.0.1:{forewatch.port}/pictures/forecast/1.svg")
    assert page.locator("svg").count() == 1
    assert page.locator("svg path, svg polyline").count() > 0
    shoot(page, "own-picture")


def test_no_page_asks_anything_of_a_stranger(page: Page, strangers: list[str]) -> None:
    assert strangers == []


def _open_form(page: Page, ui: str, deployment: str) -> None:
    page.goto(f"{ui}/deployments")
    page.locator("a[href*='/deployments/deployment/']", has_text=deployment).first.click()
    page.get_by_text("Entrypoint").first.wait_for()
    page.goto(f"{page.url.partition('?')[0]}/run")
    page.get_by_text("Validate parameters").wait_for()


def _flow_run(forewatch: Forewatch, incident: Any) -> str:
    [run] = forewatch.runs(incident.id)
    return str(run.flow_run_id)
