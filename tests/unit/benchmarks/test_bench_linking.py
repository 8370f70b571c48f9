"""A healed trial counts only if its records can be read and name each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks._linking import Records, missing
from benchmarks.time_to_heal import STAGES, stages_of

pytestmark = pytest.mark.unit

COMPLETE = Records(
    incident="INC-1",
    run="RUN-1",
    run_incident="INC-1",
    run_flow_run="f1",
    flow_run={"id": "f1", "state_type": "COMPLETED", "tags": ["INC-1", "victim", "RUN-1"]},
    task_runs=[
        {"name": "find-service-1", "state_type": "COMPLETED"},
        {"name": "start-service-1", "state_type": "COMPLETED"},
    ],
    decisions=[
        {"code": "remedy-sent", "text": "RUN-1 is sent to heal victim.", "subjects": ["RUN-1", "AL-1", "INC-1"]},
        {"code": "run-started", "text": "RUN-1 starts.", "subjects": ["RUN-1"]},
    ],
    why=["RUN-1 is done.", "  RUN-1 is sent to heal victim."],
)


def test_a_complete_trial_counts() -> None:
    assert missing(COMPLETE) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"incident": None}, "no incident"),
        ({"run": None}, "no run of the incident"),
        ({"run_incident": "INC-2"}, "no run of the incident"),
        ({"flow_run": None}, "no flow run of the run"),
        ({"run_flow_run": "f2"}, "no flow run of the run"),
        ({"flow_run": {**(COMPLETE.flow_run or {}), "state_type": "CRASHED"}}, "the flow run is CRASHED"),
        ({"flow_run": {**(COMPLETE.flow_run or {}), "tags": ["RUN-1"]}}, "the flow run does not carry the tag INC-1"),
        ({"task_runs": COMPLETE.task_runs[:1]}, "no task run start-service"),
        ({"task_runs": [{"name": "start-service-1", "state_type": "FAILED"}]}, "the task run start-service is FAILED"),
        ({"decisions": COMPLETE.decisions[1:]}, "no decision that sent the run"),
        ({"why": COMPLETE.why[:1]}, "forewatch why does not tell the decision"),
    ],
)
def test_a_gap_is_named(change: dict[str, Any], complaint: str) -> None:
    assert missing(replace(COMPLETE, **change)) == [complaint]


def test_a_decision_about_another_incident_does_not_do() -> None:
    other = [{**COMPLETE.decisions[0], "subjects": ["RUN-1", "INC-2"]}]
    assert missing(replace(COMPLETE, decisions=other)) == ["the decision does not name the incident"]


def test_stages_lead_from_the_kill_to_the_end_without_a_gap() -> None:
    moments = {"killed": 0.0, "seen": 0.4, "sent": 0.41, "started": 0.7, "intended": 0.9, "forked": 0.91,
               "healthy": 1.0, "resolved": 1.5}  # fmt: skip
    took = stages_of(moments)
    assert took["SEEN TO RESTART COMMAND"] == pytest.approx(0.51)
    parts = [name for name in STAGES if name != "SEEN TO RESTART COMMAND"]
    assert sum(took[name] for name in parts) == pytest.approx(1.5)
