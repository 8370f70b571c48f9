"""What is asked of Sentry and of Bugsink, and how their answers are read. Shapes as in their API schemas."""

import httpx
import pytest
import respx

from forewatch.clock import MICROSECONDS, micros
from forewatch.config.sources import Bugsink, SentryApi
from forewatch.intake.issue_changes import Seen, SeenIssue
from tasks.feeds import bugsink, sentry
from tasks.feeds.client import FeedTrouble

pytestmark = pytest.mark.unit

NOW = 1_767_225_600 * MICROSECONDS
API = SentryApi(url="https://sentry.example/", organization="acme", token="t0ken-of-the-api")
BUGS = Bugsink(url="https://bugs.example", token="t0ken-of-bugsink")
LIST = "https://sentry.example/api/0/organizations/acme/issues/"
BUGS_API = "https://bugs.example/api/canonical/0"


def data(id="1", **fields):
    return {
        "id": id,
        "shortId": f"SHOP-{id}",
        "title": "it broke",
        "culprit": "shop.cart",
        "permalink": "https://sentry.example/1",
        "level": "warning",
        "status": "unresolved",
        "substatus": "new",
        "project": {"id": "2", "slug": "shop"},
        "count": "57",
        "userCount": 9,
        "firstSeen": "2025-12-31T23:00:00Z",
        "lastSeen": "2025-12-31T23:59:00.5Z",
        **fields,
    }


def link(cursor, results):
    return {
        "Link": f'<{LIST}?&cursor=0:0:1>; rel="previous"; results="false"; cursor="0:0:1", '
        f'<https://elsewhere.example/?cursor={cursor}>; rel="next"; results="{results}"; cursor="{cursor}"'
    }


def bug(id="b1", **fields):
    return {
        "id": id, "friendly_id": "SHOP-1", "project": 1, "digest_order": 1, "last_seen": "2025-12-31T23:59:00Z",
        "first_seen": "2025-12-31T23:00:00Z", "digested_event_count": 57, "stored_event_count": 57,
        "calculated_type": "ValueError", "calculated_value": "no cart\nmore", "transaction": "shop.cart",
        "is_resolved": False,
        "is_resolved_unconditionally": False, "is_resolved_by_next_release": False, "is_muted": False, **fields,
    }  # fmt: skip


def page(*results, following=None):
    return httpx.Response(200, json={"next": following, "previous": None, "results": list(results)})


@respx.mock
async def test_sentry_is_asked_with_its_token_for_the_issues_of_all_projects_newest_first():
    route = respx.get(LIST).respond(json=[data()])
    look = await sentry.read(API, Seen(0), NOW)
    [issue] = look.issues
    assert (issue.id, issue.key, issue.state, issue.level, issue.project) == ("1", "SHOP-1", "new", "warning", "shop")
    assert (issue.events, issue.users, issue.culprit) == (57, 9, "shop.cart")
    assert look.complete
    request = route.calls.last.request
    assert request.headers["Authorization"] == "Bearer t0ken-of-the-api"
    assert dict(request.url.params) == {
        "query": "is:unresolved", "sort": "date", "limit": "100", "statsPeriod": "14d", "project": "-1",
    }  # fmt: skip


@respx.mock
async def test_projects_may_be_numbers_or_slugs():
    route = respx.get(LIST).respond(json=[])
    await sentry.read(API.model_copy(update={"projects": ["17", "shop", "web"]}), Seen(0), NOW)
    params = route.calls.last.request.url.params
    assert params.get_list("project") == ["17"]
    assert params["query"] == "is:unresolved project:[shop,web]"


@respx.mock
async def test_pages_are_followed_only_while_they_have_results_and_only_at_the_configured_address():
    elsewhere = respx.get(url__startswith="https://elsewhere.example").respond(json=[])
    respx.get(LIST, params={"cursor": "0:100:0"}).respond(json=[data("2")], headers=link("0:200:0", "false"))
    respx.get(LIST).respond(json=[data("1")], headers=link("0:100:0", "true"))
    look = await sentry.read(API, Seen(0), NOW)
    assert [issue.id for issue in look.issues] == ["1", "2"]
    assert not elsewhere.called


@respx.mock
async def test_pages_without_end_are_not_followed_for_ever():
    route = respx.get(LIST).respond(json=[data()], headers=link("0:100:0", "true"))
    look = await sentry.read(API, Seen(0), NOW)
    assert route.call_count == sentry.MOST_PAGES
    assert not look.complete


@respx.mock
async def test_a_later_look_reads_no_further_than_the_last_one():
    route = respx.get(LIST).respond(json=[data(lastSeen="2025-12-31T20:00:00Z")], headers=link("0:100:0", "true"))
    await sentry.read(API, Seen(0, NOW + micros(60)), NOW + micros(120))
    assert route.call_count == 1
    await sentry.read(API, Seen(0, NOW - micros(60)), NOW + micros(120))
    assert route.call_count == 1 + sentry.MOST_PAGES, "once an hour all are read"


@respx.mock
async def test_an_issue_that_fires_and_is_not_in_the_list_is_asked_for():
    respx.get(LIST).respond(json=[data("1")])
    respx.get(f"{LIST}2/").respond(json=data("2", status="resolved", substatus=None))
    respx.get(f"{LIST}3/").respond(404)
    firing = {id: SeenIssue("new", 1, NOW, NOW, firing=True) for id in ("1", "2", "3")}
    look = await sentry.read(API, Seen(0, NOW, firing | {"4": SeenIssue("new", 1, NOW, NOW)}), NOW)
    assert {issue.id: issue.state for issue in look.issues} == {"1": "new", "2": "resolved"}
    assert look.gone == {"3"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(401), "401 .*look at the token"),
        (httpx.Response(403), "403 .*look at the token"),
        (httpx.Response(404), "404 .*look at the url"),
        (httpx.Response(302, headers={"Location": "https://elsewhere.example"}), "redirects are not followed"),
        (httpx.Response(500), "answered 500"),
        (httpx.Response(200, text="<html>"), "with JSON"),
        (httpx.Response(200, json={"detail": "x"}), "list of objects"),
        (httpx.Response(200, json=["x"]), "list of objects"),
        (httpx.Response(200, json=[{"id": None}]), "an issue cannot be read: issue.id is required"),
        (httpx.Response(200, json=[data(lastSeen="soon")]), "not a time"),
        (httpx.ConnectError("refused"), "cannot be reached: refused"),
        (httpx.ReadTimeout("slow"), "did not answer within 15s"),
    ],
)
@respx.mock
async def test_trouble_is_told_in_a_sentence_that_holds_no_token(answer, said):
    respx.get(LIST).mock(side_effect=[answer])
    with pytest.raises(FeedTrouble, match=said) as raised:
        await sentry.read(API, Seen(0), NOW)
    assert "t0ken" not in str(raised.value)


@respx.mock
async def test_who_asks_to_be_left_alone_is():
    respx.get(LIST).respond(429, headers={"Retry-After": "120"})
    with pytest.raises(FeedTrouble) as raised:
        await sentry.read(API, Seen(0), NOW)
    assert raised.value.retry_after == 120


@respx.mock
async def test_an_answer_without_end_is_broken_off(monkeypatch):
    monkeypatch.setattr("tasks.feeds.client.LARGEST_ANSWER", 1_000)
    respx.get(LIST).respond(content=b"[" + b" " * 2_000 + b"]")
    with pytest.raises(FeedTrouble, match="longer than 1000 bytes"):
        await sentry.read(API, Seen(0), NOW)


async def test_a_token_that_cannot_be_sent_is_trouble_too():
    with pytest.raises(FeedTrouble, match="ASCII"):
        await sentry.read(API.model_copy(update={"token": "t\u00f6ken"}), Seen(0), NOW)


@respx.mock
async def test_bugsink_is_asked_project_by_project():
    respx.get(f"{BUGS_API}/projects/").mock(return_value=page({"id": 1, "slug": "shop"}, {"id": 2, "slug": "web"}))
    first = respx.get(f"{BUGS_API}/issues/", params={"project": "1"}).mock(return_value=page(bug()))
    respx.get(f"{BUGS_API}/issues/", params={"project": "2"}).mock(return_value=page(bug("b2", is_muted=True)))
    look = await bugsink.read(BUGS, Seen(0), NOW)
    one, two = look.issues
    assert (one.title, one.state, one.project, one.events) == ("ValueError: no cart", "open", "shop", 57)
    assert one.url == "https://bugs.example/issues/issue/b1/event/last/"
    assert (two.state, two.project, look.complete) == ("ignored", "web", True)
    assert dict(first.calls.last.request.url.params) == {"project": "1", "sort": "last_seen", "order": "desc"}


@respx.mock
async def test_what_is_news_in_bugsink_is_looked_up_for_its_level():
    respx.get(f"{BUGS_API}/projects/").mock(return_value=page({"id": 1, "slug": "shop"}))
    respx.get(f"{BUGS_API}/issues/").mock(return_value=page(bug(), bug("b2", first_seen="2020-01-01T00:00:00Z")))
    events = respx.get(f"{BUGS_API}/events/").mock(return_value=page({"id": "e9"}))
    respx.get(f"{BUGS_API}/events/e9/").respond(json={"id": "e9", "data": {"level": "info", "environment": "prod"}})
    look = await bugsink.read(BUGS, Seen(NOW - micros(7200), NOW - micros(60)), NOW)
    assert [(issue.level, issue.environment) for issue in look.issues] == [("info", "prod"), ("", "")]
    assert events.call_count == 1


@respx.mock
async def test_a_project_that_is_not_there_is_named():
    respx.get(f"{BUGS_API}/projects/").mock(return_value=page({"id": 1, "slug": "shop"}))
    with pytest.raises(FeedTrouble, match="there is no project 7 in Bugsink"):
        await bugsink.read(BUGS.model_copy(update={"projects": [1, 7]}), Seen(0), NOW)


@respx.mock
async def test_pages_of_bugsink_are_followed_by_their_cursor_at_the_configured_address():
    respx.get(f"{BUGS_API}/projects/").mock(return_value=page({"id": 1, "slug": "shop"}))
    respx.get(f"{BUGS_API}/issues/", params={"cursor": "bz0x"}).mock(return_value=page(bug("b2")))
    respx.get(f"{BUGS_API}/issues/").mock(return_value=page(bug(), following="http://10.0.0.1/x?cursor=bz0x&project=1"))
    assert [issue.id for issue in (await bugsink.read(BUGS, Seen(0), NOW)).issues] == ["b1", "b2"]


@pytest.mark.parametrize("answer", [[], {}, {"results": {}}, {"results": ["x"]}, {"results": [{"id": 3}]}, None, 7])
@respx.mock
async def test_an_answer_of_another_shape_is_trouble(answer):
    respx.get(f"{BUGS_API}/projects/").mock(return_value=page({"id": 1, "slug": "shop"}))
    respx.get(f"{BUGS_API}/issues/").respond(json=answer)
    with pytest.raises(FeedTrouble):
        await bugsink.read(BUGS, Seen(0), NOW)
