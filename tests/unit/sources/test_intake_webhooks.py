"""Other tools' alerts by HTTP: stored before the answer, refused in the words of each protocol, and never a 500."""

import hashlib
import hmac
import json
import shutil
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_samples import alert, encoded, event, sentry_data, source, webhook

from forewatch.clock import FakeClock
from forewatch.config.models import Config
from forewatch.config.secrets import Secret
from forewatch.console import webhooks
from forewatch.console.admission import Admission
from forewatch.console.own_names import OwnNames
from forewatch.console.refusals import Refusals
from forewatch.errors import StoreUnavailable
from forewatch.home import Home
from forewatch.incidents.events import from_json
from forewatch.intake.writer import Writer
from forewatch.store.engine import Store
from forewatch.store.schema import inbox

pytestmark = pytest.mark.unit

TOKEN = "an-intake-t0ken"
CLIENT_SECRET = "s3cret-of-the-integration"
SOURCES = [
    source("alertmanager_webhook", token=TOKEN),
    source("grafana"),
    source("pagerduty", token="R" * 32),
    source("kuma", token="kuma-t0ken"),
    source("json", token=TOKEN, max_body=2_000),
    source("sentry", {"client_secret": Secret("env:SENTRY_CLIENT_SECRET")}),
    source("bugsink"),
]
JSON = {"Content-Type": "application/json"}
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("intake"))
    Store.open(home, migrate=True).close()
    return home


@pytest.fixture
def sources():
    return SOURCES


@pytest.fixture
async def runtime(migrated, tmp_path, sources):
    home = Home(tmp_path / "home")
    shutil.copytree(migrated.root, home.root)
    home.create()
    store = Store.open(home)
    yield SimpleNamespace(
        home=home,
        store=store,
        clock=FakeClock(),
        configuration=SimpleNamespace(current=lambda: (1, Config(sources=sources))),
    )
    store.close()


@pytest.fixture
async def writer(runtime):
    writer = Writer(runtime.store, runtime.clock)
    writer.start()
    yield writer
    await writer.close()


@pytest.fixture
async def app(runtime, writer, monkeypatch):
    monkeypatch.setenv("SENTRY_CLIENT_SECRET", CLIENT_SECRET)
    app = FastAPI()
    admission = Admission(runtime, OwnNames(runtime, 4280), Refusals(runtime, writer))
    app.include_router(webhooks.router(runtime, admission, writer))
    return app


def client_of(app, address="127.0.0.1"):
    transport = httpx.ASGITransport(app, client=(address, 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:4280")


@pytest.fixture
async def http(app):
    async with client_of(app) as http:
        yield http


@pytest.fixture
def stored(runtime):
    """What is in the inbox: the source and the events of each row."""

    def read():
        with runtime.store.intake() as conn:
            rows = conn.execute(inbox.select().order_by(inbox.c.seq)).all()
        assert {row.kind for row in rows} <= {"events"}
        return [(row.source, [from_json(one) for one in json.loads(row.body)]) for row in rows]

    return read


def signature(body, secret=CLIENT_SECRET):
    return {
        "Sentry-Hook-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
        "Sentry-Hook-Resource": "issue",
    }


async def test_what_is_answered_with_200_is_in_the_inbox(http, stored):
    answer = await http.post(
        "/intake/my-alertmanager-webhook", json=webhook(alert(), alert("resolved")), headers=AUTHORIZED
    )
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "stored": 2})
    [(name, events)] = stored()
    assert name == "my-alertmanager-webhook"
    assert [type(one).__name__ for one in events] == ["AlertRaised", "AlertCleared"]


async def test_of_a_batch_with_bad_alerts_the_good_ones_are_stored_and_the_answer_is_400(http, stored):
    body = webhook(alert(), alert(labels={"a": None}), alert("resolved"))
    answer = await http.post("/intake/my-grafana", json=body)
    assert answer.status_code == 400
    assert answer.json() == {"error": "alerts[1]: labels needs at least one entry that is not empty", "stored": 2}
    assert len(stored()[0][1]) == 2


async def test_nothing_is_stored_where_all_is_bad(http, stored):
    assert (await http.post("/intake/my-grafana", json=webhook(alert(labels={})))).status_code == 400
    assert (await http.post("/intake/my-grafana", content=b"{", headers=JSON)).status_code == 400
    assert stored() == []


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/intake/my-json", {}, 401),
        ("/intake/my-json", {"Authorization": "Bearer wrong"}, 401),
        ("/intake/nobody", {}, 404),
        ("/intake/my-bugsink", {}, 404),
        ("/intake/my-kuma", {}, 404),
        ("/intake/my-grafana", {"Content-Encoding": "br"}, 415),
    ],
)
async def test_who_may_not_send_is_told_so_in_a_sentence(http, stored, path, headers, status):
    answer = await http.post(path, json={}, headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert stored() == []


async def test_a_source_without_a_token_is_for_this_machine_alone(app):
    async with client_of(app, "192.0.2.1") as http:
        assert (await http.post("/intake/my-grafana", json=webhook(alert()))).status_code == 403


async def test_a_body_beyond_the_sources_limit_is_refused(http, stored):
    answer = await http.post("/intake/my-json", content=b'{"problems": ["' + b"x" * 2_000, headers=AUTHORIZED)
    assert answer.status_code == 413
    assert stored() == []


async def test_a_store_that_refuses_is_a_503_that_asks_to_come_again(app, writer, monkeypatch):
    async def put(*_):
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(writer, "put", put)
    async with client_of(app) as http:
        answers = [
            await http.post("/intake/my-grafana", json=webhook(alert())),
            await http.post("/v2/enqueue", json=event()),
            await http.get("/api/push/kuma-t0ken?status=down"),
        ]
    assert [answer.status_code for answer in answers] == [503] * 3
    assert all(answer.headers["Retry-After"] for answer in answers)
    assert all("disk is full" in answer.text for answer in answers)


async def test_sentry_proves_itself_by_its_signature_from_anywhere(app, stored):
    body = encoded({"action": "created", "data": {"issue": sentry_data()}})
    async with client_of(app, "192.0.2.1") as http:
        answer = await http.post("/intake/my-sentry", content=body, headers=signature(body))
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "stored": 1})
    assert stored()[0][1][0].identity == {"source": "my-sentry", "issue": "1170820242"}


async def test_a_forged_signature_is_refused_before_the_body_is_looked_at(http, stored):
    body = b"no JSON at all"
    for headers in (signature(body, "guessed"), {"Sentry-Hook-Signature": ""}, {}, AUTHORIZED):
        answer = await http.post("/intake/my-sentry", content=body, headers=headers)
        assert answer.status_code == 401
        assert "sentry-hook-signature" in answer.json()["error"]
    assert stored() == []


async def test_a_webhook_of_sentry_without_events_is_taken(http, stored):
    body = encoded({"action": "assigned", "data": {"issue": sentry_data()}})
    answer = await http.post("/intake/my-sentry", content=body, headers=signature(body))
    assert (answer.status_code, stored()) == (200, [])


async def test_a_client_secret_that_cannot_be_read_lets_nobody_in(http, monkeypatch):
    monkeypatch.delenv("SENTRY_CLIENT_SECRET")
    answer = await http.post("/intake/my-sentry", content=b"{}", headers=signature(b"{}"))
    assert answer.status_code == 503
    assert "SENTRY_CLIENT_SECRET" not in answer.text


async def test_pagerduty_is_answered_as_pagerduty_answers(http, stored):
    answer = await http.post("/v2/enqueue", json=event())
    assert answer.status_code == 202
    assert answer.json() == {"status": "success", "message": "Event processed", "dedup_key": "db1/disk"}
    answer = await http.post("/v2/enqueue", json=event(dedup_key=None))
    assert len(answer.json()["dedup_key"]) == 32
    answer = await http.post("/v2/enqueue", json=event("resolve", payload=None))
    assert answer.status_code == 202
    assert [type(events[0]).__name__ for _, events in stored()] == ["AlertRaised", "AlertRaised", "AlertCleared"]


async def test_a_change_is_answered_as_pagerduty_answers(http, stored):
    change = {"routing_key": "R" * 32, "payload": {"summary": "build 7 went out"}}
    answer = await http.post("/v2/change/enqueue", json=change)
    assert (answer.status_code, answer.json()["status"]) == (202, "success")
    assert stored()[0][1][0].summary == "build 7 went out"


@pytest.mark.parametrize("path", ["/v2/enqueue", "/v2/change/enqueue"])
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", encoded(event(routing_key="x" * 32)), b'{"a":' * 2_000])
async def test_an_event_pagerduty_would_not_take_is_an_invalid_event(http, stored, path, body):
    answer = await http.post(path, content=body)
    assert answer.status_code == 400
    assert answer.json()["status"] == "invalid event"
    assert answer.json()["message"]
    assert answer.json()["errors"]
    assert stored() == []


async def test_an_event_beyond_512_kb_is_refused(http):
    answer = await http.post("/v2/enqueue", json=event(client="x" * 524_288))
    assert (answer.status_code, answer.json()["status"]) == (413, "invalid event")


@pytest.mark.parametrize("sources", [[source("pagerduty", token="R" * 32, per_minute=2), source("kuma", per_minute=1)]])
async def test_who_sends_too_much_is_told_when_to_come_again(http, sources):
    for _ in range(2):
        assert (await http.post("/v2/enqueue", json=event())).status_code == 202
    answer = await http.post("/v2/enqueue", json=event())
    assert (answer.status_code, answer.json()["status"]) == (429, "throttle exceeded")
    assert answer.headers["Retry-After"] == "30"
    await http.get("/api/push/x")
    assert (await http.get("/api/push/x")).status_code == 429


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_kuma_takes_any_method_and_answers_ok(http, stored, method):
    answer = await http.request(method, "/api/push/kuma-t0ken?status=down&msg=no%20answer&ping=")
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert stored()[0][1][0].annotations["summary"] == "my-kuma is down: no answer"


async def test_kuma_answers_an_unknown_token_with_404(http):
    answer = await http.get("/api/push/guessed?status=down")
    assert answer.status_code == 404
    assert answer.json() == {"ok": False, "msg": "there is no push source with this token"}


async def test_a_push_that_says_up_again_is_no_news_and_takes_no_room(http, stored):
    for status in ("up", "up", "down", "down", "up", "up"):
        assert (await http.get(f"/api/push/kuma-t0ken?status={status}")).json() == {"ok": True}
    kinds = [type(events[0]).__name__ for _, events in stored()]
    assert kinds == ["AlertCleared", "AlertRaised", "AlertRaised", "AlertCleared"]


KEYS = [
    "alerts", "labels", "status", "annotations", "startsAt", "problems", "type", "host", "routing_key", "payload",
    "event_action", "dedup_key", "summary", "source", "severity", "links", "images", "custom_details", "action", "data",
    "issue", "event", "metric_alert", "id", "level", "values",
]  # fmt: skip
_WORDS = st.text() | st.sampled_from(["firing", "trigger", "R" * 32])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=5),
    max_leaves=20,
)
GOOD = [
    webhook(alert()),
    event(),
    {"problems": [{"type": "x", "host": {"name": "db1"}}]},
    {"action": "created", "data": {"issue": sentry_data()}},
    {"action": "warning", "data": {"metric_alert": {"id": 1}}},
    {"action": "triggered", "data": {"event": {"issue_id": "1", "tags": [["a", "b"]], "url": "/projects/a/b/"}}},
    {"routing_key": "R" * 32, "payload": {"summary": "x", "timestamp": "2026-01-01"}},
]


@st.composite
def spoilt(draw):
    """A good body with one part, somewhere within, replaced by anything."""
    body = json.loads(json.dumps(draw(st.sampled_from(GOOD))))
    at = body
    for _ in range(draw(st.integers(0, 4))):
        key = draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        if not isinstance(at[key], dict | list) or not at[key]:
            break
        at = at[key]
    if at:
        at[draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))] = draw(_JSON)
    return json.dumps(body).encode()


PATHS = ["/intake/my-alertmanager-webhook", "/intake/my-grafana", "/intake/my-json", "/intake/my-sentry", "/v2/enqueue",
         "/v2/change/enqueue"]  # fmt: skip


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(PATHS), body=st.binary() | _JSON.map(lambda data: json.dumps(data).encode()) | spoilt())
async def test_no_body_ever_gives_a_500_and_what_is_stored_can_be_read(app, stored, path, body):
    before = len(stored())
    async with client_of(app) as http:
        answer = await http.post(path, content=body, headers={**AUTHORIZED, **JSON, **signature(body)})
    assert answer.status_code in (200, 202, 400, 413)
    if answer.status_code in (400, 413):
        assert answer.json().get("error") or answer.json()["errors"]
    rows = stored()[before:]
    assert all(events for _, events in rows)
    assert answer.status_code < 300 or answer.json().get("stored", 0) == sum(len(events) for _, events in rows)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(status=st.text(), msg=st.text(), ping=st.text())
async def test_no_push_ever_gives_a_500(app, status, msg, ping):
    async with client_of(app) as http:
        answer = await http.get("/api/push/kuma-t0ken", params={"status": status, "msg": msg, "ping": ping})
    assert answer.json() == {"ok": True}
