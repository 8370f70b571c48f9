"""A run: one execution of a runbook, from being asked for to being verified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

RunState = Literal["waiting", "claimed", "started", "acted", "done", "failed", "cancelled", "refused"]
RunKind = Literal["respond", "runbook"]
UNRECORDED = "unrecorded-"
"""Begins the name of who carries a run out while Prefect is away."""
UNDER_WAY: tuple[RunState, ...] = ("waiting", "claimed", "started", "acted")


@dataclass(frozen=True)
class Run:
    """`RUN-n`. `remedy` is `<service>/<runbook>`, by which limits are counted; None for a run a person started."""

    id: str
    kind: RunKind
    runbook: str
    service: str | None
    incident_id: str | None
    alert_id: str | None
    remedy: str | None
    inputs: dict[str, Any]
    autonomy: str
    requested_by: str
    state: RunState
    attempts: int
    flow_run_id: str | None
    """Who carries it out: a flow run of Prefect, or a process for which Prefect has yet to be told of one."""
    created_at: int
    started_at: int | None
    acted_at: int | None
    finished_at: int | None
    outcome: str | None
    verified: str | None

    @property
    def flow_run(self) -> str | None:
        """The flow run that Prefect knows it by, if any yet."""
        return None if self.flow_run_id is None or self.flow_run_id.startswith(UNRECORDED) else self.flow_run_id
