"""A remedy that is wrong is off, and said so; everything else comes into force."""

from __future__ import annotations

import inspect
from typing import Annotated, Literal

import pytest
from pydantic import Field

from forewatch.clock import FakeClock
from forewatch.config.check import check, check_file
from forewatch.config.crosscheck_remedies import Verdicts
from forewatch.config.loader import in_force, load_files, parse
from forewatch.config.reload import Changed, Configuration, ConfigWatcher, Refused
from forewatch.errors import ConfigError
from forewatch.runs.form import Seconds, form_of, problems_at, with_common
from forewatch.store import config_versions
from forewatch.trials.replay.replay import stored_configurations

pytestmark = pytest.mark.unit

RESTART = "restart-service"
TWO = """\
services:
  - name: web
    checks: [{tcp: "127.0.0.1:1"}]
    remedies:
      - {on: {alertname: CheckFailing}, runbook: restart-service, with: {command: [sh]}}
      - on: {alertname: Anomalous}
        runbook: restart-service
        with: WITH
  - name: shop
"""


async def restart_service(
    command: Annotated[list[str], Field(min_length=1)],
    pidfile: str | None = None,
    stop_signal: Literal["TERM", "INT"] = "TERM",
    grace: Seconds = 5.0,
    dry_run: bool = False,
) -> None:
    """Has the form of the real one."""


FORM = form_of(RESTART, with_common(inspect.signature(restart_service, eval_str=True)))


class Judge:
    """Knows one runbook; or says that it does not load, or that nothing is known."""

    def __init__(self) -> None:
        self.broken = self.trouble = None

    def __call__(self, folders, asked):
        if self.trouble:
            return Verdicts([], [], self.trouble)
        if self.broken:
            return Verdicts([[(("runbook",), f"this runbook does not load: {self.broken}")] for _ in asked], [])
        return Verdicts(
            [[(("with", *way), what) for way, what in problems_at(inputs, FORM)] for _, inputs in asked], []
        )


@pytest.fixture
def judge():
    return Judge()


@pytest.fixture
def faults(write, judge):
    """Line, column and what is wrong, of remedies."""

    def faults(text, known=(RESTART,)):
        found = check_file(write(text), known, judge)
        assert found.problems == []
        return [line.removeprefix("forewatch.yaml:") for line in found.faults]

    return faults


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ("{comand: [x], command: [x]}", "8:16: W.comand: there is no such parameter (did you mean command?)"),
        ("{pidfile: run/web.pid}", "8:9: W: command is missing"),
        ("{command: ./start}", "8:16: W.command: must be a list"),
        ("{command: []}", "8:16: W.command: must not be empty"),
        ("{command: [x, 3]}", "8:29: W.command[1]: must be text"),
        ("{command: [x], grace: soon}", "8:30: W.grace: soon is not a duration (try 5m)"),
        ("{command: [x], dry_run: 5}", "8:30: W.dry_run: must be true or false"),
        ("{command: [x], stop_signal: TERMINATE}", "8:30: W.stop_signal: must be one of TERM, INT"),
    ],
)
def test_keys_and_types_of_with_are_those_of_the_runbooks_form(faults, inputs, said):
    assert faults(TWO.replace("WITH", inputs)) == [said.replace("W", "services[0].remedies[1].with", 1)]


def test_inputs_that_fit_are_no_matter(faults):
    assert faults(TWO.replace("WITH", "{command: [x], grace: 5s, stop_signal: INT, dry_run: true}")) == []


def test_a_runbook_that_does_not_load_is_said_at_the_remedy_that_needs_it(faults, judge):
    judge.broken = "own/restart_service.py:3: ImportError: no module named ldap"
    assert faults(TWO.replace("WITH", "{}"))[0] == (
        "5:41: services[0].remedies[0].runbook: this runbook does not load: "
        "own/restart_service.py:3: ImportError: no module named ldap"
    )


def test_where_the_runbooks_cannot_be_asked_it_is_said_and_no_remedy_is_off(write, judge):
    judge.trouble = "the runbooks were not loaded within 60 s"
    found = check_file(write(TWO.replace("WITH", "{}")), [RESTART], judge)
    assert (found.problems, found.faults, found.config.remedies_off) == ([], [], [])
    assert found.warnings[0] == (
        "forewatch.yaml:1:1: warning: the inputs of remedies could not be checked: "
        "the runbooks were not loaded within 60 s"
    )


WRONG = {
    "an unknown runbook": ("{on: {}, runbook: restart-servce}", "there is no runbook restart-servce"),
    "no runbook": ("{on: {}}", "runbook is missing"),
    "an unknown key": ("{on: {}, runbook: restart-service, autonmy: auto}", 'unknown key "autonmy"'),
    "an unknown autonomy": ("{on: {}, runbook: restart-service, autonomy: autom}", "(did you mean auto?)"),
    "one that does not exist yet": ("{on: {}, runbook: restart-service, autonomy: approve}", "approve does not exist"),
    "no matcher": ("{on: ['a'], runbook: restart-service}", "not a matcher"),
    "no mapping": ("restart-service", "must be a mapping"),
    "a secret": ("{on: {}, runbook: restart-service, with: {command: [!secret env:X]}}", "plain text"),
    "an unset variable": ('{on: {}, runbook: restart-service, with: {command: ["${NOT_SET}"]}}', "NOT_SET is not set"),
    "a key twice": ("{on: {}, on: {}, runbook: restart-service}", 'the key "on" stands here twice'),
    "a wrong secret": ("{on: {}, runbook: restart-service, with: {a: !secret x}}", "a secret is written"),
}


@pytest.mark.parametrize(("remedy", "what"), WRONG.values(), ids=list(WRONG))
def test_whatever_is_wrong_with_a_remedy_only_that_one_is_off(write, judge, remedy, what):
    good = "{on: {alertname: CheckFailing}, runbook: restart-service, with: {command: [x]}}"
    path = write(f"services:\n  - name: web\n    remedies:\n      - {remedy}\n      - {good}\n  - name: shop\n")
    found = check(load_files(path), [RESTART], judge)
    assert found.problems == []
    assert any(what in line for line in found.faults), found.faults
    [off] = found.config.remedies_off
    assert (off.service, off.place) == ("web", 0)
    assert what in off.reason
    assert off.reason.startswith("forewatch.yaml:4:")
    config = in_force(load_files(path), found.config.remedies_off)
    assert [remedy.inputs for remedy in config.services[0].remedies] == [{"command": ["x"]}]
    assert [service.name for service in config.services] == ["web", "shop"]
    assert config.remedies_off == [off]


def test_who_asks_for_a_whole_configuration_hears_of_its_remedies_too(write):
    with pytest.raises(ConfigError, match="autonmy"):
        parse(load_files(write("services: [{name: web, remedies: [{on: {}, runbook: a, autonmy: auto}]}]\n")))


def test_what_is_wrong_outside_of_remedies_is_refused_as_ever(write, judge):
    remedies = "remedies: [{on: {}, runbook: 5}]"
    found = check_file(write(f"services: [{{name: web, colour: red, {remedies}}}]\n"), [RESTART], judge)
    assert [line.rpartition(": ")[2].partition(" ")[0] for line in found.problems] == ["unknown", "5"]


def test_of_a_text_that_two_remedies_share_both_are_off_and_of_an_alias_only_who_has_it(write, judge):
    text = """\
services:
  - name: web
    remedies: &both
      - {on: {}, runbook: restart-service, autonomy: autom}
  - name: shop
    remedies: *both
  - name: db
    remedies: [{on: {}, runbook: restart-service, with: {command: [x]}}]
"""
    found = check(load_files(write(text)), [RESTART], judge)
    assert [off.service for off in found.config.remedies_off] == ["web", "shop"]
    assert [len(one.remedies) for one in in_force(load_files(write(text))).services] == [0, 0, 1]


def test_a_remedy_that_is_off_reads_as_a_sentence(write, judge):
    found = check(load_files(write(TWO.replace("WITH", "{comand: [x]}"))), [RESTART], judge)
    assert [str(off) for off in found.config.remedies_off] == [
        "the remedy restart-service of web is off: forewatch.yaml:8:9: services[0].remedies[1].with: command "
        "is missing (and 1 more)"
    ]


@pytest.fixture
def watcher(write, store, judge):
    def watcher(text):
        return ConfigWatcher(write(text), store, FakeClock(), judge)

    return watcher


def settled(watcher):
    assert watcher.poll() is None
    return watcher.poll()


def remedies(store):
    _, config = Configuration(store).current()
    return [len(service.remedies) for service in config.services if service.name in ("web", "shop")]


def test_up_comes_up_with_a_wrong_remedy_off_and_says_so(watcher, store):
    watching = watcher(TWO.replace("WITH", "{comand: [x], command: [x]}"))
    assert watching.load_first() == 1
    assert watching.remarks[0].startswith("the remedy restart-service of web is off: forewatch.yaml:8:16: ")
    assert remedies(store) == [1, 0]
    assert [off.place for off in Configuration(store).current()[1].remedies_off] == [1]


def test_a_reload_never_refuses_over_a_remedy_and_mending_it_is_a_new_version(watcher, write, store):
    watching = watcher(TWO.replace("WITH", "{command: [sh]}"))
    watching.load_first()
    assert watching.remarks == []
    write(TWO.replace("WITH", "{comand: [x]}") + "  - name: new\n")
    assert settled(watching) == Changed(2)
    assert remedies(store) == [1, 0]
    assert len(watching.remarks) == 1
    write(TWO.replace("WITH", "{command: [sh]}") + "  - name: new\n")
    assert settled(watching) == Changed(3)
    assert (remedies(store), watching.remarks) == ([2, 0], [])


def test_a_reload_that_is_refused_keeps_what_was_said_of_the_one_in_force(watcher, write):
    watching = watcher(TWO.replace("WITH", "{comand: [x]}"))
    watching.load_first()
    before = watching.remarks
    write("services: [{name: web, colour: red}]\n")
    assert isinstance(settled(watching), Refused)
    assert watching.remarks == before


def test_a_runbook_that_is_mended_switches_its_remedies_on_again(watcher, store, judge, tmp_path):
    (tmp_path / "own").mkdir()
    runbook = tmp_path / "own" / "other.py"
    runbook.write_text("broken(", encoding="utf-8")
    judge.broken = "own/restart_service.py:1: '(' was never closed"
    watching = watcher("runbook_folders: [own]\n" + TWO.replace("WITH", "{command: [sh]}"))
    watching.load_first()
    assert remedies(store) == [0, 0]
    judge.broken = None
    runbook.write_text("mended = True", encoding="utf-8")
    assert settled(watching) == Changed(2)
    assert remedies(store) == [2, 0]


def test_a_decision_is_replayed_with_the_remedies_that_were_off_then(watcher, write, store):
    watching = watcher(TWO.replace("WITH", "{comand: [x]}"))
    watching.load_first()
    write(TWO.replace("WITH", "{command: [sh]}"))
    settled(watching)
    configurations = stored_configurations(store)
    assert [len(configurations(version).services[0].remedies) for version in (1, 2)] == [1, 2]


def test_a_version_stored_before_remedies_could_be_off_is_read_as_it_was(store):
    with store.decide() as conn:
        config_versions.add(conn, [("/x/forewatch.yaml", "services: [{name: web}]\n")], 0)
        conn.exec_driver_sql("UPDATE config_versions SET remedies_off = NULL")
        assert config_versions.newest(conn).remedies_off == ()
    assert Configuration(store).current()[1].remedies_off == []


def test_nobody_writes_that_a_remedy_is_off(problems):
    assert 'unknown key "remedies_off"' in problems("remedies_off: []\n")[0]
