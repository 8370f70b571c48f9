"""Every private name of Prefect we lean on, in one place. `tests/unit/orchestration/test_prefect_contract.py` holds
each of them to what we need, so that an upgrade that moves one fails loudly there and not at 3 a.m.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect import results
from prefect._internal import control_listener
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun

from forewatch.orchestration.retry_at_once import RetryAtOnce


def mark_cancelled() -> None:
    """Tell the flow engine in this process that the cancellation it is about to see was asked for by a person.

    The engine then ends the run as Cancelled; without it, a cancelled asyncio task is recorded as Crashed.
    """
    control_listener._set_intent("cancel")


def without_suspension_observer(flow_run: FlowRun) -> FlowRun:
    """The flow run as the engine must see it at first, so that it opens no observer of suspensions.

    For a run of a deployment the engine starts a thread with a websocket of its own and waits for both, on the event
    loop, at the start and at the end of the run: 0.15-0.35 s in which a shift watches nothing and a remedy stands still
    (0.9 s under load). None of our flows can be suspended from outside. The engine decides by `deployment_id` and reads
    the whole run again before it calls the flow.
    """
    return flow_run.model_copy(update={"deployment_id": None})


def retry_at_once(client: PrefectClient) -> None:
    """Have a client try again within milliseconds where the server's SQLite was busy, see `retry_at_once.py`.

    Done on the made client: one that was given a transport is not the one Prefect looks for, and it opens another.
    """
    http = client._client
    if not isinstance(http._transport, RetryAtOnce):
        http._transport = RetryAtOnce(http._transport)


def look_up_no_result_storage() -> None:
    """Spare every flow and task of this process the question where results are kept: we keep none.

    The engine asks the server twice a flow, with a synchronous client made for the purpose, on the event loop: 40-60 ms
    each time in which a watch stands still and a remedy waits. Receipts in our own store are the memory of what was
    done; nothing of ours persists a result.
    """

    async def _nowhere_async() -> UUID | None:
        return None

    def _nowhere() -> UUID | None:
        return None

    results._aread_server_default_result_storage_block_id = _nowhere_async
    results._read_server_default_result_storage_block_id = _nowhere


def wait_for_sqlite(seconds: float) -> None:
    """Have the Prefect server of this process wait so long for a lock of its SQLite, see `prefect_server.py`.

    Done after Prefect has set up a connection with its own sixty seconds.
    """
    from prefect.server.database.configurations import AioSqliteConfiguration

    usual = AioSqliteConfiguration.setup_sqlite

    def set_up(self: AioSqliteConfiguration, conn: Any, record: Any) -> None:
        usual(self, conn, record)
        cursor = conn.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
        cursor.close()

    AioSqliteConfiguration.setup_sqlite = set_up  # type: ignore[method-assign]
