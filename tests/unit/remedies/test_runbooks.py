"""Finding runbooks, and what their forms say of inputs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from forewatch.errors import NotFound, RunbookError
from forewatch.runbook import runbook
from runbooks import all_runbooks, find, load

pytestmark = pytest.mark.unit

FREE_SPACE = '''
from __future__ import annotations

from typing import Literal

from forewatch.runbook import Seconds, runbook, step


@step
async def empty_cache(path: str) -> int:
    """Remove every file below the path."""
    return 1


@runbook(title="Free disk space", timeout=120)
async def free_disk_space(path: str, how: Literal["gently", "fully"] = "gently", grace: Seconds = 5.0) -> str:
    """Empty the application's cache.

    Args:
        path: Folder whose files may be removed.
    """
    return f"freed {await empty_cache(path)} bytes"
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "free_disk_space.py").write_text(FREE_SPACE)
    return tmp_path


def test_ours_are_found_without_a_problem():
    found = all_runbooks()
    assert {"restart-service", "collect-diagnostics"} <= set(found.runbooks)
    assert found.problems == []
    restart = found.runbooks["restart-service"]
    assert restart.entrypoint == "runbooks.restart_service:restart_service"
    assert load(restart.entrypoint) is restart.flow
    assert restart.dry_run
    assert [step.options.name for step in restart.steps] == [
        "find-service", "stop-service", "start-service", "see-it-settle",
    ]  # fmt: skip


def test_a_users_folder_is_found_beside_ours(folder):
    found = all_runbooks([folder])
    own = found.runbooks["free-disk-space"]
    assert found.problems == []
    assert (own.title, own.timeout, own.description) == ("Free disk space", 120, "Empty the application's cache.")
    assert own.source == str(folder / "free_disk_space.py")
    assert [(step.options.name, step.description) for step in own.steps] == [
        ("empty-cache", "Remove every file below the path.")
    ]
    assert load(own.entrypoint) is own.flow
    assert find("free-disk-space", [folder]).flow is own.flow


def test_the_form_shows_typed_fields_with_descriptions(folder):
    form = find("free-disk-space", [folder]).parameters
    fields = form["properties"]
    assert form["required"] == ["path"]
    assert fields["path"]["type"] == "string"
    assert fields["path"]["description"] == "Folder whose files may be removed."
    assert fields["how"]["enum"] == ["gently", "fully"]
    assert fields["grace"]["type"] == "number"
    assert fields["incident"]["description"].startswith("The incident it works on")
    assert list(fields)[-1] == "run"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\ny = nope\n", r"broken\.py:2: NameError: name 'nope' is not defined"),
        ("x = (1\n", r"broken\.py:1: '\(' was never closed"),
        ("raise SystemExit(3)\n", r"broken\.py:1: SystemExit: 3"),
        ("x = 1\n", r"broken\.py: has no runbook"),
        (FREE_SPACE.replace("async def free", "def free").replace("await ", ""), r"must be an async function"),
        (FREE_SPACE.replace("free_disk_space", "restart_service"), r"restart-service is the name of .* already"),
    ],
)
def test_a_broken_file_is_named_and_hides_no_other(folder, text, says):
    (folder / "broken.py").write_text(text)
    found = all_runbooks([folder])
    assert {"free-disk-space", "restart-service"} <= set(found.runbooks)
    assert found.runbooks["restart-service"].entrypoint == "runbooks.restart_service:restart_service"
    (problem,) = found.problems
    with pytest.raises(RunbookError, match=says):
        raise RunbookError(problem)


def test_a_missing_folder_is_named(tmp_path):
    assert "is not a folder" in all_runbooks([tmp_path / "gone"]).problems[0]


def test_a_changed_file_is_loaded_anew(folder):
    before = find("free-disk-space", [folder])
    (folder / "free_disk_space.py").write_text(FREE_SPACE.replace("Free disk space", "Make room"))
    assert before.title == "Free disk space"
    assert find("free-disk-space", [folder]).title == "Make room"


def test_an_unknown_runbook_is_said_to_be_one(folder):
    with pytest.raises(NotFound, match="there is no runbook make-coffee"):
        find("make-coffee", [folder])


@pytest.mark.parametrize(
    ("inputs", "problems"),
    [
        ({"path": "/x"}, []),
        ({"path": "/x", "grace": "2m"}, []),
        ({}, ["path: is missing"]),
        ({"path": "/x", "grase": 3}, ["grase: there is no such parameter (did you mean grace?)"]),
        ({"path": "/x", "grace": "5 minuts"}, ["grace: 5 minuts is not a duration (try 5m)"]),
        ({"path": "/x", "how": "roughly"}, ["how: must be one of gently, fully"]),
    ],
)
def test_inputs_are_judged_in_sentences(folder, inputs, problems):
    assert find("free-disk-space", [folder]).problems_with(inputs) == problems


async def test_a_runbook_needs_a_run_or_a_flow_run():
    @runbook(title="Lonely")
    async def lonely() -> None:
        """Do nothing."""

    with pytest.raises(RunbookError, match="forewatch runbooks run lonely"):
        await lonely.fn()


async def test_a_runbook_that_takes_too_long_fails(run_at_work, stored_run):
    @runbook(title="Slow", timeout=0.05)
    async def slow() -> None:
        """Take a minute."""
        await asyncio.sleep(60)

    with pytest.raises(RunbookError, match="slow did not finish within 50ms"):
        async with run_at_work():
            await slow.fn()
    assert stored_run().state == "failed"


async def test_what_a_runbook_returns_is_its_outcome(run_at_work, stored_run):
    @runbook(title="Quick")
    async def quick() -> str:
        """Say so."""
        return "swept the floor"

    async with run_at_work():
        await quick.fn()
        # Decided before Prefect hears of it.
        assert stored_run().state == "done"
    assert stored_run().outcome == "swept the floor"


async def test_a_failure_is_decided_once_and_before_prefect_hears_of_it(run_at_work, stored_run):
    @runbook(title="Bad")
    async def bad() -> None:
        """Break."""
        raise OSError("the broom is broken")

    async with run_at_work():
        with pytest.raises(OSError, match="the broom is broken"):
            await bad.fn()
        assert stored_run().state == "failed"
    assert "OSError: the broom is broken" in stored_run().outcome


async def test_a_run_ends_with_its_own_runbook_and_not_with_one_that_this_calls(run_at_work, stored_run):
    @runbook(title="Sweep")
    async def sweep() -> str:
        """Sweep."""
        return "swept the floor"

    @runbook(title="Clean")
    async def clean() -> str:
        """Sweep, and go on."""
        said = await sweep.fn()
        assert stored_run().state == "started"
        return f"{said} and wiped the table"

    async with run_at_work():
        await clean.fn()
    assert stored_run().outcome == "swept the floor and wiped the table"


async def test_a_runbook_may_live_with_the_failure_of_one_that_it_calls(run_at_work, stored_run):
    @runbook(title="Bad")
    async def bad() -> None:
        """Break."""
        raise OSError("the broom is broken")

    @runbook(title="Clean")
    async def clean() -> str:
        """Try it."""
        with pytest.raises(OSError, match="broom"):
            await bad.fn()
        return "left it"

    async with run_at_work():
        await clean.fn()
    assert (stored_run().state, stored_run().outcome) == ("done", "left it")
