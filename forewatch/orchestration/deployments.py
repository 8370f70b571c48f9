"""What people find in the Prefect UI: one deployment a flow, one a runbook, made in code at every start."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectAlreadyExists
from prefect.flows import Flow
from prefect.types.entrypoint import EntrypointType

from forewatch import __version__, registry
from forewatch.config.models import Config
from forewatch.orchestration.deployed import TAG, Deployed
from forewatch.orchestration.prefect_settings import WORK_POOL

log = logging.getLogger("forewatch.deployments")


@dataclass(frozen=True)
class Planned:
    """A deployment as we want it: `key` is how dispatch calls it, `entrypoint` is `module:attribute`."""

    key: str
    flow: Flow[..., Any]
    entrypoint: str
    description: str
    tags: tuple[str, ...]
    interval: float | None = None
    cron: str | None = None


def planned(config: Config) -> list[Planned]:
    """Every deployment of this version and configuration. No concurrency limits: Prefect cancels a limited run when
    its lease cannot be renewed, which is just when it is needed (a 17 s outage was enough)."""
    wanted = []
    for flow, schedule, entrypoint in registry.load("flows")(config.shifts.length, benchmarks_every(config)):
        wanted.append(
            Planned(
                key=flow.name,
                flow=flow,
                entrypoint=entrypoint,
                description=flow.description or "",
                tags=(TAG, "shift" if flow.name in SHIFT_NAMES else "flow"),
                interval=schedule if isinstance(schedule, float) else None,
                cron=schedule if isinstance(schedule, str) else None,
            )
        )
    for runbook in registry.load("runbooks")(config.runbook_folders).runbooks.values():
        wanted.append(
            Planned(
                key=runbook.name,
                flow=runbook.flow,
                entrypoint=runbook.entrypoint,
                description=runbook.description,
                tags=(TAG, "runbook"),
            )
        )
    return wanted


def benchmarks_every(config: Config) -> float | None:
    """How often to look whose load test is due; None where there are none, since each look is a flow run."""
    waits = [benchmark.every for service in config.services for benchmark in service.benchmarks]
    return min((*waits, BENCHMARKS_EVERY)) if waits else None


BENCHMARKS_EVERY = 300.0
SHIFT_NAMES = frozenset({"check-health", "collect-metrics", "page-people"})


async def deploy(client: PrefectClient, config: Config) -> Mapping[str, Deployed]:
    """Make or update the work pool and all deployments; those of runbooks that are gone are deleted. By key."""
    try:
        await client.create_work_pool(
            WorkPoolCreate(name=WORK_POOL, type=WORK_POOL, description="Runs Forewatch's flows in warm processes.")
        )
    except ObjectAlreadyExists:
        log.debug("the work pool is there")
    deployed = {}
    for plan in planned(config):
        deployment = RunnerDeployment.from_flow(
            plan.flow,
            name=plan.key,
            interval=timedelta(seconds=plan.interval) if plan.interval else None,
            cron=plan.cron,
            description=plan.description,
            tags=list(plan.tags),
            version=__version__,
            work_pool_name=WORK_POOL,
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        deployment.entrypoint = plan.entrypoint
        deployed[plan.key] = Deployed(await deployment.aapply(), plan.key, plan.entrypoint)
    await _delete_stale(client, deployed)
    return deployed


async def _delete_stale(client: PrefectClient, deployed: Mapping[str, Deployed]) -> None:
    ours = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    known = {entry.id for entry in deployed.values()}
    for found in await client.read_deployments(deployment_filter=ours, limit=200):
        if found.id not in known:
            log.info("deleting the deployment %s: its flow is gone", found.name)
            await client.delete_deployment(found.id)
