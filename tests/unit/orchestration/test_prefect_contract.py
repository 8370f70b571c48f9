"""What we need of Prefect that it does not promise. An upgrade that breaks one of these must fail here."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path

import pytest
from prefect import results
from prefect._internal import control_listener
from prefect.context import AsyncClientContext
from prefect.flow_engine import run_flow, run_flow_async
from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.workers.base import BaseWorker

from forewatch.orchestration import prefect_private

pytestmark = pytest.mark.unit


def test_a_cancellation_marked_by_us_is_what_the_engine_asks_for() -> None:
    assert control_listener.get_intent() is None
    try:
        prefect_private.mark_cancelled()
        assert control_listener.get_intent() == "cancel"
    finally:
        control_listener.clear_intent()


def test_the_engine_looks_at_the_intent_when_a_task_is_cancelled() -> None:
    source = inspect.getsource(run_flow_async.__globals__["AsyncFlowRunEngine"].initialize_run)
    assert '_termination_intent() == "cancel"' in source


def test_the_engine_observes_suspensions_of_deployments_only_and_reads_the_run_again_before_the_flow() -> None:
    engine = run_flow_async.__globals__["AsyncFlowRunEngine"]
    assert "if self.flow_run.deployment_id:" in inspect.getsource(engine.setup_flow_run_suspension_request)
    assert "self.flow_run = await client.read_flow_run(" in inspect.getsource(engine.setup_run_context)


def test_the_engine_asks_for_a_result_storage_only_where_we_answer_for_it() -> None:
    for name in ("_get_default_result_storage", "_aget_default_result_storage"):
        assert "read_server_default_result_storage_block_id()" in inspect.getsource(getattr(results, name))
    prefect_private.look_up_no_result_storage()
    assert results._read_server_default_result_storage_block_id() is None
    assert asyncio.run(results._aread_server_default_result_storage_block_id()) is None


def test_an_async_flow_can_be_run_for_an_existing_flow_run() -> None:
    assert {"flow", "flow_run"} <= set(inspect.signature(run_flow).parameters)


def test_a_client_context_opened_before_is_reused_by_the_engine() -> None:
    assert inspect.isasyncgenfunction(inspect.unwrap(AsyncClientContext.get_or_create.__func__))


@pytest.mark.parametrize(
    "name", ["get_and_submit_flow_runs", "sync_with_backend", "setup", "teardown", "run", "client"]
)
def test_the_worker_base_class_still_offers(name: str) -> None:
    assert hasattr(BaseWorker, name)


def test_the_worker_base_class_still_takes_what_we_pass() -> None:
    assert {"work_pool_name", "name", "prefetch_seconds"} <= set(inspect.signature(BaseWorker.__init__).parameters)


async def test_the_servers_patience_with_its_own_lock_can_be_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AioSqliteConfiguration, "setup_sqlite", AioSqliteConfiguration.setup_sqlite)
    prefect_private.wait_for_sqlite(3.0)
    engine = await AioSqliteConfiguration(f"sqlite+aiosqlite:///{tmp_path / 'server.db'}").engine()
    async with engine.connect() as conn:
        assert (await conn.exec_driver_sql("PRAGMA busy_timeout")).scalar() == 3000
    await engine.dispose()
