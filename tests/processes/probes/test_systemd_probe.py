"""Answers of `systemctl show`, as real units gave them, and a `systemctl` of our own that gives them.

No systemd runs where these tests do, so its answers are recorded; what systemctl says without one is the real thing.
"""

import os
import shutil

import pytest

from tasks.probes.attempt import Failing
from tasks.probes.systemd import RUNNING, judge, parse

RUNS = "Result=success\nNRestarts=2\nExecMainStatus=0\nLoadState=loaded\nActiveState=active\nSubState=running\n"
FAILED = "Result=exit-code\nNRestarts=5\nExecMainStatus=203\nLoadState=loaded\nActiveState=failed\nSubState=failed\n"
RESTARTS = (
    "Result=exit-code\nNRestarts=9\nExecMainStatus=1\nLoadState=loaded\nActiveState=activating\nSubState=auto-restart\n"
)
KILLED = "Result=oom-kill\nNRestarts=0\nExecMainStatus=9\nLoadState=loaded\nActiveState=failed\nSubState=failed\n"
WAITS = "Result=success\nExecMainStatus=0\nLoadState=loaded\nActiveState=inactive\nSubState=dead\n"
JOB_FAILED = "Result=timeout\nExecMainStatus=0\nLoadState=loaded\nActiveState=inactive\nSubState=dead\n"
UNKNOWN = "Result=success\nNRestarts=0\nExecMainStatus=0\nLoadState=not-found\nActiveState=inactive\nSubState=dead\n"
MASKED = "Result=success\nLoadState=masked\nActiveState=inactive\nSubState=dead\n"
TIMER = "Result=success\nLoadState=loaded\nActiveState=active\nSubState=waiting\n"


def reason(output: str, *wanted: str) -> str:
    try:
        return judge("shop.service", parse(output), wanted or RUNNING).reason
    except Failing as error:
        return f"FAILS: {error.reason}"


@pytest.mark.parametrize(
    ("output", "wanted", "said"),
    [
        (RUNS, (), "unit shop.service is active (running)"),
        (TIMER, (), "unit shop.service is active (waiting)"),
        (
            FAILED,
            (),
            "FAILS: unit shop.service is failed: exit-code 203, expected active or reloading or refreshing",
        ),
        (
            RESTARTS,
            ("active",),
            "FAILS: unit shop.service is activating (auto-restart): exit-code 1, expected active",
        ),
        (KILLED, ("active",), "FAILS: unit shop.service is failed: oom-kill, expected active"),
        (WAITS, ("active", "inactive"), "unit shop.service is inactive (dead)"),
        (WAITS, ("active",), "FAILS: unit shop.service is inactive (dead), expected active"),
        (
            JOB_FAILED,
            ("active", "inactive"),
            "FAILS: unit shop.service is inactive (dead), but its last run failed: timeout",
        ),
        (UNKNOWN, (), "FAILS: there is no unit shop.service"),
        (MASKED, (), "FAILS: unit shop.service is masked"),
    ],
)
def test_recorded_answers_are_judged_in_plain_words(output, wanted, said):
    assert reason(output, *wanted) == said


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    """A `systemctl` that comes first on the PATH and does what a test says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def does(script: str) -> None:
        file = folder / "systemctl"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    return does


async def test_systemctl_is_asked_for_the_unit_and_no_option_can_be_smuggled_in(ask, systemctl, tmp_path):
    systemctl(f'echo "$*" > {tmp_path}/asked; printf "{RUNS}"')
    result = await ask(systemd={"unit": "shop@1.service"})
    assert result.reason == "unit shop@1.service is active (running)"
    assert result.details == {"state": "active", "sub_state": "running", "result": "success", "restarts": "2"}
    asked = (tmp_path / "asked").read_text().split()
    assert asked[0] == "show"
    assert asked[-2:] == ["--", "shop@1.service"]


async def test_a_users_own_systemd_is_found_by_its_bus(ask, systemctl, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    monkeypatch.setenv("HOOK_SECRET", "s3cret")
    systemctl(f'echo "$* $XDG_RUNTIME_DIR $HOOK_SECRET" > {tmp_path}/asked; printf "{RUNS}"')
    assert (await ask(systemd={"unit": "sync.service", "user": True})).ok
    asked = (tmp_path / "asked").read_text()
    assert asked.startswith("--user show ")
    assert asked.strip().endswith("sync.service /run/user/1000")


async def test_a_unit_that_systemd_restarts_for_ever_fails_though_it_is_active(ask, systemctl):
    looks = []
    for count in (3, 9, 14):
        systemctl(f'printf "{RUNS.replace("NRestarts=2", f"NRestarts={count}")}"')
        looks.append(await ask(systemd={"unit": "shop.service"}))
    assert [look.ok for look in looks] == [True, False, False]
    assert looks[2].reason.startswith(
        "unit shop.service is active (running), but systemd restarted it 11 times within "
    )
    assert looks[2].reason.endswith("(restarts_per_hour: 5)")
    assert looks[2].details["restarts_within_an_hour"] == 11
    assert (await ask(systemd={"unit": "shop.service", "restarts_per_hour": None})).ok
    assert (await ask(systemd={"unit": "shop.service", "restarts_per_hour": 12})).ok
    systemctl(f'printf "{RUNS}"')  # the counter began again: it was started by hand
    assert (await ask(systemd={"unit": "shop.service"})).ok


async def test_an_expected_state_is_asked_for(ask, systemctl):
    systemctl(f'printf "{WAITS}"')
    assert not (await ask(systemd={"unit": "backup.service"})).ok
    assert (await ask(systemd={"unit": "backup.service"}, expect={"state": "inactive"})).ok
    assert (await ask(systemd={"unit": "backup.service"}, expect={"state": ["active", "inactive"]})).ok


async def test_a_systemctl_that_hangs_is_ended_at_the_timeout(ask, systemctl):
    systemctl("sleep 63.25")
    result = await ask(systemd={"unit": "shop.service"}, timeout="300ms")
    assert result.reason == "no answer of systemctl within 300 ms"
    assert result.duration < 1


async def test_what_systemctl_complains_of_is_told(ask, systemctl):
    systemctl("echo 'Failed to connect to bus: No medium found' >&2; exit 1")
    result = await ask(systemd={"unit": "shop.service"})
    assert result.reason == "could not be checked: Failed to connect to bus: No medium found"


async def test_without_systemctl_that_is_told(ask, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    result = await ask(systemd={"unit": "shop.service"})
    assert result.reason == "could not be checked: no such program: systemctl"


@pytest.mark.skipif(shutil.which("systemctl") is None, reason="there is no systemctl here")
@pytest.mark.skipif(os.path.exists("/run/systemd/system"), reason="systemd runs here")
async def test_the_real_systemctl_without_systemd_says_so(ask):
    result = await ask(systemd={"unit": "shop.service"})
    assert result.reason.startswith("could not be checked: System has not been booted with systemd")
