"""The page of an incident shows its alerts with why somebody is not told of them."""

import httpx
import pytest
from fastapi import FastAPI

from forewatch.console import incident_pages

pytestmark = pytest.mark.unit


async def test_the_page_shows_each_alert_with_its_state(typed):
    typed.say("silences", "add", "alertname=DiskFull", "--for", "1h", "--comment", "<known>")
    typed.fails("catalogue")
    typed.fails("catalogue", name="DiskFull", severity="warning")
    typed.fails("storefront")
    app = FastAPI()
    app.include_router(incident_pages.router(typed.runtime))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://forewatch") as client:
        text = (await client.get("/incidents/INC-1")).text
    assert "<strong>catalogue, storefront</strong>" in text
    assert text.count('<span class="mark withheld">withheld</span>') == 2
    assert text.count('<span class="mark firing">firing</span>') == 1
    assert "DiskFull on catalogue (silenced by ana until 2026-01-01T01:00:00.000Z (&lt;known&gt;))" in text
    assert "(storefront depends on catalogue, which fails: AL-1 (CheckFailing))" in text
    assert "<td>saturation</td>" in text
