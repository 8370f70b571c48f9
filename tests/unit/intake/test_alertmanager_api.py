"""Alertmanager's v2 API, as a client sees it: shapes, status codes and what is said of mistakes."""

import asyncio
import base64
import gzip
import json
import re
import uuid

import httpx
import pytest

from forewatch.alerting.suppression import Suppression, Withheld
from forewatch.clock import iso, micros
from forewatch.config.models import Config
from forewatch.console.app import make_app
from forewatch.store import components, withheld

pytestmark = pytest.mark.unit

ALERTS = "/api/v2/alerts"
SILENCES = "/api/v2/silences"


@pytest.fixture
async def client(world):
    app = make_app(world.runtime)
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    http = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:4280")
    async with app.router.lifespan_context(app), http as client:
        yield client


@pytest.fixture
async def post(client, world):
    """Send alerts and have them processed."""

    async def post(*alerts, **others):
        answer = await client.post(ALERTS, json=list(alerts), **others)
        await asyncio.to_thread(world.drain)
        return answer

    return post


def alert(name, **labels):
    return {"labels": {"alertname": name, "severity": "warning", **labels}}


def silence(world, *matchers, hours=1, **others):
    return {
        "matchers": [{"name": "alertname", "value": "A", "isRegex": False, "isEqual": True}, *matchers],
        "startsAt": iso(world.clock.now()),
        "endsAt": iso(world.clock.now() + micros(3600 * hours)),
        "createdBy": "ada",
        "comment": "at work",
        **others,
    }


async def names(client, **query):
    answer = await client.get(ALERTS, params=query)
    assert answer.status_code == 200, answer.text
    return [one["labels"]["alertname"] for one in answer.json()]


async def test_posted_alerts_are_answered_with_an_empty_200(post):
    answer = await post(alert("A"))
    assert (answer.status_code, answer.content) == (200, b"")


async def test_an_alert_is_shown_as_alertmanager_shows_it(client, post, world):
    now = world.clock.now()
    await post(
        {
            "labels": {"alertname": "DiskFull", "instance": "db1", "severity": "critical", "empty": ""},
            "annotations": {"summary": "full"},
            "generatorURL": "http://prometheus/graph",
            "endsAt": iso(now + micros(240)),
            "startsAt": iso(now - micros(60)),
        }
    )
    (shown,) = (await client.get(ALERTS)).json()
    assert shown == {
        "labels": {"alertname": "DiskFull", "instance": "db1", "severity": "critical"},
        "annotations": {"summary": "full"},
        "generatorURL": "http://prometheus/graph",
        "startsAt": iso(now - micros(60)),
        "endsAt": iso(now + micros(240)),
        "updatedAt": iso(now),
        "fingerprint": "e94c744ae3d44df8",
        "receivers": [{"name": "console"}],
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []},
    }


async def test_an_alert_with_a_null_label_or_a_long_value_is_stored(client, post):
    answer = await post(alert("Null", pod=None), alert("Long", path="x" * 70_000), alert("Number", port=80))
    assert answer.status_code == 200
    assert sorted(await names(client)) == ["Long", "Null", "Number"]


async def test_good_alerts_of_a_bad_request_are_stored(client, post):
    answer = await post({"labels": {"alertname": ""}}, alert("Good"), {"labels": ["a"]})
    assert answer.status_code == 400
    assert answer.json() == "alert 0: at least one label pair required; alert 2: labels is not an object"
    assert await names(client) == ["Good"]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [(b"[", 400, 400), (b"{}", 400, 400), (b"", 400, 602), (b"[]", 200, None), (b"\xff", 400, 400)],
)
async def test_a_body_that_is_no_list_of_alerts_is_told_so(client, content, status, code):
    answer = await client.post(ALERTS, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert (answer.json()["code"] if answer.content else None) == code


async def test_only_json_is_taken(client):
    answer = await client.post(ALERTS, content=b"[]", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert answer.json()["message"] == 'unsupported media type "text/plain", only [application/json] are allowed'


async def test_a_body_may_be_packed_but_not_blow_up(client, world):
    world.config = Config.model_validate({"sources": [{"name": "p", "alertmanager": {}, "max_body": 2000}]})
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert (await client.post(ALERTS, content=gzip.compress(b"[]"), headers=headers)).status_code == 200
    assert (await client.post(ALERTS, content=gzip.compress(b" " * 1_000_000), headers=headers)).status_code == 413
    assert (await client.post(ALERTS, content=gzip.compress(b"[]")[:-4], headers=headers)).status_code == 400
    assert (await client.post(ALERTS, content=b"[]", headers=headers)).status_code == 400
    headers["Content-Encoding"] = "br"
    assert (await client.post(ALERTS, content=b"[]", headers=headers)).status_code == 415


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_limit_is_refused(client, world, chunked):
    world.config = Config.model_validate({"sources": [{"name": "p", "alertmanager": {}, "max_body": 2000}]})

    async def parts():
        for _ in range(30):
            yield b" " * 100

    answer = await client.post(
        ALERTS, content=parts() if chunked else b" " * 2001, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413
    assert "2000 bytes" in answer.json()["message"]


async def test_too_much_on_its_way_at_once_is_refused_for_a_moment(client, monkeypatch):
    from forewatch.console import admission

    headers = {"Content-Type": "application/json"}
    with monkeypatch.context() as patched:
        patched.setattr(admission, "MOST_HELD", 100)
        answer = await client.post(ALERTS, content=b"[" + b" " * 200 + b"]", headers=headers)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert admission._held == 0
    assert (await client.post(ALERTS, content=b"[" + b" " * 200 + b"]", headers=headers)).status_code == 200


async def test_without_a_source_there_is_no_api(client, world):
    world.config = Config.model_validate({})
    for answer in (await client.get(ALERTS), await client.post(ALERTS, json=[]), await client.get("/api/v2/status")):
        assert answer.status_code == 404
        assert "alertmanager: {}" in answer.json()["message"]
    assert (await client.get("/-/healthy")).text == "OK"


async def test_a_token_is_asked_for_where_there_is_one(client, world):
    world.config = Config.model_validate({"sources": [{"name": "p", "alertmanager": {}, "token": "right"}]})
    basic = base64.b64encode(b"anybody:right").decode()
    for headers, status in (
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic !!"}, 401),
        ({"Authorization": "Bearer right"}, 200),
        ({"Authorization": f"Basic {basic}"}, 200),
    ):
        answer = await client.post(ALERTS, json=[], headers=headers)
        assert answer.status_code == status
        assert (await client.get("/api/v2/status", headers=headers)).status_code == status


async def test_the_token_says_which_source_it_is(client, world):
    sources = [{"name": name, "alertmanager": {}, "token": f"{name}-token"} for name in ("one", "two")]
    world.config = Config.model_validate({"sources": sources})
    await client.post(ALERTS, json=[alert("A")], headers={"Authorization": "Bearer two-token"})
    await asyncio.to_thread(world.drain)
    assert world.firing()["A"].source == "two"


async def test_without_a_token_only_this_machine_may_send(world):
    app = make_app(world.runtime)
    async with app.router.lifespan_context(app):
        for host, status in (("127.0.0.1", 200), ("::1", 200), ("10.1.2.3", 403), ("testclient", 403)):
            transport = httpx.ASGITransport(app, client=(host, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:4280") as client:
                assert (await client.post(ALERTS, json=[])).status_code == status, host


async def test_a_source_may_send_so_many_requests_a_minute(client, world):
    world.config = Config.model_validate({"sources": [{"name": "p", "alertmanager": {}, "per_minute": 3}]})
    assert [(await client.post(ALERTS, json=[])).status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = await client.post(ALERTS, json=[])
    assert answer.headers["Retry-After"] == "20"
    world.clock.advance(20)
    assert [(await client.post(ALERTS, json=[])).status_code for _ in range(2)] == [200, 429]


async def test_alerts_are_filtered_by_matchers(client, post):
    await post(alert("A", team="db"), alert("B", team="web"), alert("C"))
    assert await names(client, filter='team="db"') == ["A"]
    assert await names(client, filter=['team=~"d.*|w.*"', "alertname!=A"]) == ["B"]
    assert await names(client, filter='team=""') == ["C"]
    assert sorted(await names(client, filter='team!="db"')) == ["B", "C"]


async def test_a_filter_is_read_as_alertmanager_reads_it(client, post):
    await post(alert("bar baz", instance="10.0.0.17"))
    assert await names(client, filter="alertname=bar baz") == ["bar baz"]
    assert await names(client, filter=r'instance=~"10\.0\.0\.\d+"') == ["bar baz"]
    assert await names(client, filter=r'instance=~"10\.0\.1\.\d+"') == []


@pytest.mark.parametrize("query", [{"filter": "{foo"}, {"filter": "foo=~("}, {"receiver": "("}])
async def test_a_bad_filter_is_a_400_with_a_text(client, query):
    for path in (ALERTS, f"{ALERTS}/groups"):
        answer = await client.get(path, params=query)
        assert answer.status_code == 400
        assert isinstance(answer.json(), str)


async def test_alerts_are_filtered_by_who_is_told(client, post, world):
    world.config = Config.model_validate(
        {
            "sources": [{"name": "p", "alertmanager": {}}],
            "notifiers": [{"name": "db-team", "console": {}}, {"name": "all", "console": {}}],
            "routes": [{"match": {"team": "db"}, "notify": ["db-team", "all"]}, {"notify": ["all"]}],
        }
    )
    await post(alert("A", team="db"), alert("B"))
    assert await names(client, receiver="db-team") == ["A"]
    assert await names(client, receiver="db") == [], "the pattern is anchored"
    assert await names(client, receiver="db-.*|all", filter="alertname=A") == ["A"]
    assert (await client.get("/api/v2/receivers")).json() == [{"name": "all"}, {"name": "db-team"}]
    groups = (await client.get(f"{ALERTS}/groups", params={"receiver": "db-team"})).json()
    assert [(group["receiver"]["name"], len(group["alerts"])) for group in groups] == [("db-team", 1)]


async def test_groups_follow_the_route_s_labels(client, post, world):
    world.config = Config.model_validate(
        {"sources": [{"name": "p", "alertmanager": {}}], "routes": [{"group_by": ["team"]}]}
    )
    await post(alert("A", team="db"), alert("B", team="db"), alert("C", team="web"))
    groups = (await client.get(f"{ALERTS}/groups")).json()
    shown = [(group["labels"], sorted(one["labels"]["alertname"] for one in group["alerts"])) for group in groups]
    assert shown == [({"team": "db"}, ["A", "B"]), ({"team": "web"}, ["C"])]


async def test_what_hushes_an_alert_is_named(client, post, world):
    await post(alert("Cause"), alert("Effect"), alert("Muted"))
    firing = world.firing()
    with world.store.decide() as conn:
        by = Suppression("inhibition", firing["Cause"].id, "inhibited by it")
        withheld.put(conn, Withheld(firing["Effect"].id, "", 0, (by,)), None, world.clock.now())
        by = Suppression("mute_time_interval", "weekends", "it is the weekend")
        withheld.put(conn, Withheld(firing["Muted"].id, "routes[0]", 0, (by,)), None, world.clock.now())
    shown = {one["labels"]["alertname"]: one["status"] for one in (await client.get(ALERTS)).json()}
    assert shown["Effect"]["inhibitedBy"] == [firing["Cause"].fingerprint]
    assert shown["Effect"]["state"] == "suppressed"
    assert shown["Muted"]["mutedBy"] == ["weekends"]
    assert await names(client, inhibited="false", filter="alertname=Effect") == []
    assert sorted(await names(client, active="false")) == ["Effect", "Muted"]
    assert [
        one["labels"]["alertname"]
        for group in (await client.get(f"{ALERTS}/groups", params={"muted": "false", "inhibited": "false"})).json()
        for one in group["alerts"]
    ] == ["Cause"]


async def test_a_silence_is_set_shown_and_ended(client, post, world):
    await post(alert("A"), alert("B"))
    answer = await client.post(SILENCES, json=silence(world))
    assert answer.status_code == 200
    silence_id = answer.json()["silenceID"]
    shown = (await client.get(f"/api/v2/silence/{silence_id}")).json()
    assert shown == {
        "id": silence_id,
        "matchers": [{"name": "alertname", "value": "A", "isRegex": False, "isEqual": True}],
        "startsAt": iso(world.clock.now()),
        "endsAt": iso(world.clock.now() + micros(3600)),
        "updatedAt": iso(world.clock.now()),
        "createdBy": "ada",
        "comment": "at work",
        "annotations": {},
        "status": {"state": "active"},
    }
    (hidden,) = [one for one in (await client.get(ALERTS)).json() if one["labels"]["alertname"] == "A"]
    assert hidden["status"] == {"state": "suppressed", "silencedBy": [silence_id], "inhibitedBy": [], "mutedBy": []}
    assert await names(client, silenced="false") == ["B"]
    world.clock.advance(60)
    assert (await client.delete(f"/api/v2/silence/{silence_id}")).status_code == 200
    assert (await client.delete(f"/api/v2/silence/{silence_id}")).status_code == 200, "as in Alertmanager"
    assert (await client.get(f"/api/v2/silence/{silence_id}")).json()["status"] == {"state": "expired"}
    assert len(await names(client, silenced="false")) == 2


async def test_an_edit_that_tells_the_same_story_keeps_its_id(client, world):
    first = (await client.post(SILENCES, json=silence(world))).json()["silenceID"]
    longer = {**silence(world, hours=2), "id": first}
    assert (await client.post(SILENCES, json=longer)).json()["silenceID"] == first
    other = {**silence(world, {"name": "b", "value": "c", "isRegex": False}), "id": first}
    second = (await client.post(SILENCES, json=other)).json()["silenceID"]
    assert second != first
    world.clock.advance(1)
    states = {one["id"]: one["status"]["state"] for one in (await client.get(SILENCES)).json()}
    assert states == {first: "expired", second: "active"}


async def test_silences_are_filtered_by_state_and_matchers(client, world):
    await client.post(SILENCES, json=silence(world))
    later = silence(world, {"name": "team", "value": "db", "isRegex": False}, hours=5)
    later["startsAt"] = iso(world.clock.now() + micros(3600))
    await client.post(SILENCES, json=later)

    async def states(**query):
        return [one["status"]["state"] for one in (await client.get(SILENCES, params=query)).json()]

    assert await states() == ["active", "pending"]
    assert await states(active="false") == ["pending"]
    assert await states(filter="team=db") == ["pending"]
    assert await states(pending="false", filter="team=db") == []
    assert (await client.get(SILENCES, params={"filter": "(("})).status_code == 400


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"matchers": []}, 400, "at least 1 items"),
        ({"matchers": "all"}, 400, "at least 1 items"),
        ({"matchers": [{"name": "a", "value": "", "isRegex": False}]}, 400, "must not match the empty string"),
        ({"matchers": [{"name": "a", "value": "(", "isRegex": True}]}, 400, "silence invalid"),
        ({"matchers": [{"value": "x"}]}, 400, "silence invalid"),
        ({"matchers": [3]}, 400, "silence invalid"),
        ({"comment": None}, 400, "comment in body is required"),
        ({"comment": 3}, 400, "comment in body"),
        ({"createdBy": " "}, 400, "needs its author"),
        ({"endsAt": "2020-01-01T00:00:00Z", "startsAt": "2019-01-01T00:00:00Z"}, 400, "end time can't be in the past"),
        ({"endsAt": "2020-01-01T00:00:00Z"}, 400, "start time must be before end time"),
        ({"endsAt": "soon"}, 400, "soon is not a time"),
        ({"annotations": {"a": 1}}, 400, "annotations"),
        ({"id": str(uuid.UUID(int=7))}, 404, "silence not found"),
    ],
)
async def test_a_silence_that_cannot_be_meant_is_refused(client, world, change, status, said):
    answer = await client.post(SILENCES, json={**silence(world), **change})
    assert answer.status_code == status
    assert said in answer.text
    assert (await client.get(SILENCES)).json() == []


async def test_ids_that_are_none_and_silences_that_are_not_there(client):
    unknown = uuid.UUID(int=7)
    assert (await client.get(f"/api/v2/silence/{unknown}")).status_code == 404
    assert (await client.delete(f"/api/v2/silence/{unknown}")).status_code == 404
    answer = await client.get("/api/v2/silence/abc")
    assert (answer.status_code, answer.json()["code"]) == (422, 601)


async def test_status_has_alertmanager_s_shape_and_no_secrets(client, world):
    world.config = Config.model_validate(
        {
            "sources": [{"name": "p", "alertmanager": {}}],
            "notifiers": [{"name": "hook", "webhook": {"url": "http://user:geheim@example.org"}}],
            "routes": [{"match": ['team=~"db|web"'], "notify": ["hook"], "routes": [{"match": {"a": "b"}}]}],
        }
    )
    answer = await client.get("/api/v2/status")
    status = answer.json()
    assert set(status) == {"cluster", "versionInfo", "config", "uptime"}
    assert status["cluster"] == {"name": "forewatch", "status": "disabled", "peers": []}
    tree = json.loads(status["config"]["original"])
    assert tree["route"]["routes"][0]["matchers"] == ['team=~"db|web"']
    assert tree["receivers"] == [{"name": "hook"}]
    assert "geheim" not in answer.text


async def test_reload_says_whether_the_configuration_is_in_force(client, world):
    assert (await client.post("/-/reload")).status_code == 200
    with world.store.decide() as conn:
        components.report(conn, "configuration", "down", "refused: line 3", world.clock.now())
    answer = await client.post("/-/reload")
    assert (answer.status_code, answer.text) == (500, "failed to reload config: refused: line 3")


async def test_management_answers_get_and_head(client):
    for path in ("/-/healthy", "/-/ready"):
        assert (await client.get(path)).text == "OK"
        assert (await client.head(path)).status_code == 200


async def test_a_client_reads_what_it_wrote(client, world):
    await client.post(ALERTS, json=[alert("A")])
    reading = asyncio.create_task(names(client))
    await asyncio.sleep(0.1)
    assert not reading.done()
    await asyncio.to_thread(world.drain)
    assert await reading == ["A"]


async def test_what_cannot_be_written_down_is_not_said_to_be(client, world, monkeypatch):
    from forewatch.errors import StoreUnavailable
    from forewatch.intake import writer

    def full(conn, rows):
        raise StoreUnavailable("intake.db: the disk is full")

    monkeypatch.setattr(writer.inbox, "add", full)
    monkeypatch.setattr(writer.ballast, "make_room", lambda home, error: False)
    answer = await client.post(ALERTS, json=[alert("A")])
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "the disk is full" in answer.json()["message"]


async def test_the_api_describes_itself(client):
    described = (await client.get("/openapi.json")).json()
    for path in (ALERTS, f"{ALERTS}/groups", SILENCES, "/api/v2/silence/{silence_id}", "/api/v2/receivers"):
        assert path in described["paths"]
    known = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    assert set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(described))) <= known
