"""Requests that were not meant for us, sent to the application as `serve` runs it."""

import asyncio
import json
import re
from types import SimpleNamespace

import httpx
import pytest

from forewatch.clock import iso, micros
from forewatch.commands import doctor
from forewatch.config.models import Config
from forewatch.console.app import make_app, with_fast_path
from forewatch.console.refusals import TELL_EVERY
from forewatch.errors import StoreUnavailable
from forewatch.store import alerts, components, silences
from forewatch.store.components import REFUSED_REQUESTS

pytestmark = pytest.mark.unit

ALERTS = "/api/v2/alerts"
SILENCES = "/api/v2/silences"
OURS = "http://127.0.0.1:4280"
JSON = {"Content-Type": "application/json"}
SOURCES = [
    {"name": "prometheus", "alertmanager": {}},
    {"name": "grafana", "grafana": {}},
    {"name": "pager", "pagerduty": {}},
    {"name": "push", "kuma": {}},
    {"name": "any", "json": {"labels": {"alertname": "x"}}},
]
TOKENS = [{**source, "token": f"{source['name']}-t0ken"} for source in SOURCES]
PAGES = ["/", "/incidents", "/incidents/INC-1", "/metrics", "/healthz", "/openapi.json", "/-/ready", "/nowhere"]
READING = [ALERTS, f"{ALERTS}/groups", SILENCES, "/api/v2/receivers", "/api/v2/status"]


@pytest.fixture
def configured(world):
    def set_to(**config):
        world.config = Config.model_validate({"sources": SOURCES, **config})
        world.configuration.current = lambda: (id(world.config), world.config)

    set_to()
    return set_to


@pytest.fixture
async def app(world, configured):
    app = make_app(world.runtime)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app):
    transport = httpx.ASGITransport(with_fast_path(app), client=("127.0.0.1", 4711))
    async with httpx.AsyncClient(transport=transport, base_url=OURS) as client:
        yield client


async def status(client, path, host, method="GET", **headers):
    answer = await client.request(method, path, headers={"Host": host, **headers}, content=headers.pop("body", None))
    return answer.status_code


async def refused(client):
    """How often, by reason, as Prometheus reads it."""
    text = (await client.get("/metrics")).text
    found = re.findall(r'forewatch_requests_refused_total\{reason="([a-z-]+)"\} (\d+)', text)
    return {reason: int(count) for reason, count in found if int(count)}


def silence(world):
    return {
        "matchers": [{"name": "alertname", "value": ".+", "isRegex": True, "isEqual": True}],
        "startsAt": iso(world.clock.now()), "endsAt": iso(world.clock.now() + micros(3600)),
        "createdBy": "mallory", "comment": "hush",
    }  # fmt: skip


def silences_set(world):
    with world.store.read() as conn:
        return silences.listing(conn)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:4280", "localhost:4280", "LOCALHOST:4280", "localhost.:4280", "[::1]:4280"]
)
@pytest.mark.parametrize("path", ["/incidents", "/healthz", ALERTS])
async def test_our_own_names_with_our_port_are_answered(client, host, path):
    assert await status(client, path, host) in (200, 503)


@pytest.mark.parametrize("path", [*PAGES, *READING])
async def test_a_page_whose_name_was_made_to_resolve_here_reads_nothing(client, path):
    answer = await client.get(path, headers={"Host": "evil.example:4280"})
    assert answer.status_code == 403
    assert "evil.example:4280, which is not this Forewatch" in answer.text
    assert "`hosts` of forewatch.yaml" in answer.text


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:4281", "localhost:80", "[::1]", "[::2]:4280", "0.0.0.0:4280", "127.1:4280", "::1", " ",
     "10.0.0.5:4280", "2130706433:4280", "localhost.evil.example:4280", "localhost:4280@evil.example", "evil.example"],
)  # fmt: skip
async def test_what_only_looks_like_one_of_our_names_is_not(client, host):
    assert await status(client, "/incidents", host) == 403
    assert await refused(client) == {"host": 1}


async def test_a_request_must_name_one_host(app):
    async def ask(*hosts):
        scope = {
            "type": "http", "method": "GET", "path": "/-/ready", "raw_path": b"/-/ready", "query_string": b"",
            "headers": [(b"host", host) for host in hosts], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 4280),
            "scheme": "http", "http_version": "1.1", "root_path": "",
        }  # fmt: skip
        sent = []

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        await app(scope, receive, send)
        return sent[0]["status"]

    assert await ask(b"127.0.0.1:4280") == 200
    assert await ask() == 403
    assert await ask(b"") == 403
    assert await ask(b"127.0.0.1:4280", b"evil.example") == 403


@pytest.mark.parametrize(
    ("config", "host"),
    [
        ({"public_url": "https://watch.example/fw"}, "watch.example"),
        ({"public_url": "https://watch.example"}, "Watch.Example:443"),
        ({"public_url": "http://watch.example:8080"}, "watch.example:8080"),
        ({"hosts": ["forewatch"]}, "forewatch:4280"),
        ({"hosts": ["forewatch"]}, "forewatch"),
        ({"hosts": ["10.0.0.5:8080"]}, "10.0.0.5:8080"),
        ({"hosts": ["[fd00::5]"]}, "[fd00:0:0::5]:4280"),
        ({"listen": "10.0.0.5", "sources": []}, "10.0.0.5:4280"),
        ({"listen": "::1"}, "[::1]:4280"),
    ],
)
async def test_names_from_the_configuration_are_ours_as_soon_as_it_is_in_force(client, configured, config, host):
    if host != "[::1]:4280":
        assert await status(client, "/-/ready", host) == 403
    configured(**config)
    assert await status(client, "/-/ready", host) == 200
    assert await status(client, "/-/ready", "evil.example:4280") == 403


@pytest.mark.parametrize(
    ("host", "port", "answer"),
    [("10.0.0.5", 4280, 200), ("10.0.0.6", 4280, 403), ("10.0.0.5", 4281, 403), ("watch", 4280, 403)],
)
async def test_who_listens_everywhere_is_the_address_a_connection_came_to(app, configured, host, port, answer):
    configured(listen="0.0.0.0", sources=[])

    async def at_that_address(scope, receive, send):
        await app({**scope, "server": ("10.0.0.5", 4280)}, receive, send)

    transport = httpx.ASGITransport(at_that_address, client=("10.9.9.9", 1))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}:{port}") as client:
        assert (await client.get("/-/ready")).status_code == answer


@pytest.mark.parametrize("host", ["forewatch:4280", "evil.example", "[fd00::1]:9"])
async def test_with_a_token_any_host_will_do(client, configured, world, host):
    configured(sources=TOKENS)
    bearer = {"Host": host, "Authorization": "Bearer prometheus-t0ken"}
    assert (await client.get("/metrics", headers=bearer)).status_code == 200
    assert (await client.post(ALERTS, json=[{"labels": {"alertname": "A"}}], headers=bearer)).status_code == 200
    assert (await client.post(SILENCES, json=silence(world), headers=bearer)).status_code == 200
    any_json = {"Host": host, "Authorization": "Bearer any-t0ken"}
    assert (await client.post("/intake/any", content=b"{}", headers=any_json)).status_code == 200
    assert (await client.get("/api/push/push-t0ken", headers={"Host": host})).status_code == 200
    event = {"routing_key": "pager-t0ken", "event_action": "resolve", "dedup_key": "k"}
    assert (await client.post("/v2/enqueue", json=event, headers={"Host": host})).status_code in (202, 400)
    assert await refused(client) == {}


@pytest.mark.parametrize("given", ["Bearer wrong", "Bearer ", "Basic Og==", "Basic !!", "Digest x", ""])
async def test_a_wrong_token_is_no_token(client, configured, given):
    configured(sources=[{**SOURCES[0], "token": "prometheus-t0ken"}, {**SOURCES[1], "token": ""}])
    headers = {"Host": "evil.example:4280", "Authorization": given}
    assert (await client.get("/metrics", headers=headers)).status_code == 403
    assert (await client.get(ALERTS, headers=headers)).status_code == 401
    assert (await client.post("/intake/grafana", json={}, headers=headers)).status_code == 403


@pytest.mark.parametrize(
    "page",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "https://127.0.0.1:4280.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "Cross-Site"},
        {"Origin": OURS, "Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_page_of_another_site_changes_nothing(client, world, page):
    assert (await client.post(SILENCES, json=silence(world), headers=page)).status_code == 403
    assert (await client.delete("/api/v2/silence/x", headers=page)).status_code == 403
    assert (await client.post(ALERTS, json=[{"labels": {"alertname": "A"}}], headers=page)).status_code == 403
    assert (await client.post("/-/reload", headers=page)).status_code == 403
    assert (await client.post("/intake/any", json={}, headers=page)).status_code == 403
    # An image is enough to send this one.
    assert (await client.get("/api/push/x?status=down", headers=page)).status_code == 404
    assert (await client.post("/v2/enqueue", json={"routing_key": "x"}, headers=page)).status_code == 400
    assert (await client.post("/incidents", headers=page)).status_code == 403
    assert silences_set(world) == []
    await asyncio.to_thread(world.drain)
    assert {name for name in world.firing() if name != "ForeignRequestRefused"} == set()


async def test_a_page_of_another_site_may_lead_to_our_pages(client):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Referer": "https://chat.example/"}
    assert (await client.get("/incidents", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "page",
    [
        {},
        {"Origin": OURS},
        {"Origin": "http://localhost:4280"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
async def test_our_own_pages_and_programs_change_what_they_may(client, world, page):
    assert (await client.post(SILENCES, json=silence(world), headers=page)).status_code == 200
    assert len(silences_set(world)) == 1


async def test_a_password_that_a_browser_remembers_is_of_no_use_to_another_site(client, configured, world):
    configured(sources=TOKENS)
    remembered = httpx.BasicAuth("anybody", "prometheus-t0ken")
    for page in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "same-site"}):
        answer = await client.post(SILENCES, json=silence(world), auth=remembered, headers=page)
        assert answer.status_code == 403
        assert (await client.post("/incidents", auth=remembered, headers=page)).status_code == 403
    assert silences_set(world) == []
    assert (await client.post(SILENCES, json=silence(world), auth=remembered)).status_code == 200


@pytest.mark.parametrize("said", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
async def test_what_a_form_can_send_is_not_taken_without_a_token(client, world, said):
    headers = {"Content-Type": said} if said else {}
    bodies = {
        ALERTS: [{"labels": {"alertname": "A"}}], SILENCES: silence(world), "/intake/any": {}, "/intake/grafana": {},
        "/v2/enqueue": {"routing_key": "x", "event_action": "resolve", "dedup_key": "k"},
    }  # fmt: skip
    for path, body in bodies.items():
        answer = await client.post(path, content=json.dumps(body).encode(), headers=headers)
        assert answer.status_code == 415, path
    assert silences_set(world) == []
    assert await refused(client) == {"content-type": len(bodies)}


async def test_with_a_token_any_json_may_be_sent_as_curl_does(client, configured):
    configured(sources=TOKENS)
    headers = {"Authorization": "Bearer any-t0ken", "Content-Type": "application/x-www-form-urlencoded"}
    assert (await client.post("/intake/any", content=b"{}", headers=headers)).status_code == 200


async def settle(app):
    await app.state.refusals.settle()


async def test_refusals_are_counted_by_reason_stored_and_shown_by_doctor(app, client, world):
    for host, headers in (("evil.example", {}), ("e" * 300, {}), ("127.0.0.1:4280", {"Origin": "http://<b>evil</b>"})):
        await client.post(SILENCES, json=silence(world), headers={"Host": host, **headers})
    assert await refused(client) == {"host": 2, "origin": 1}
    await settle(app)
    await status(client, "/incidents", "evil.example")
    await settle(app)
    with world.store.read() as conn:
        assert components.get(conn, REFUSED_REQUESTS).data["refused"] == {"host": 3, "origin": 1}
    found = doctor._refused_requests(world.runtime)
    assert (found.mark, found.text.partition(";")[0]) == ("warn", "host 3, origin 1")
    world.clock.advance(86_400 + 1)
    assert doctor._refused_requests(world.runtime).mark == "ok"


async def test_doctor_has_nothing_to_say_where_nothing_was_refused(world):
    assert doctor._refused_requests(world.runtime).text == "none"


async def told(world):
    await asyncio.to_thread(world.drain)
    with world.store.read() as conn:
        return [alert for alert in alerts.all_firing(conn) if alert.name == "ForeignRequestRefused"]


async def test_people_hear_of_it_as_one_warning_that_names_what_was_tried(app, client, world):
    await status(client, "/incidents", "evil.example")
    await settle(app)
    [alert] = await told(world)
    assert (alert.service, alert.severity) == ("forewatch", "warning")
    assert "for the host evil.example, which is not this Forewatch" in alert.annotations["summary"]


async def test_a_flood_of_strangers_is_one_alert_raised_at_most_once_an_hour(app, client, world):
    rows = []
    for minute in range(150):
        for number in range(20):
            await status(client, "/incidents", f"evil-{minute}-{number}.example")
        await settle(app)
        await told(world)
        rows.append(world.mark().seq)
        world.clock.advance(60)
    assert len(set(rows)) == 3
    [alert] = await told(world)
    assert alert.id == "AL-1"
    assert await refused(client) == {"host": 3000}


async def test_the_alert_is_over_two_hours_after_it_was_raised_last(app, client, world):
    await status(client, "/incidents", "evil.example")
    await settle(app)
    assert await told(world)
    world.clock.advance(2 * TELL_EVERY + 1)
    assert not await told(world)


async def test_what_a_stranger_writes_cannot_steer_what_people_read(app, client, world):
    await client.post(
        ALERTS, json=[], headers={"Origin": b"http://a.example/<script>\x1b[31m\xe2\x80\xae" + b"x" * 500}
    )
    await settle(app)
    [alert] = await told(world)
    assert re.fullmatch(r"[ -~]{1,200}", alert.annotations["summary"])
    assert not set("<>\x1b") & set(alert.annotations["summary"])


async def test_curls_slip_with_the_content_type_wakes_nobody(app, client, world):
    await client.post("/intake/any", content=b"{}", headers={"Content-Type": "text/plain"})
    await settle(app)
    assert not await told(world)


async def test_what_cannot_be_stored_is_counted_later_and_requests_are_refused_all_the_same(
    app, client, world, monkeypatch
):
    await status(client, "/incidents", "evil.example")
    with monkeypatch.context() as patched:
        patched.setattr(app.state.refusals, "_store", lambda *_: (_ for _ in ()).throw(StoreUnavailable("full")))
        await settle(app)
    assert await status(client, "/incidents", "evil.example") == 403
    await settle(app)
    with world.store.read() as conn:
        assert components.get(conn, REFUSED_REQUESTS).data["refused"] == {"host": 2}


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/incidents", ALERTS, SILENCES])
async def test_no_answer_says_where_the_store_lies(client, world, monkeypatch, path):
    sentence = f"{world.store.home.decisions_db}: the disk is full; see {world.store.home.root}"

    def broken(*_, **__):
        raise StoreUnavailable(sentence)

    for method in ("read", "decide", "read_intake", "read_metrics"):
        monkeypatch.setattr(world.store, method, broken)
    answer = await client.get(path)
    assert answer.status_code == 503
    assert "decisions.db: the disk is full; see the state folder" in answer.text
    assert str(world.store.home.root.parent) not in answer.text


async def test_nor_does_the_answer_to_what_is_sent(client, world, monkeypatch):
    async def broken(*_):
        raise StoreUnavailable(f"{world.store.home.intake_db}: the disk is full")

    monkeypatch.setattr("forewatch.intake.writer.Writer.put", broken)
    sent = {
        ALERTS: [{"labels": {"alertname": "A"}}],
        "/intake/any": {},
        "/v2/enqueue": {"routing_key": "x", "event_action": "resolve", "dedup_key": "k"},
    }
    for path, body in sent.items():
        answer = await client.post(path, json=body)
        assert (answer.status_code, str(world.store.home.root) in answer.text) == (503, False)
        assert "intake.db: the disk is full" in answer.text
    answer = await client.get("/api/push/x?status=down")
    assert answer.json()["msg"] == "intake.db: the disk is full"


def test_doctor_marks_what_is_bad_what_to_know_and_what_is_well():
    marks = [doctor.Finding(False, "a", ""), doctor.Finding(True, "a", "", warns=True), doctor.Finding(True, "a", "")]
    assert [found.mark for found in marks] == ["BAD", "warn", "ok"]


def test_sources_without_a_token_are_among_what_doctor_finds(world, monkeypatch):
    world.config = Config.model_validate({"sources": SOURCES[:1]})
    monkeypatch.setattr(doctor, "open_runtime", lambda _: SimpleNamespace(**vars(world.runtime)))
    monkeypatch.setattr(world.store, "close", lambda: None)
    [found] = [found for found in doctor._store(world.store.home) if found.what == "source prometheus"]
    assert found.mark == "warn"
    assert "has no token" in found.text
