"""A changed configuration is in force within seconds, a broken one never, and its secrets are nowhere to be read."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from harness import Forewatch, free_port, wait_for
from receiver import Receiver
from scene import configuration_of
from victim import Victim

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

IN_FORCE_WITHIN = 5.0
VARIABLE = "value-of-an-environment-variable"
HOOK = "value-of-the-hooks-secret"
FILE = "value-of-a-secret-file"

RULE = """\
rules:
  - alert: MemoryIsUsed
    metric: system.memory.utilization
    statistic: last
    window: 30s
    above: 0.001%
    severity: warning
"""
GUARDED = """\
  - name: guarded
    checks:
      - http: http://127.0.0.1:{port}/health?key=${{API_KEY}}
        headers: {{X-Token: !secret file:token}}
        every: 1s
        timeout: 900ms
        fails_after: 1
        expect: {{status: 200}}
"""


@pytest.fixture(scope="module")
def other(folder: Path) -> Iterator[Victim]:
    other = Victim("other", folder, free_port())
    other.start()
    yield other
    other.stop()


@pytest.fixture(scope="module")
def forewatch(folder: Path, victim: Victim, receiver: Receiver) -> Iterator[Forewatch]:
    (folder / "token").write_text(FILE + "\n", encoding="utf-8")
    started = Forewatch(folder, environment={"HOOK_SECRET": HOOK, "API_KEY": VARIABLE})
    started.write_config(configuration_of(victim.watched(), receiver))
    try:
        started.up()
        yield started
    finally:
        started.sweep()


def watched(forewatch: Forewatch) -> set[str]:
    """The services whose checks have said something since the configuration in force."""
    with forewatch.runtime() as runtime, runtime.store.read_metrics() as conn:
        from forewatch.store import check_states

        fresh = runtime.clock.now() - 2_500_000
        return {state.service for state in check_states.get_all(conn) if state.at > fresh}


def component(forewatch: Forewatch) -> tuple[str, str]:
    found = json.loads(forewatch.cli("status", "--json").stdout)
    [configuration] = [part for part in found["components"] if part["name"] == "configuration"]
    return configuration["state"], configuration["reason"]


def wait_in_force(what: str, look: object, since: float) -> None:
    wait_for(what, look, timeout=20)  # type: ignore[arg-type]
    # Looking itself takes a moment; what is asked for is that it is in force.
    assert time.monotonic() - since < IN_FORCE_WITHIN + 1.5


def test_a_new_check_is_probed_within_five_seconds(
    forewatch: Forewatch, victim: Victim, other: Victim, receiver: Receiver
) -> None:
    worker = forewatch.pid("worker")
    changed = time.monotonic()
    forewatch.write_config(configuration_of(victim.watched() + other.watched(), receiver))
    wait_in_force("the new check to be probed", lambda: "other" in watched(forewatch), changed)
    assert forewatch.pid("worker") == worker
    assert "Configuration version 2 is in force." in forewatch.output
    other.fault("errors")
    receiver.wait_for("other", "page", since=changed, timeout=10)


def test_the_alert_of_a_removed_service_ends_with_a_reason(
    forewatch: Forewatch, victim: Victim, other: Victim, receiver: Receiver
) -> None:
    [incident] = forewatch.incidents("other")
    changed = time.monotonic()
    forewatch.write_config(configuration_of(victim.watched(), receiver))
    wait_in_force("the incident to end", lambda: forewatch.incidents("other")[0].status == "resolved", changed)
    assert "no longer watched" in " ".join(forewatch.timeline(incident.id))
    other.fault("none")


def test_a_new_rule_is_in_force_and_its_alert_ends_with_it(
    forewatch: Forewatch, victim: Victim, receiver: Receiver
) -> None:
    forewatch.write_config(configuration_of(victim.watched(), receiver) + RULE)
    opened = wait_for("the rule's incident", lambda: forewatch.incidents("host"), timeout=25)
    assert "MemoryIsUsed" in " ".join(forewatch.timeline(opened[0].id)) + opened[0].title
    forewatch.write_config(configuration_of(victim.watched(), receiver))
    wait_for("its end", lambda: forewatch.incidents("host")[0].status == "resolved", timeout=25)
    assert "gone or changed" in " ".join(forewatch.timeline(opened[0].id))


def test_a_broken_file_is_refused_loudly_and_the_last_good_one_stays(
    forewatch: Forewatch, victim: Victim, receiver: Receiver
) -> None:
    good = configuration_of(victim.watched(), receiver)
    version = json.loads(forewatch.cli("status", "--json").stdout)["config"]["version"]
    forewatch.write_config(good.replace("every: 1s", "every: soon"))
    wait_for(
        "the refusal at the terminal", lambda: "The changed configuration is refused" in forewatch.output, timeout=8
    )
    assert "services[0].checks[0].every: soon is not a duration" in forewatch.output
    state, reason = component(forewatch)
    assert (state, "every: soon" in reason) == ("down", True)
    assert "every: soon" in forewatch.cli("status").stdout
    assert json.loads(forewatch.cli("status", "--json").stdout)["config"]["version"] == version

    hurt = time.monotonic()
    victim.fault("errors")
    receiver.wait_for("victim", "page", since=hurt, timeout=10)
    victim.fault("none")

    forewatch.write_config(good)
    wait_for("the mended file", lambda: component(forewatch)[0] == "ok", timeout=8)


def test_secrets_are_nowhere_to_be_read(forewatch: Forewatch, folder: Path, victim: Victim, receiver: Receiver) -> None:
    dead = free_port()
    guarded = GUARDED.format(port=dead)
    forewatch.write_config(configuration_of(victim.watched() + guarded, receiver))
    hurt = time.monotonic()
    page = receiver.wait_for("guarded", "page", since=hurt, timeout=15)
    assert page.is_signed_with(HOOK)
    # A check that is broken for good says so with its URL; so does the refused configuration.
    forewatch.write_config(
        configuration_of(victim.watched() + guarded.replace("every: 1s", "every: ${API_KEY}"), receiver)
    )
    wait_for("the refusal", lambda: component(forewatch)[0] == "down", timeout=8)
    time.sleep(2)

    places = {
        "the terminal": forewatch.output,
        "the logs": forewatch.tail(1_000_000),
        "status": forewatch.cli("status", "--json").stdout,
        "doctor": forewatch.cli("doctor").stdout,
        "the incident": forewatch.cli("incidents", "show", str(page.incident)).stdout,
        "why": forewatch.cli("why", str(page.incident)).stdout,
        "check": forewatch.cli("check").stderr,
        "healthz": json.dumps(forewatch.health()),
        "metrics": httpx.get(f"http://127.0.0.1:{forewatch.port}/metrics", trust_env=False).text,
        "notifications": b"".join(one.raw for one in receiver.received).decode(),
        "artifacts": json.dumps(forewatch.prefect("POST", "/artifacts/filter", {})),
        "flow runs": json.dumps(forewatch.prefect("POST", "/flow_runs/filter", {})),
        "Prefect's logs": json.dumps(forewatch.prefect("POST", "/logs/filter", {})),
    }
    # SQLite keeps what is deleted until it is overwritten, so the bytes of the files say more than their rows.
    for path in (*forewatch.home.root.glob("*.db*"), *forewatch.home.prefect.rglob("*.db*")):
        places[path.name] = path.read_bytes().decode("utf-8", errors="replace")
    found = [(place, value) for place, text in places.items() for value in (VARIABLE, HOOK, FILE) if value in text]
    assert found == []


def test_a_first_start_without_a_configuration_writes_one(tmp_path: Path) -> None:
    forewatch = Forewatch(tmp_path)
    try:
        forewatch.up(wait=False)
        wait_for("the watch to begin", lambda: "page-people is on watch" in forewatch.output, timeout=90)
        assert f"No configuration yet: wrote {forewatch.config}, which watches this machine and Forewatch itself." in (
            forewatch.output
        )
        assert forewatch.cli("check").returncode == 0
        assert forewatch.config.read_text(encoding="utf-8").startswith("#")
        assert len(forewatch.config.read_text(encoding="utf-8").splitlines()) < 80
    finally:
        forewatch.stop(20)
