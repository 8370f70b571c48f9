"""The moment of acting is gone through beforehand, and nothing of it stays."""

from __future__ import annotations

import pytest

from forewatch.config.models import Config
from forewatch.runs.rehearsal import rehearse_acting
from forewatch.runtime import Runtime
from forewatch.store import alerts, decision_log, runs

pytestmark = pytest.mark.unit


def shop(autonomy: str) -> Config:
    remedy = {
        "on": {"alertname": "CheckFailing"},
        "runbook": "restart-service",
        "with": {"command": ["true"]},
        "autonomy": autonomy,
    }
    return Config.model_validate(
        {
            "services": [
                {"name": "mail", "checks": [{"tcp": "127.0.0.1:1"}]},
                {"name": "shop", "checks": [{"tcp": "127.0.0.1:2"}], "remedies": [remedy], "depends_on": ["mail"]},
            ],
            "notifiers": [{"name": "terminal", "console": {}}],
            "routes": [{"match": {}, "notify": ["terminal"]}],
        }
    )


def test_a_remedy_that_acts_by_itself_is_decided_on_admitted_and_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    admitted: list[str] = []
    intend = runs.act

    def act(conn, run_id, now):
        run = runs.get(conn, run_id)
        assert run is not None
        admitted.append(run.state)
        intend(conn, run_id, now)

    monkeypatch.setattr(runs, "act", act)
    assert rehearse_acting((1, shop("auto")), 1_000_000)
    assert admitted == ["started", "started"]


@pytest.mark.parametrize("autonomy", ["approve", "shadow"])
def test_nothing_is_rehearsed_where_no_remedy_acts_by_itself(autonomy: str) -> None:
    assert not rehearse_acting((1, shop(autonomy)), 1_000_000)


def test_the_store_of_the_installation_hears_nothing_of_it(runtime: Runtime) -> None:
    assert rehearse_acting((1, shop("auto")), runtime.clock.now())
    with runtime.store.read() as conn:
        assert runs.listing(conn) == []
        assert alerts.listing(conn) == []
        assert decision_log.upon(conn, 0, 1_000, 10) == []
