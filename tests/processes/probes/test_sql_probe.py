import asyncio
import os
import signal
import sqlite3
import time

import pytest
from postgres import PASSWORD, binaries, running

from forewatch.config.secrets import Secret

SLOW = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r"


@pytest.fixture
def jobs(tmp_path):
    """A SQLite file with three jobs in it; its URL, relative to the configuration's folder."""
    with sqlite3.connect(tmp_path / "jobs.db") as conn:
        conn.execute("CREATE TABLE jobs (id INTEGER, name TEXT, share REAL)")
        conn.executemany("INSERT INTO jobs VALUES (?, ?, ?)", [(1, "a", 0.5), (2, "b", 1.5), (3, "c", None)])
    conn.close()
    return "sqlite:///jobs.db"


async def test_a_database_that_answers_passes(ask, jobs):
    result = await ask(sql={"url": jobs, "query": "SELECT * FROM jobs"})
    assert result.ok
    assert result.reason.startswith("3 rows after ")
    assert result.details == {"rows": 3, "value": 1}
    assert (await ask(sql={"url": jobs})).ok


@pytest.mark.parametrize(
    ("query", "expect", "reason"),
    [
        ("SELECT count(*) FROM jobs", {"value": 3}, None),
        ("SELECT count(*) FROM jobs", {"value": 4}, "the query found 3, expected 4"),
        ("SELECT count(*) < 10 FROM jobs", {"value": True}, None),
        ("SELECT name FROM jobs ORDER BY id", {"value": "a", "rows": 3}, None),
        ("SELECT sum(share) FROM jobs", {"value": 2}, None),
        ("SELECT share FROM jobs WHERE id = 3", {"value": 1}, "the query found None, expected 1"),
        ("SELECT * FROM jobs WHERE id > 9", {"value": 1}, "the query found nothing, expected 1"),
        ("SELECT * FROM jobs WHERE id > 9", {"rows": 0}, None),
        ("SELECT * FROM jobs", {"rows": 1}, "the query found 3 rows, expected 1"),
        ("SELECT nosuch FROM jobs", {}, "the database says: no such column: nosuch"),
    ],
)
async def test_value_and_rows_are_judged_in_plain_words(ask, jobs, query, expect, reason):
    result = await ask(sql={"url": jobs, "query": query}, expect=expect)
    assert result.ok == (reason is None)
    if reason is not None:
        assert result.reason == reason


AS_PEOPLE_WRITE_IT = [
    ("SELECT 'at :noon'", "at :noon"),
    ("SELECT '{\"a\":1}'", '{"a":1}'),
    ("SELECT '100 % :a'", "100 % :a"),
    ("SELECT '%s %(a)s'", "%s %(a)s"),
    ("SELECT 'why? ?1 @p $x'", "why? ?1 @p $x"),
    (r"SELECT 'C:\new \:x'", r"C:\new \:x"),
    ("SELECT 'a' -- :not %s\n", "a"),
    ("SELECT 7 % 4", 3),
]


@pytest.mark.parametrize(("query", "value"), AS_PEOPLE_WRITE_IT)
async def test_a_query_goes_to_the_database_as_it_stands(ask, jobs, query, value):
    result = await ask(sql={"url": jobs, "query": query}, expect={"value": value})
    assert result.ok, result.reason


async def test_a_condition_on_json_text_is_no_place_for_a_value(ask, jobs, tmp_path):
    with sqlite3.connect(tmp_path / "jobs.db") as conn:
        conn.execute("INSERT INTO jobs (name) VALUES (?)", ('{"a":1}',))
    conn.close()
    query = "SELECT count(*) FROM jobs WHERE name = '{\"a\":1}'"
    assert (await ask(sql={"url": jobs, "query": query}, expect={"value": 1})).ok


async def test_looking_at_a_database_never_makes_or_changes_one(ask, jobs, tmp_path):
    missing = await ask(sql={"url": "sqlite:///missing.db"})
    assert missing.reason == "the database says: unable to open database file"
    assert not (tmp_path / "missing.db").exists()
    result = await ask(sql={"url": jobs, "query": "DELETE FROM jobs"})
    assert result.reason == "the database says: attempt to write a readonly database"
    assert (await ask(sql={"url": jobs, "query": "SELECT count(*) FROM jobs"}, expect={"value": 3})).ok


async def test_a_query_that_never_ends_is_ended_and_holds_up_nobody(ask, jobs):
    beats = 0

    async def beat():
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    beating = asyncio.create_task(beat())
    result = await ask(sql={"url": jobs, "query": SLOW}, timeout="500ms")
    beating.cancel()
    assert result.reason.startswith("no answer from ")
    assert result.reason.endswith("jobs.db within 500 ms")
    assert result.duration < 1
    assert beats > 20


async def test_a_flood_of_rows_ends_at_the_cap(ask, jobs):
    endless = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r"
    result = await ask(sql={"url": jobs, "query": endless}, timeout="5s")
    assert result.ok
    assert result.reason.startswith("10000 or more rows after ")


async def test_a_password_is_never_said(ask, monkeypatch, caplog):
    for url in (
        "postgresql://shop:hunter2222@127.0.0.1:1/shop",
        "postgresql://shop:hunter2222@[::1/shop",
        "nosuch://shop:hunter2222@127.0.0.1:1/shop",
        "mssql+pyodbc://shop:hunter2222@127.0.0.1:1/shop",
        "postgresql+asyncpg://shop@127.0.0.1:1/shop?password=hunter2222",
    ):
        monkeypatch.setenv("DATABASE", url)
        for given in (url, Secret("env:DATABASE")):
            result = await ask(sql={"url": given})
            assert not result.ok
            assert "hunter2222" not in f"{result} {caplog.text}"


async def test_what_cannot_be_reached_or_loaded_is_told(ask):
    refused = await ask(sql={"url": "postgresql://shop@127.0.0.1:1/shop"})
    assert refused.reason == "refused by 127.0.0.1:1"
    unknown = await ask(sql={"url": "nosuch://127.0.0.1/x"})
    assert unknown.reason == "could not be checked: no database is called nosuch"
    without = await ask(sql={"url": "mysql://127.0.0.1/x"})
    assert "needs the Python package" in without.reason


pytest_postgres = pytest.mark.skipif(binaries() is None, reason="there is no PostgreSQL here (Debian: postgresql)")


@pytest.fixture(scope="module")
def server():
    with running() as (port, process):
        yield f"postgresql://orders_reader:{PASSWORD}@127.0.0.1:{port}/postgres", port, process


@pytest_postgres
async def test_postgresql_answers(ask, server, monkeypatch):
    url, _, _ = server
    monkeypatch.setenv("DATABASE", url)
    assert (await ask(sql={"url": Secret("env:DATABASE")})).ok
    result = await ask(sql={"url": url, "query": "SELECT 1.50::numeric"}, expect={"value": 1.5, "rows": 1})
    assert result.ok
    assert (await ask(sql={"url": url, "query": "SELECT count(*) < 10 FROM pg_class"}, expect={"value": False})).ok
    assert (await ask(sql={"url": url, "query": "SHOW server_encoding"})).ok
    wrong = await ask(sql={"url": url, "query": "SELECT * FROM nosuch"})
    assert wrong.reason == 'the database says: relation "nosuch" does not exist'


@pytest_postgres
@pytest_postgres
@pytest.mark.parametrize(
    ("query", "value"), [*AS_PEOPLE_WRITE_IT, ("SELECT '7'::int", 7), ("SELECT '[1,2]'::jsonb ? 'a'", False)]
)
async def test_a_query_goes_to_postgresql_as_it_stands(ask, server, query, value):
    result = await ask(sql={"url": server[0], "query": query}, expect={"value": value})
    assert result.ok, result.reason


async def test_postgresql_is_only_read(ask, server):
    url, _, _ = server
    result = await ask(sql={"url": url, "query": "CREATE TABLE made (id int)"})
    assert result.reason == "the database says: cannot execute CREATE TABLE in a read-only transaction"


@pytest_postgres
async def test_postgresql_refuses_a_wrong_password_without_our_telling_it(ask, server):
    _, port, _ = server
    result = await ask(sql={"url": f"postgresql://orders_reader:wrong-passw0rd@127.0.0.1:{port}/postgres"})
    assert result.reason == 'the database says: password authentication failed for user "orders_reader"'
    none = await ask(sql={"url": f"postgresql://orders_reader:{PASSWORD}@127.0.0.1:{port}/nosuch"})
    assert none.reason == 'the database says: database "nosuch" does not exist'


@pytest_postgres
async def test_a_long_query_of_postgresql_is_cancelled_there_too(ask, server):
    url, _, _ = server
    result = await ask(sql={"url": url, "query": "SELECT pg_sleep(47)"}, timeout="500ms")
    assert result.reason.endswith("within 500 ms")
    assert result.duration < 1
    running_still = {
        "url": url,
        "query": "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(47)%' "
        "AND pid <> pg_backend_pid()",
    }
    until = time.monotonic() + 5
    while not (result := await ask(sql=running_still, expect={"value": 0})).ok and time.monotonic() < until:
        await asyncio.sleep(0.1)
    assert result.ok


@pytest_postgres
async def test_many_rows_of_postgresql_are_not_all_fetched(ask, server):
    url, _, _ = server
    result = await ask(sql={"url": url, "query": "SELECT generate_series(1, 50000000)"}, timeout="10s")
    assert result.reason.startswith("10000 or more rows")
    assert result.duration < 5


@pytest_postgres
async def test_a_postgresql_that_stands_still_costs_one_thread_and_the_timeout(ask, server):
    url, _, process = server
    os.kill(process.pid, signal.SIGSTOP)
    try:
        result = await ask(sql={"url": url}, timeout="500ms")
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert result.reason.startswith("no answer from 127.0.0.1:")
    assert result.duration < 1
    assert (await ask(sql={"url": url}, timeout="5s")).ok
