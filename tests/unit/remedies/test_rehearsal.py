"""A remedy in shadow says what it would have done after it was looked at whether it could."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from forewatch.config.models import Config, Remedy
from tasks.act.rehearsal import Rehearsed, rehearse

pytestmark = pytest.mark.unit


def rehearsed(folder: Path, runbook: str = "restart-service", **inputs: Any) -> Rehearsed:
    remedy = Remedy.model_validate({"on": {}, "runbook": runbook, "with": inputs})
    return rehearse(Config(folder=str(folder)), remedy, "shop")


@pytest.fixture
def start(tmp_path: Path) -> Path:
    script = tmp_path / "start.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    return script


def test_with_all_it_needs_it_could_have_run(tmp_path: Path, start: Path) -> None:
    (tmp_path / "app.pid").write_text("4711\n")
    seen = rehearsed(tmp_path, command=["./start.sh"], pidfile="app.pid")
    assert seen == Rehearsed([], ["its inputs fit its form", "./start.sh can be executed", "app.pid names pid 4711"])


def test_a_program_on_the_path_is_found(tmp_path: Path) -> None:
    assert rehearsed(tmp_path, command=["sh", "-c", "true"]).problems == []


def test_a_command_that_does_not_exist_is_named(tmp_path: Path) -> None:
    assert rehearsed(tmp_path, command=["./start.sh"]).problems == ["there is no program ./start.sh"]


def test_one_that_may_not_be_executed_is_told_apart(tmp_path: Path, start: Path) -> None:
    start.chmod(0o644)
    assert rehearsed(tmp_path, command=["./start.sh"]).problems == ["./start.sh may not be executed"]


def test_inputs_that_do_not_fit_the_form_are_said(tmp_path: Path, start: Path) -> None:
    problems = rehearsed(tmp_path, command=["./start.sh"], pidfil="app.pid").problems
    assert problems == ["pidfil: there is no such parameter (did you mean pidfile?)"]


def test_a_pid_file_that_is_not_there_is_that_of_a_service_that_is_down(tmp_path: Path, start: Path) -> None:
    seen = rehearsed(tmp_path, command=["./start.sh"], pidfile="app.pid")
    assert (seen.problems, seen.found[-1]) == ([], "app.pid is not there, as of a service that is down")


def test_a_pid_file_that_holds_something_else_is_named(tmp_path: Path, start: Path) -> None:
    (tmp_path / "app.pid").write_text("what\n")
    assert "holds 'what' instead of a pid" in rehearsed(tmp_path, command=["./start.sh"], pidfile="app.pid").problems[0]


def test_a_runbook_that_is_gone_is_named(tmp_path: Path) -> None:
    assert "there is no runbook mend-all" in rehearsed(tmp_path, runbook="mend-all").problems[0]


def test_a_file_that_does_not_import_is_named_with_its_line(tmp_path: Path) -> None:
    books = tmp_path / "books"
    books.mkdir()
    (books / "mend_all.py").write_text("import nothing_of_that_name\n")
    remedy = Remedy.model_validate({"on": {}, "runbook": "mend-all"})
    config = Config(folder=str(tmp_path), runbook_folders=[str(books)])
    assert f"{books}{os.sep}mend_all.py:1" in rehearse(config, remedy, "shop").problems[0]
