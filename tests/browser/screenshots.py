"""Pictures that the browser tests leave in `test-output/`, for people to look at."""

from __future__ import annotations

from playwright.sync_api import Page

from examples.shop.shop import ROOT

FOLDER = ROOT / "test-output"


def shoot(page: Page, name: str) -> None:
    """Keep what the page shows as `<name>.png`."""
    FOLDER.mkdir(exist_ok=True)
    page.screenshot(path=FOLDER / f"{name}.png")
