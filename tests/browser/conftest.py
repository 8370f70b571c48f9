"""A Forewatch that watches the example shop, and a headless Chromium that is logged in to its Prefect UI."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from harness import Forewatch, free_port, wait_for
from playwright.sync_api import Browser, Page, sync_playwright
from screenshots import shoot

from examples.shop.shop import Shop

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE = 30_000
"""Milliseconds Playwright waits for what must appear."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"the Prefect UI is not driven: there is no {CHROMIUM} (on Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    running = Shop(folder, _three_free_ports())
    running.start()
    yield running
    running.stop()


def _three_free_ports() -> int:
    """The first of three in a row that nobody listens on; the shop takes them one by one."""

    def look() -> int | None:
        first = free_port()
        for port in (first, first + 1, first + 2):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return None
        return first

    return wait_for("three free ports in a row", look)


@pytest.fixture(scope="module")
def forewatch(browser: Browser, shop: Shop) -> Iterator[Forewatch]:
    """Stands, and watches the shop. Asks for the browser first, so that nothing is started where there is none."""
    started = Forewatch(shop.folder)
    shop.write_configuration()
    try:
        started.up()
        yield started
    finally:
        started.sweep()


@pytest.fixture(scope="module")
def strangers() -> list[str]:
    """Addresses beyond this machine that a page of ours asked for."""
    return []


@pytest.fixture(scope="module")
def page(browser: Browser, forewatch: Forewatch, strangers: list[str]) -> Iterator[Page]:
    """Logged in as `forewatch login` says, at the dashboard."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
    opened.set_default_timeout(PATIENCE)
    opened.on(
        "request",
        lambda request: (
            strangers.append(request.url) if urlsplit(request.url).hostname not in ("127.0.0.1", None) else None
        ),
    )
    opened.goto(f"http://127.0.0.1:{forewatch.prefect_port}/")
    # Not before it has settled there: the page that sends us to the login has one itself for a moment.
    opened.wait_for_url(re.compile("/login"))
    opened.wait_for_load_state("networkidle")
    shoot(opened, "login")
    opened.locator("input").fill(forewatch.cli("login").stdout.strip())
    opened.get_by_role("button", name="Login").click()
    opened.wait_for_url(re.compile("/dashboard$"))
    yield opened
    opened.close()
