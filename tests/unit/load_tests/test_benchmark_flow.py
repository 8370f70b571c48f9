"""The flow's body without Prefect: what is due is run, one after the other, or skipped with the reason."""

from __future__ import annotations

import asyncio
import importlib
from types import SimpleNamespace

import pytest
from shop_with_benchmark import CONFIG, config_of

from forewatch.load_tests import benchmarks, runner
from forewatch.store import benchmark_runs

pytestmark = pytest.mark.unit

# By its full name: the package has the flow of the same name in its place.
module = importlib.import_module("flows.benchmark")


@pytest.fixture
def flow(shop, monkeypatch):
    """The flow as a plain function, its loads measured by hand; `pages` are its artifacts, `loads` what was sent."""
    made = SimpleNamespace(pages=[], loads=[], at_once=0, slower=1.0)

    async def run(load, clock):
        made.at_once += 1
        assert made.at_once == 1, "two loads at once"
        await asyncio.sleep(0)
        made.at_once -= 1
        made.loads.append(load.url)
        return shop.measured(made.slower)

    async def publish(**artifact):
        made.pages.append(artifact["markdown"])

    context = SimpleNamespace(
        home=shop.store.home,
        store=shop.store,
        clock=shop.clock,
        configuration=SimpleNamespace(current=lambda: (1, shop.config)),
    )
    monkeypatch.setattr(module, "runtime", lambda: context)
    monkeypatch.setattr(module, "put_load", module.put_load.fn)
    monkeypatch.setattr(module, "acreate_markdown_artifact", publish)
    monkeypatch.setattr(runner, "run", run)
    made.run = module.benchmark.fn
    return made


async def test_all_that_is_due_is_run_once_and_shown(flow, shop):
    assert await flow.run() == "3 of 3 due benchmarks run"
    assert flow.loads == ["http://127.0.0.1:8081/", "http://127.0.0.1:8081/inbox", "http://127.0.0.1:8080/"]
    assert "| shop/front | young | 10 runs are needed to compare, there are 1 |" in flow.pages[0]
    assert await flow.run() == "0 of 0 due benchmarks run"
    assert len(flow.pages) == 1
    with shop.store.read_metrics() as conn:
        assert len(benchmark_runs.newest(conn, "shop", "front", 10)) == 1


async def test_a_service_in_trouble_is_skipped_with_the_reason_and_stays_due(flow, shop):
    shop.fails("stock")
    assert await flow.run() == "2 of 3 due benchmarks run"
    assert "| shop/front | skipped | INC-1 of stock is open |" in flow.pages[0]
    assert "http://127.0.0.1:8080/" not in flow.loads
    assert [service for service, _ in benchmarks.due(shop.store, shop.config, shop.clock.now())] == ["shop"]


async def test_one_that_cannot_be_run_does_not_keep_the_others(flow, shop, monkeypatch):
    monkeypatch.delenv("MAIL_URL", raising=False)
    shop.config = config_of(CONFIG.replace('"http://127.0.0.1:8081/"', "!secret env:MAIL_URL"))
    assert await flow.run() == "2 of 3 due benchmarks run"
    assert "| mail/send | failed | secret env:MAIL_URL: the environment variable MAIL_URL is not set |" in flow.pages[0]


async def test_while_another_process_puts_a_load_on_it_leaves_at_once(flow, shop):
    with benchmarks.one_at_a_time(shop.store.home):
        assert await flow.run() == "not needed: another load is under way"
    assert flow.loads == []


async def test_what_became_slower_raises_its_alert_and_what_is_gone_ends_it(flow, shop):
    shop.runs(15)
    flow.slower = 1.5
    for _ in range(3):
        await flow.run()
        shop.clock.advance(86_400)
    assert len(shop.firing()) == 1
    shop.config = config_of("services: [{name: shop}]")
    assert await flow.run() == "0 of 0 due benchmarks run"
    assert shop.firing() == []


async def test_after_its_budget_it_begins_no_further_load(flow, shop, monkeypatch):
    monkeypatch.setattr(module, "BUDGET", -1.0)
    assert await flow.run() == "0 of 3 due benchmarks run"


def test_it_is_scheduled_only_where_there_are_benchmarks():
    from forewatch.orchestration.deployments import benchmarks_every

    assert benchmarks_every(config_of("services: [{name: shop}]")) is None
    assert benchmarks_every(config_of(CONFIG)) == 300.0
    assert benchmarks_every(config_of(CONFIG.replace("every: 30m", "every: 60s"))) == 60.0
