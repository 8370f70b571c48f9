"""An objective that is missed: a critical page about the error budget, and its end once the service keeps it again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Forewatch, wait_for
from receiver import Receiver
from scene import HOOK_SECRET, configuration_of
from victim import Victim

from forewatch.clock import micros
from forewatch.store import alerts, points
from forewatch.store.engine import Store
from forewatch.store.points import Point

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

HISTORY = (20, 25, 30, 35, 40, 45, 65)
"""Minutes ago at which it answered well: more than an hour of history, and answers in half of the last one."""


@pytest.fixture(scope="module")
def configuration(victim: Victim, receiver: Receiver) -> str:
    """Three of ten answers must be good over a day. A failing check alone is nothing here."""
    service = victim.watched().replace("fails_after: 1\n", "fails_after: 1000\n")
    service += "    objectives: [{availability: 30%, window: 1d}, {latency: {under: 2s, share: 1%}}]\n"
    return configuration_of(service, receiver, length="20s").replace("every: 5s", "every: 2s")


@pytest.fixture(scope="module")
def forewatch(folder: Path, configuration: str, victim: Victim) -> Iterator[Forewatch]:
    """Started on a short history, while the victim answers errors. Not waited for: each second is one more."""
    started = Forewatch(folder, environment={"HOOK_SECRET": HOOK_SECRET})
    started.write_config(configuration)
    started.home.create()
    store = Store.open(started.home, migrate=True)
    now, labels = micros(time.time()), {"check": "http", "instance": "default"}
    with store.measure() as conn:
        batch = [Point("check.up", labels, victim.name, now - micros(60 * ago), 1.0) for ago in HISTORY]
        points.write(conn, batch)
    store.close()
    victim.fault("errors")
    try:
        started.up(wait=False)
        yield started
    finally:
        started.sweep()


def burning(forewatch: Forewatch) -> list[Any]:
    with forewatch.runtime() as runtime, runtime.store.read() as conn:
        return [one for one in alerts.all_firing(conn) if one.name == "ErrorBudgetBurn"]


def test_a_missed_objective_is_paged_and_explained_and_its_end_told(
    forewatch: Forewatch, victim: Victim, receiver: Receiver
) -> None:
    [alert] = wait_for("the budget to burn", lambda: burning(forewatch), timeout=150)
    assert (alert.severity, alert.labels["speed"], alert.classification) == ("critical", "fast", "availability")
    [incident] = forewatch.incidents(victim.name)
    page = receiver.wait_for(victim.name, "page", since=0.0, timeout=20)
    assert page.incident == incident.id
    assert "availability burns its error budget" in json.dumps(page.body)

    victim.fault("none")
    wait_for("the burn to end", lambda: not burning(forewatch), timeout=60)
    receiver.wait_for(victim.name, "resolved", since=page.at, timeout=20)

    assert "ErrorBudgetBurn was raised (burn_long " in forewatch.cli("why", incident.id).stdout
    replayed = forewatch.cli("replay", "--since", "1h")
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr


def test_objectives_are_listed_and_shown_in_the_prefect_ui(forewatch: Forewatch, victim: Victim) -> None:
    forewatch.wait_ready()
    availability, latency = json.loads(forewatch.cli("objectives", "--json").stdout)
    assert (availability["service"], availability["kind"], latency["kind"]) == (victim.name, "availability", "latency")
    assert 0 < availability["good"] < availability["total"]
    assert 0 < latency["total"] < availability["total"], "the answers of the past have no durations here"

    def published() -> list[dict[str, Any]]:
        found = forewatch.prefect("POST", "/artifacts/latest/filter", {"artifacts": {"key": {"any_": ["objectives"]}}})
        return json.loads(found[0]["data"]) if found else []

    rows = wait_for("the table of objectives", published, timeout=150, every=0.5)
    assert [(row["service"], row["objective"]) for row in rows] == [
        (victim.name, "availability"),
        (victim.name, "latency"),
    ]
