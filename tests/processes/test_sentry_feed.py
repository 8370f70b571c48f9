"""The feed of Sentry's issues over real HTTP. The server is ours, with answers in the shape of Sentry's API schema:
Sentry itself takes more machines than a test has."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from forewatch.clock import SystemClock
from forewatch.config.sources import SentryApi
from forewatch.intake.issue_changes import Seen, SeenIssue
from tasks.feeds import client, sentry
from tasks.feeds.client import FeedTrouble

TOKEN = "t0ken-of-the-api"


def issue(number, **fields):
    return {
        "annotations": [], "assignedTo": None, "count": "2", "culprit": "shop.cart in total",
        "firstSeen": "2026-11-06T21:19:55Z", "hasSeen": False, "id": str(number), "isBookmarked": False,
        "isPublic": False, "isSubscribed": True, "isUnhandled": True, "issueCategory": "error", "issueType": "error",
        "lastSeen": "2026-11-06T21:19:55.123456Z", "level": "error", "logger": None,
        "metadata": {"type": "KeyError", "value": "'total'"}, "numComments": 0, "permalink": "https://sentry.example/1",
        "platform": "python", "priority": "high", "project": {"id": "2", "name": "Shop", "slug": "shop"},
        "shareId": None, "shortId": f"SHOP-{number}", "status": "unresolved", "statusDetails": {}, "substatus": "new",
        "subscriptionDetails": None, "title": "KeyError: 'total'", "type": "error", "userCount": 3, **fields,
    }  # fmt: skip


class Sentry:
    """Two pages of issues, one resolved issue beside them; `answer` overrides a status."""

    def __init__(self):
        self.pages = {"": ([issue(1), issue(2)], "0:100:0"), "0:100:0": ([issue(3)], None)}
        self.answer = None
        self.hang = threading.Event()
        sentry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                if sentry.answer == "hang":
                    sentry.hang.wait(20)
                split = urlsplit(self.path)
                if self.headers["Authorization"] != f"Bearer {TOKEN}":
                    self.reply(401, {"detail": "Invalid token"})
                elif isinstance(sentry.answer, int):
                    self.reply(sentry.answer, {}, {"Location": "http://127.0.0.1:1/", "Retry-After": "7"})
                elif split.path == "/api/0/organizations/acme/issues/":
                    cursor = parse_qs(split.query).get("cursor", [""])[0]
                    page, following = sentry.pages[cursor]
                    url = f"{sentry.url}{split.path}?cursor={following or '0:200:0'}"
                    results = "true" if following else "false"
                    link = f'<{url}>; rel="next"; results="{results}"; cursor="{following or "0:200:0"}"'
                    self.reply(200, page, {"Link": link})
                elif split.path == "/api/0/organizations/acme/issues/9/":
                    self.reply(200, issue(9, status="resolved", substatus=None))
                else:
                    self.reply(404, {"detail": "The requested resource does not exist"})

            def reply(self, status, data, headers=None):
                body = json.dumps(data).encode()
                self.send_response(status)
                for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.hang.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Sentry()
    yield server
    server.close()


def read(server, seen=None, token=TOKEN):
    api = SentryApi(url=server.url, organization="acme", token=token)
    return sentry.read(api, seen or Seen(0), SystemClock().now())


async def test_all_pages_and_the_issues_that_fire_are_read(server):
    firing = {id: SeenIssue("new", 1, 1, 1, firing=True) for id in ("9", "10")}
    look = await read(server, Seen(0, None, firing))
    assert [(one.id, one.state) for one in look.issues] == [("1", "new"), ("2", "new"), ("3", "new"), ("9", "resolved")]
    assert (look.gone, look.complete) == ({"10"}, True)
    assert (look.issues[0].events, look.issues[0].users, look.issues[0].key) == (2, 3, "SHOP-1")


@pytest.mark.parametrize(
    ("answer", "said"), [(302, "redirects are not followed"), (500, "answered 500"), (429, "answered 429")]
)
async def test_an_answer_that_is_none_is_trouble(server, answer, said):
    server.answer = answer
    with pytest.raises(FeedTrouble, match=said):
        await read(server)


async def test_a_server_that_hangs_is_not_waited_for(server, monkeypatch):
    monkeypatch.setattr(client, "TIMEOUT", 0.3)
    server.answer = "hang"
    with pytest.raises(FeedTrouble, match=r"did not answer within 0\.3s"):
        await read(server)


async def test_a_wrong_token_is_named_without_showing_it(server):
    with pytest.raises(FeedTrouble, match="look at the token") as raised:
        await read(server, token="wr0ng-t0ken")
    assert "wr0ng" not in str(raised.value)
