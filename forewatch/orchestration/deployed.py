"""Which deployments there are, as the worker knows them: without the flows themselves, which only children import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags

TAG = "forewatch"
"""What every deployment of ours is tagged with."""


@dataclass(frozen=True)
class Deployed:
    """What the worker needs to know of a deployment."""

    id: UUID
    key: str
    entrypoint: str


async def still_there(client: PrefectClient, deployed: Mapping[str, Deployed]) -> bool:
    """Whether the server has all of them: after an outage it has, unless its database was lost."""
    ours = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    known = {found.id for found in await client.read_deployments(deployment_filter=ours, limit=200)}
    return bool(deployed) and all(entry.id in known for entry in deployed.values())
