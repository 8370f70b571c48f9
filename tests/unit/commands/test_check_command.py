"""`forewatch check`: 0 where all is right, 2 with a line for each error; warnings are said and strict ones count."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from forewatch.cli import app
from forewatch.commands import checks
from forewatch.config.crosscheck_remedies import Verdicts
from forewatch.errors import ForewatchError

pytestmark = pytest.mark.unit

GOOD = "services: [{name: web, checks: [{tcp: '127.0.0.1:1'}]}]\n"
DOUBTFUL = "rules: [{alert: A, metric: check.upp, below: 1}]\n"
WARNED = "1:20: warning: rules[0].metric: nothing writes a metric check.upp (did you mean check.up?)"
REMEDY = "services: [{name: web, remedies: [{on: {}, runbook: restart-service, with: {comand: [x]}}]}]\n"


@pytest.fixture
def check(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    class Knows:
        def __call__(self, folders, asked):
            return Verdicts([[(("with", "comand"), "there is no such parameter")] for _ in asked], [])

    monkeypatch.setattr(checks, "RunbookCheck", Knows)

    def check(text, *words):
        (tmp_path / "forewatch.yaml").write_text(text, encoding="utf-8")
        ended = CliRunner().invoke(app, ["check", *words])
        if isinstance(ended.exception, ForewatchError):
            raise ended.exception
        return ended.exit_code, ended.stdout, ended.stderr

    return check


@pytest.mark.parametrize("words", [[], ["forewatch.yaml"], ["--config", "forewatch.yaml"]])
def test_a_right_one_is_called_right_however_it_is_named(check, words):
    assert check(GOOD, *words) == (0, "forewatch.yaml is valid.\n", "")


def test_two_that_are_named_are_one_too_many(check):
    with pytest.raises(ForewatchError, match=r"one configuration, and a\.yaml and b\.yaml are two"):
        check(GOOD, "a.yaml", "--config", "b.yaml")


def test_an_error_is_a_line_and_exit_2(check):
    assert check("servics: []\n") == (2, "", 'forewatch.yaml:1:1: unknown key "servics" (did you mean services?)\n')


def test_what_up_would_only_switch_off_is_an_error_here(check):
    code, said, complained = check(REMEDY)
    assert (code, said) == (2, "")
    assert complained == ("forewatch.yaml:1:77: services[0].remedies[0].with.comand: there is no such parameter\n")


def test_a_warning_is_said_and_only_strict_makes_it_an_error(check):
    assert check(DOUBTFUL) == (0, "forewatch.yaml is valid.\n", f"forewatch.yaml:{WARNED}\n")
    assert check(DOUBTFUL, "--strict") == (2, "", f"forewatch.yaml:{WARNED}\n")
    assert check(GOOD, "--strict")[0] == 0
