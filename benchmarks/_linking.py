"""Did a restart leave its records? A trial counts only if they can all be read afterwards and name each other. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

RESTART_STEP = "start-service"
SENT = "remedy-sent"
"""Code of the reason in the decision that sent the run."""


@dataclass(frozen=True)
class Records:
    """What Prefect's API and the store say of one restart. `None` where nothing was found.

    `flow_run` and `task_runs` as Prefect's API gives them, the task runs of subflows among them; `decisions` are the
    reasons `{code, text, subjects}` of all decisions about the run; `why` is what `forewatch why` prints of it.
    """

    incident: str | None
    run: str | None
    run_incident: str | None
    run_flow_run: str | None
    flow_run: Mapping[str, Any] | None
    task_runs: Sequence[Mapping[str, Any]]
    decisions: Sequence[Mapping[str, Any]]
    why: Sequence[str]


def missing(records: Records) -> list[str]:
    """What is not there or not linked, one phrase each; none for a restart that can be audited."""
    if records.incident is None:
        return ["no incident"]
    if records.run is None or records.run_incident != records.incident:
        return ["no run of the incident"]
    return [*_flow_run(records), *_step(records), *_decision(records)]


def _flow_run(records: Records) -> Iterator[str]:
    found = records.flow_run
    if found is None or found["id"] != records.run_flow_run:
        yield "no flow run of the run"
        return
    if found["state_type"] != "COMPLETED":
        yield f"the flow run is {found['state_type']}"
    for mark in (records.incident, records.run):
        if mark not in found["tags"]:
            yield f"the flow run does not carry the tag {mark}"


def _step(records: Records) -> Iterator[str]:
    steps = [one for one in records.task_runs if str(one["name"]).startswith(RESTART_STEP)]
    if not steps:
        yield f"no task run {RESTART_STEP}"
    elif all(one["state_type"] != "COMPLETED" for one in steps):
        yield f"the task run {RESTART_STEP} is {steps[0]['state_type']}"


def _decision(records: Records) -> Iterator[str]:
    sent = [one for one in records.decisions if one["code"] == SENT and records.run in one["subjects"]]
    if not sent:
        yield "no decision that sent the run"
    elif all(records.incident not in one["subjects"] for one in sent):
        yield "the decision does not name the incident"
    elif not any(one["text"] in line for one in sent for line in records.why):
        yield "forewatch why does not tell the decision"
