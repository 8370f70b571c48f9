"""Running one flow run in this process, the way Prefect's engine wants it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.context import AsyncClientContext
from prefect.exceptions import Abort, CancelledRun, FailedRun, Pause, PrefectException, UnfinishedRun
from prefect.flow_engine import run_flow
from prefect.flows import Flow, load_flow_from_flow_run
from prefect.settings import get_current_settings
from prefect.states import Crashed

from forewatch import registry
from forewatch.errors import ActionRefused, Fenced
from forewatch.guard import sentry
from forewatch.home import Home
from forewatch.orchestration.flow_run_notes import forget_flow_run, note_flow_run
from forewatch.orchestration.prefect_private import retry_at_once, without_suspension_observer
from forewatch.runtime import runtime

log = logging.getLogger("forewatch.runs")

CONNECT_TIMEOUT = 2.0

AWAY = (httpx.HTTPError, PrefectException, OSError, TimeoutError)
"""What a Prefect client raises when the server is away, restarting or refuses."""


@dataclass(frozen=True)
class FlowJob:
    """What the worker hands a child: the flow run as JSON, and where its flow is (`module:attribute`) if it knows."""

    flow_run: str
    entrypoint: str | None = None


async def server_listens(timeout: float = 0.2) -> bool:
    """Whether anything listens at the API's address: a millisecond's look before a client waits and retries."""
    url = urlsplit(str(get_current_settings().api.url))
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(url.hostname, url.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def connect(stack: contextlib.AsyncExitStack) -> bool:
    """Open the client that flow runs in this context will share. False where Prefect is away: they open their own."""
    if not await server_listens():
        return False
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            context = AsyncClientContext()
            retry_at_once(context.client)
            await stack.enter_async_context(context)
            # The first POST fetches the token that the server's CSRF protection asks for; have that behind us.
            await context.client.read_flow_runs(limit=1)
    except AWAY as error:
        log.debug("not connected to Prefect ahead of time: %s", error)
        return False
    return True


async def run_flow_job(job: FlowJob) -> int:
    """Run a flow run to its end; returns the exit code: 0 where Prefect has been told how it ended, else 1.

    A flow that fails has told Prefect so and is a 0 here; 1 makes the worker report a crash.
    """
    flow_run = FlowRun.model_validate_json(job.flow_run)
    home = Home.from_env()
    note_flow_run(home, flow_run.id)
    try:
        return await _run(job, flow_run)
    finally:
        forget_flow_run(home, flow_run.id)


async def _run(job: FlowJob, flow_run: FlowRun) -> int:
    try:
        flow = await _load(job, flow_run)
    except Exception as error:  # noqa: BLE001 - a runbook file may raise anything; Prefect is told what
        sentry.report(error, flow_run_id=flow_run.id, flow_run_url=_url(flow_run))
        log.error("the flow of %s cannot be loaded: %s", flow_run.name, error)
        async with get_client() as client:
            await client.set_flow_run_state(flow_run.id, Crashed(message=f"Cannot load the flow: {error}"), force=True)
        return 0
    try:
        # `run_flow` returns a coroutine for an async flow; all of ours are.
        with sentry.scope(flow=flow.name, flow_run_id=flow_run.id, flow_run_url=_url(flow_run)):
            await run_flow(flow, flow_run=without_suspension_observer(flow_run))  # type: ignore[misc]
    except (Abort, Pause):
        return 0
    except (FailedRun, CancelledRun, UnfinishedRun, ActionRefused, Fenced) as error:
        # The flow said itself that it failed, or was not to act: no fault of ours.
        log.info("%s ended: %s", flow_run.name, error)
        return 0
    except (httpx.HTTPError, PrefectException) as error:
        log.error("%s: Prefect does not answer: %s", flow_run.name, error)
        return 1
    except Exception as error:  # noqa: BLE001 - a flow may raise anything, and Sentry is told what
        # The engine has recorded the failure before it raises it again; where it could not, the worker finds the run
        # without a final state.
        sentry.report(error)
        log.error("%s failed: %s", flow_run.name, error)
        return 1 if isinstance(error, OSError) else 0
    return 0


async def respond_without_prefect(run_id: str, carrier: str) -> int:
    """Carry out a run while Prefect is away; returns the exit code. `carrier` names this process as its carrier, where
    else the flow run's id does. Prefect gets the record once it is back, see `run_records.record_later`."""
    here = runtime()
    note_flow_run(here.home, carrier)
    try:
        with sentry.scope(flow="respond"):
            await registry.load("carry_out")(here, run_id, carrier)
    except Exception as error:  # noqa: BLE001 - a runbook may raise anything; by now it is decided upon and reported
        log.info("%s ended: %s", run_id, error)
    finally:
        forget_flow_run(here.home, carrier)
    return 0


def _url(flow_run: FlowRun) -> str:
    return f"{get_current_settings().ui_url or ''}/runs/flow-run/{flow_run.id}"


async def _load(job: FlowJob, flow_run: FlowRun) -> Flow[..., Any]:
    if job.entrypoint is None:
        return await load_flow_from_flow_run(flow_run)
    module, _, attribute = job.entrypoint.rpartition(":")
    if module.endswith(".py"):
        # A user's runbook: a file outside any package.
        loaded = registry.load("runbook_flow")(job.entrypoint)
    else:
        loaded = getattr(import_module(module), attribute)
    if not isinstance(loaded, Flow):
        raise TypeError(f"{job.entrypoint} is not a flow")
    return loaded
