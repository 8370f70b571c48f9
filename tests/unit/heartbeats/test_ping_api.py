"""`/ping/...` answers as healthchecks does, and a 200 means that the call is stored."""

from __future__ import annotations

import pytest
from heartbeat_jobs import TOKEN

from forewatch.checking.heartbeats import key_of
from forewatch.config.secrets import Secret
from forewatch.errors import StoreUnavailable
from forewatch.store import pings

pytestmark = pytest.mark.unit

KEY = key_of(TOKEN)
A, B = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def state(store):
    with store.read() as conn:
        return pings.get(conn, KEY)


def calls(store):
    with store.read() as conn:
        return pings.last(conn, KEY)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_a_call_is_answered_with_ok_and_stored(client, store, method):
    answer = await client.request(method, f"/ping/{TOKEN}")
    assert answer.status_code == 200
    assert answer.text == ("" if method == "HEAD" else "OK")
    assert answer.headers["Ping-Body-Limit"] == "10000"
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert state(store).status == "up"
    assert [call.kind for call in calls(store)] == ["success"]


@pytest.mark.parametrize(
    ("path", "kind", "code", "status"),
    [
        ("", "success", 0, "up"),
        ("/", "success", 0, "up"),
        ("/0", "success", 0, "up"),
        ("/start", "start", None, "new"),
        ("/log", "log", None, "new"),
        ("/fail", "fail", None, "down"),
        ("/fail/", "fail", None, "down"),
        ("/1", "fail", 1, "down"),
        ("/255", "fail", 255, "down"),
    ],
)
async def test_the_path_says_how_the_job_went(client, store, path, kind, code, status):
    answer = await client.post(f"/ping/{TOKEN}{path}", content=b"last words")
    assert (answer.status_code, answer.text) == (200, "OK")
    [call] = calls(store)
    assert (call.kind, call.code, call.body) == (kind, code, "last words")
    assert state(store).status == status


async def test_a_token_is_one_in_capitals_too(client, store):
    assert (await client.get(f"/ping/{TOKEN.upper()}")).status_code == 200
    assert state(store).status == "up"


@pytest.mark.parametrize(
    "path", ["nobody", f"{TOKEN}x", f"{TOKEN}/256", f"{TOKEN}/-1", f"{TOKEN}/stop", f"{TOKEN}/1.5", f"{TOKEN}/9999999"]
)
async def test_a_url_that_is_none_is_answered_with_400(client, store, path):
    answer = await client.get(f"/ping/{path}")
    assert (answer.status_code, answer.text) == (400, "invalid url format")
    assert state(store) is None


async def test_a_run_id_that_is_none_is_answered_with_400(client, store):
    answer = await client.get(f"/ping/{TOKEN}/start?rid=7")
    assert (answer.status_code, answer.text) == (400, "invalid uuid format")
    assert calls(store) == []


async def test_a_job_that_is_not_configured_is_answered_with_404(client, store):
    answer = await client.get(f"/ping/{A}")
    assert (answer.status_code, answer.text) == (404, "not found")


async def test_other_methods_are_refused(client):
    assert (await client.put(f"/ping/{TOKEN}")).status_code == 405
    assert (await client.delete(f"/ping/{TOKEN}/fail")).status_code == 405


async def test_overlapping_runs_are_paired_by_their_ids(client, store, serving):
    await client.get(f"/ping/{TOKEN}/start?rid={A}")
    serving.clock.advance(20)
    await client.get(f"/ping/{TOKEN}/start?rid={B}")
    serving.clock.advance(20)
    await client.get(f"/ping/{TOKEN}?rid={A}")
    serving.clock.advance(30)
    await client.get(f"/ping/{TOKEN}/7?rid={B}")
    assert [(call.kind, call.rid, call.duration) for call in calls(store)] == [
        ("fail", B, 50.0), ("success", A, 40.0), ("start", B, None), ("start", A, None),
    ]  # fmt: skip


async def test_of_a_long_body_the_beginning_is_kept(client, store):
    await client.post(f"/ping/{TOKEN}/log", content=b"a" * 9_999 + "é".encode() + b"b" * 500_000)
    [call] = calls(store)
    assert call.body == "a" * 9_999 + "\ufffd"


async def test_secrets_in_a_body_are_masked_before_they_are_stored(client, store):
    await client.post(f"/ping/{TOKEN}/fail", content=b"cannot log in: password=hunter2222")
    [call] = calls(store)
    assert "hunter2222" not in call.body + state(store).words
    assert state(store).words == "cannot log in: password=***"


async def test_more_than_five_calls_a_minute_are_dropped_with_429_until_the_minute_is_over(client, store, serving):
    answers = [(await client.get(f"/ping/{TOKEN}")).status_code for _ in range(7)]
    assert answers == [200] * 5 + [429] * 2
    assert len(calls(store)) == 5
    serving.clock.advance(61)
    assert (await client.get(f"/ping/{TOKEN}")).status_code == 200


async def test_no_failure_and_no_success_that_ends_one_is_ever_dropped(client, store):
    for _ in range(5):
        await client.get(f"/ping/{TOKEN}")
    assert (await client.get(f"/ping/{TOKEN}/start")).status_code == 429
    for _ in range(3):
        assert (await client.get(f"/ping/{TOKEN}/fail")).status_code == 200
        assert state(store).status == "down"
        assert (await client.get(f"/ping/{TOKEN}")).status_code == 200
        assert state(store).status == "up"


async def test_one_job_cannot_use_up_anothers_calls(client, store, serving):
    serving.jobs.append({"token": A, "period": 60.0})
    for _ in range(6):
        await client.get(f"/ping/{TOKEN}")
    assert (await client.get(f"/ping/{A}")).status_code == 200


async def test_the_last_hundred_calls_of_a_job_are_kept(client, store):
    for number in range(105):
        await client.post(f"/ping/{TOKEN}/fail", content=str(number).encode())
    assert [call.body for call in calls(store)] == [str(number) for number in range(104, 4, -1)]


async def test_a_job_that_is_configured_later_is_known_then(client, serving):
    assert (await client.get(f"/ping/{A}")).status_code == 404
    serving.jobs.append({"token": A, "cron": "0 3 * * *"})
    serving.version = 2
    assert (await client.get(f"/ping/{A}")).status_code == 200


async def test_while_a_token_cannot_be_read_an_unknown_one_is_to_try_again(client, serving, monkeypatch):
    monkeypatch.delenv("JOB_TOKEN", raising=False)
    serving.jobs.append({"token": Secret("env:JOB_TOKEN"), "period": 60.0})
    assert (await client.get(f"/ping/{A}")).status_code == 503
    assert (await client.get(f"/ping/{TOKEN}")).status_code == 200
    monkeypatch.setenv("JOB_TOKEN", A)
    assert (await client.get(f"/ping/{A}")).status_code == 200


async def test_a_call_that_cannot_be_stored_is_not_answered_with_ok(client, store, monkeypatch):
    def refuse():
        raise StoreUnavailable("decisions.db: the disk is full; free some space")

    monkeypatch.setattr(store, "decide", refuse)
    assert (await client.get(f"/ping/{TOKEN}")).status_code == 503


async def test_a_call_is_committed_to_a_file_that_is_synced_at_every_commit(client, store):
    await client.get(f"/ping/{TOKEN}")
    with store.decide() as conn:
        assert conn.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL
        assert conn.exec_driver_sql("SELECT count(*) FROM pings").scalar_one() == 1
