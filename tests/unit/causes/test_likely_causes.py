"""The section of an incident's page: kept for a minute, and no reason for the page not to open."""

import logging

import httpx
import pytest
from fastapi import FastAPI

from forewatch.console import incident_pages, likely_causes
from forewatch.console.likely_causes import LikelyCauses
from forewatch.incidents.causes.ranking import Cause, Ranking
from forewatch.reports import causes

pytestmark = pytest.mark.unit


async def page(shop, incident="INC-1"):
    app = FastAPI()
    app.include_router(incident_pages.router(shop.runtime))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://forewatch") as client:
        return await client.get(f"/incidents/{incident}")


async def test_the_page_shows_the_causes(shop):
    shop.quiet()
    shop.trouble(20, {"web": 0, "api": 0})
    shop.alert("web")
    answer = await page(shop)
    assert answer.status_code == 200
    assert "Likely causes" in answer.text
    assert "api: availability 100% -&gt; 0%" in answer.text


async def test_the_page_says_nothing_where_nothing_is_known(shop):
    shop.alert("web")
    answer = await page(shop)
    assert answer.status_code == 200
    assert "Likely causes" not in answer.text


async def test_the_page_opens_whatever_ranking_does(shop, monkeypatch, caplog):
    def break_(*args):
        raise ZeroDivisionError("planted")

    shop.alert("web")
    monkeypatch.setattr(causes, "causes_of", break_)
    with caplog.at_level(logging.ERROR):
        answer = await page(shop)
    assert answer.status_code == 200
    assert "The causes could not be ranked: ZeroDivisionError, see the log of serve." in answer.text
    assert "planted" in caplog.text


def test_a_ranking_is_made_once_a_minute_and_incident(shop, monkeypatch):
    made = []

    def count(runtime, incident):
        made.append(incident)
        return Ranking((Cause("web", 1.0, "because"),), "")

    monkeypatch.setattr(causes, "causes_of", count)
    likely = LikelyCauses(shop.runtime)
    for _ in range(3):
        assert likely.of("INC-1").causes[0].service == "web"
    assert likely.of("INC-2").confident
    assert made == ["INC-1", "INC-2"]
    shop.runtime.clock.advance(60)
    likely.of("INC-1")
    assert len(made) == 3


def test_not_all_rankings_are_kept(shop, monkeypatch):
    monkeypatch.setattr(causes, "causes_of", lambda runtime, incident: Ranking((), incident))
    monkeypatch.setattr(likely_causes, "KEPT", 2)
    likely = LikelyCauses(shop.runtime)
    for number in range(5):
        likely.of(f"INC-{number}")
    assert len(likely._kept) == 2


def test_trouble_of_the_store_is_a_sentence(shop):
    assert LikelyCauses(shop.runtime).of("INC-99").note == (
        "the causes could not be ranked: there is no incident INC-99"
    )
