"""Remedies are judged by their runbooks in a process of its own: fast without Prefect, rightly where a file is odd."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import forewatch.runbook
from forewatch.runs import form_check
from forewatch.runs.form_check import RunbookCheck
from forewatch.runs.form_process import Forms, answer, as_the_worker_does, stand_in

pytestmark = pytest.mark.timeout(240)

FREE = """
from forewatch.runbook import Happened, Seconds, attach, current_run, note, runbook, step, still_allowed

print("what a file prints is not an answer")

async def _emptied(folder: str) -> Happened[int] | None:
    return None

@step(probe=_emptied)
async def empty(folder: str) -> int:
    return 0

@step
async def look() -> int:
    return 0

@runbook(title="Free disk space")
async def free_disk_space(folder: str, within: Seconds = 5.0) -> str:
    '''Free disk space.'''
    return str(await empty(folder))
"""


def own(folder: Path, **files: str) -> list[str]:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return [str(folder)]


def test_the_stand_in_has_what_an_author_imports():
    names = {name for name in vars(stand_in(lambda name, form, description: None)) if not name.startswith("__")}
    assert names == set(forewatch.runbook.__all__)


def test_inputs_are_judged_without_loading_prefect(tmp_path):
    folders = own(tmp_path, free_disk_space=FREE)
    asked = [
        ("restart-service", {"command": ["x"], "pidfile": "run/x.pid"}),
        ("restart-service", {"comand": ["x"]}),
        ("free-disk-space", {"folder": "/x", "within": "2m"}),
        ("free-disk-space", {"within": "soon"}),
        ("collect-diagnostics", {}),
    ]
    found = RunbookCheck()(folders, asked)
    assert (found.trouble, found.problems) == (None, [])
    assert [[way for way, _ in wrong] for wrong in found.of] == [
        [],
        [("with", "command"), ("with", "comand")],
        [],
        [("with", "folder"), ("with", "within")],
        [],
    ]
    program = (
        "import sys; from forewatch.runs.form_process import light; forms = light(sys.argv[1:]);"
        "assert not forms.problems, forms.problems; assert 'free-disk-space' in forms.by_name;"
        "assert 'prefect' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, *folders], check=True, timeout=60)


def test_the_forms_are_those_the_worker_has(tmp_path):
    folders = own(tmp_path, free_disk_space=FREE)
    real = as_the_worker_does(folders)
    program = (
        "import json, sys; from forewatch.runs.form_process import light;"
        "print(json.dumps({n: f.model_json_schema() for n, f in light(sys.argv[1:]).by_name.items()}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *folders], check=True, timeout=60, capture_output=True, text=True
    )
    shown = json.loads(done.stdout.splitlines()[-1])
    assert shown == {name: form.model_json_schema() for name, form in real.by_name.items()}


def test_what_they_do_is_told_as_the_worker_has_it_and_without_prefect(tmp_path):
    folders = own(tmp_path, free_disk_space=FREE)
    assert RunbookCheck().about(folders) == (as_the_worker_does(folders).about, [])
    assert RunbookCheck().about(folders)[0]["free-disk-space"] == "Free disk space."


def test_files_that_look_broken_are_told_of_as_the_worker_has_them(tmp_path):
    folders = own(tmp_path, free_disk_space=FREE, other="def broken(:\n")
    about, [problem] = RunbookCheck().about(folders)
    assert "free-disk-space" in about
    assert problem.startswith(f"{tmp_path}/other.py:1: ")


def test_a_runbook_that_does_not_load_is_told_with_file_and_line_where_it_is_needed(tmp_path):
    folders = own(tmp_path, free_disk_space=FREE, drain_queue="\n\nimport no_such_module\n", other="def broken(:\n")
    found = RunbookCheck()(folders, [("drain-queue", {}), ("free-disk-space", {"folder": "/x"})])
    [(way, what)], fine = found.of
    assert (way, fine) == (("runbook",), [])
    assert what == (
        f"this runbook does not load: {tmp_path}/drain_queue.py:3: "
        "ModuleNotFoundError: No module named 'no_such_module'"
    )
    [unneeded] = found.problems
    assert unneeded.startswith(f"{tmp_path}/other.py:1: ")


def test_what_only_the_real_thing_can_load_is_not_called_broken(tmp_path):
    text = FREE + "\nassert free_disk_space.fn and empty.options.kind == 'act'\n"
    found = RunbookCheck()(own(tmp_path, free_disk_space=text), [("free-disk-space", {"folder": "/x"})])
    assert (found.of, found.problems, found.trouble) == ([[]], [], None)


def test_a_file_that_ends_its_process_or_never_ends_leaves_remedies_unjudged_and_says_so(tmp_path, monkeypatch):
    ends = RunbookCheck()(own(tmp_path, ends="import os\nos._exit(3)\n"), [("restart-service", {})])
    assert ends.of == []
    assert ends.trouble.startswith("loading the runbooks ended with exit code 3")
    monkeypatch.setattr(form_check, "TIMEOUT", 5.0)
    hangs = RunbookCheck()(own(tmp_path, ends="import time\ntime.sleep(60)\n"), [("restart-service", {})])
    assert hangs.trouble == "the runbooks were not loaded within 5 s"


def test_the_same_question_is_asked_once_until_a_file_changes(tmp_path, monkeypatch):
    folders, asked = own(tmp_path, free_disk_space=FREE), [("free-disk-space", {"folder": "/x"})]
    check, questions = RunbookCheck(), []
    ask = check._ask
    monkeypatch.setattr(check, "_ask", lambda question, *options: questions.append(question) or ask(question, *options))
    assert check(folders, asked) is check(folders, asked)
    assert len(questions) == 1
    own(tmp_path, free_disk_space=FREE.replace("folder: str, within", "path: str, within"))
    assert [way for way, _ in check(folders, asked).of[0]] == [("with", "path"), ("with", "folder")]
    assert len(questions) == 2


def test_without_remedies_and_folders_nothing_is_started(monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *args, **more: pytest.fail("started a process"))
    assert RunbookCheck()([], []).trouble is None


def test_a_name_that_nobody_bears_is_said_to_be_unknown():
    found = answer(Forms(), [], [("nobody", {})])
    assert found["verdicts"] == [[(["runbook"], "no file declares this runbook")]]
