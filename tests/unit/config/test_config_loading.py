"""From files to a configuration: includes, variables, secrets, defaults."""

import json

import pytest
from pydantic import ValidationError

from forewatch.config.check import check_file
from forewatch.config.defaults import effective
from forewatch.config.files import ConfigFiles
from forewatch.config.loader import load_files, parse
from forewatch.config.models import Check, Config
from forewatch.config.secrets import Secret
from forewatch.config.starter import STARTER
from forewatch.errors import ConfigError
from forewatch.store.config_versions import digest_of

pytestmark = pytest.mark.unit

EXAMPLE = """\
services:
  - name: storefront
    owner: web
    depends_on: [catalogue]
    checks:
      - http: http://127.0.0.1:8001/health
        every: 1s
        timeout: 500ms
        fails_after: 1
        recovers_after: 1
        severity: critical
        expect: {status: 200, body: ok, latency: 300ms}
    remedies:
      - on: {alertname: CheckFailing}
        runbook: restart-service
        with: {pidfile: run/storefront.pid, command: [./start.sh]}   # command alone is enough
        autonomy: auto
        limits: {per_hour: 20, cooldown: 2s}
        verify: {within: 20s}
  - name: catalogue
rules:
  - alert: DiskFilling
    metric: system.filesystem.utilization
    match: {mountpoint: /}
    statistic: max
    window: 5m
    above: 90%
    for: 5m
    severity: warning
notifiers:
  - name: terminal
    console: {}
  - name: ops-hook
    webhook: {url: "https://ops.example/hook", secret: !secret env:HOOK_SECRET}
routes:
  - match: {severity: critical}
    notify: [ops-hook, terminal]
    hold: 0s
"""


def test_the_documented_example_is_right(config, tmp_path):
    found = config(EXAMPLE)
    assert found.folder == str(tmp_path)
    check = found.services[0].checks[0]
    assert (check.every, check.timeout, check.expect.latency) == (1.0, 0.5, 0.3)
    assert found.services[0].remedies[0].inputs == {"pidfile": "run/storefront.pid", "command": ["./start.sh"]}
    assert (found.rules[0].above, found.rules[0].for_) == (0.9, 300.0)
    assert found.notifiers[1].webhook.secret == Secret("env:HOOK_SECRET", str(tmp_path))


def test_the_starter_is_right_as_it_is_and_with_its_examples(problems):
    assert problems(STARTER) == []
    examples = STARTER.partition("# services:")
    shown = examples[1] + examples[2]
    live = "\n".join(line.removeprefix("# ") for line in shown.splitlines() if not line.startswith("# A rule"))
    assert "\nrules:" in live
    assert problems(examples[0] + live, ["restart-service"]) == []


def test_stored_files_say_the_same_as_the_disk_and_read_nothing(write):
    path = write("include: [more.yaml]\nservices: [{name: web}]\n")
    more = write("services: [{name: shop}]\n", "more.yaml")
    files = load_files(path)
    path.unlink()
    more.unlink()
    stored = ConfigFiles.from_json(json.loads(json.dumps(files.as_json())))
    assert stored == files
    assert stored.digest == files.digest == digest_of(files.files)
    assert [service.name for service in parse(stored).services] == ["web", "shop"]


# --- include


def test_lists_of_included_files_are_merged_and_keep_their_own_lines(write):
    path = write("include: [conf.d/*.yaml, extra.yaml]\nservices: [{name: a}]\nrules: []\n")
    write("services: [{name: b}]\n", "conf.d/1.yaml")
    write("services:\n  - name: c\n    dependson: [a]\n", "conf.d/2.yaml")
    write("routes: [{notify: [console]}]\nmetrics: {every: 20s}\n", "extra.yaml")
    assert check_file(path).problems == [
        'conf.d/2.yaml:3:5: services[0]: unknown key "dependson" (did you mean depends_on?)'
    ]
    write("services: [{name: c}]\n", "conf.d/2.yaml")
    found = parse(load_files(path))
    assert [service.name for service in found.services] == ["a", "b", "c"]
    assert found.metrics.every == 20.0


def test_names_are_checked_across_files(write):
    path = write("include: more.yaml\nservices: [{name: a, depends_on: [b]}, {name: c}]\n")
    write("services: [{name: b}, {name: c}]\n", "more.yaml")
    assert check_file(path).problems == [
        "more.yaml:1:24: services[1].name: there is a service c already, in forewatch.yaml:2"
    ]


def test_a_missing_file_is_a_problem_and_an_empty_glob_is_none(write):
    path = write("include:\n  - nothing/*.yaml\n  - gone.yaml\n")
    assert check_file(path).problems == ["forewatch.yaml:3:5: include[1]: gone.yaml: there is no such file"]


def test_files_that_include_each_other_are_refused_with_the_circle(write):
    path = write("include: [a.yaml]\n")
    write("include: [forewatch.yaml]\n", "a.yaml")
    assert check_file(path).problems == [
        "a.yaml:1:11: include[0]: files include each other: forewatch.yaml -> a.yaml -> forewatch.yaml"
    ]


def test_a_file_named_twice_or_swept_up_by_its_own_glob_is_read_once(write):
    path = write("include: ['*.yaml', a.yaml]\nservices: [{name: m}]\n")
    write("services: [{name: a}]\n", "a.yaml")
    assert [service.name for service in parse(load_files(path)).services] == ["m", "a"]


def test_a_setting_stands_in_one_file_only(write):
    path = write("include: [a.yaml]\nlisten: 127.0.0.1\n")
    write("listen: 0.0.0.0\n", "a.yaml")
    assert check_file(path).problems == ["a.yaml:1:1: listen: is set already in forewatch.yaml:2"]


@pytest.mark.parametrize(
    ("include", "what"),
    [
        ("[5]", "include takes paths or globs, such as conf.d/*.yaml"),
        ("[{a: b}]", "include takes paths or globs, such as conf.d/*.yaml"),
        ('["a\\0b"]', "include takes paths or globs, such as conf.d/*.yaml"),
        ('["${HOME}/x"]', "a path to include is written out, without ${...}"),
        ("[.]", ": is not a plain file"),
    ],
)
def test_what_cannot_be_included_is_said(problems, include, what):
    [line] = problems(f"include: {include}\n")
    assert line.startswith("forewatch.yaml:1:11: include[0]: ")
    assert line.endswith(what)


# --- ${VARIABLE} and secrets


def expanded(text: str, **environ: str) -> Config:
    return parse(ConfigFiles((("/x/forewatch.yaml", text),)), environ=environ)


def test_variables_are_filled_in_where_text_stands():
    text = "services: [{name: '${TEAM}-web', checks: [{http: 'http://${HOST}:${PORT}/', retries: '${N}'}]}]"
    service = expanded(text, TEAM="shop", HOST="ten.example", PORT="80", N="3").services[0]
    assert (service.name, service.checks[0].http, service.checks[0].retries) == (
        "shop-web",
        "http://ten.example:80/",
        3,
    )


def test_a_dollar_is_written_twice_before_a_brace():
    text = "services: [{name: a, description: '$${HOME} costs $5, $$5'}]"
    assert expanded(text).services[0].description == "${HOME} costs $5, $5"


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("${NONE}", "the environment variable NONE is not set (write $${NONE} if that is meant literally)"),
        ("${}", "a variable is written ${NAME}"),
        ("${A B}", "a variable is written ${NAME}"),
        ("${A", "a variable is written ${NAME}"),
    ],
)
def test_a_variable_that_cannot_be_filled_in_is_one_problem(problems, written, what):
    [line] = problems(f"metrics: {{every: '{written}'}}")
    assert line.startswith("forewatch.yaml:1:11: metrics.every: ")
    assert what in line


def test_an_empty_variable_is_set():
    assert expanded("services: [{name: a, owner: '${EMPTY}'}]", EMPTY="").services[0].owner == ""


VALUE = "hunter2-of-the-vault"


@pytest.mark.parametrize(
    "text",
    [
        "metrics: {every: '${X}'}",
        "services: [{name: '${X}!'}]",
        "services: [{name: a, checks: [{http: '${X}'}]}]",
        "services: [{name: a, checks: [{tcp: '${X}'}]}]",
        "services: [{name: a, checks: [{tcp: '{address}:1'}], instances: [{name: '${X}', address: 'a b'}]}]",
        "services: [{name: a, checks: [{http: 'http://a', severity: '${X}'}]}]",
        "services: [{name: a, checks: [{http: 'http://a', retries: '${X}'}]}]",
        "services: [{name: a, depends_on: ['${X}']}]",
        "services: [{name: '${X}', depends_on: ['${X}']}, {name: '${X}'}]",
        "services: [{name: a, depends_on: [hunter2-of-the-vaul]}, {name: '${X}'}]",
        "rules: [{alert: A, metric: m, above: '${X}'}]",
        "rules: [{alert: '${X}', metric: m, above: 1}, {alert: '${X}', metric: m, above: 1}]",
        "routes: [{notify: ['${X}']}]",
        "routes: [{notify: [console], match: ['${X}']}]",
        "notifiers: [{name: a, webhook: {url: '${X}'}}]",
        "notifiers: [{name: a, webhook: {url: 'https://a', secret: '${X}'}}]",
        "public_url: '${X}'",
    ],
)
def test_what_a_variable_stands_for_is_in_no_problem(files, text):
    with pytest.raises(ConfigError) as caught:
        parse(files(text), environ={"X": VALUE})
    assert VALUE not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_short_value_is_kept_out_too(files):
    with pytest.raises(ConfigError) as caught:
        parse(files("metrics: {every: 'about ${X}'}"), environ={"X": "7q"})
    assert caught.value.problems == [
        "/somewhere/forewatch.yaml:1:11: metrics.every: about ${X} does not stand for a valid value"
    ]


def test_a_configuration_shows_no_value_of_a_variable():
    found = expanded("services: [{name: a, description: 'with ${X}'}]", X="another-hunter2")
    assert found.services[0].description == "with another-hunter2"
    for text in (repr(found), str(found), f"{found.services}"):
        assert "another-hunter2" not in text


def test_a_plain_secret_is_not_quoted_back(problems):
    [line] = problems("notifiers: [{name: a, webhook: {url: 'https://a', secret: hunter2}}]")
    assert "hunter2" not in line
    assert line.endswith("this value must be a !secret reference (such as !secret env:NAME)")


@pytest.mark.parametrize("written", ["!secret hunter2", "!secret env:", "!secret {a: b}", "!secret [a]"])
def test_a_secret_that_is_no_reference_is_one_problem(problems, written):
    [line] = problems(f"heartbeat: {{url: {written}}}")
    assert "env:NAME" in line
    assert "hunter2" not in line


def test_an_error_of_a_model_shows_no_input():
    with pytest.raises(ValidationError) as caught:
        Check.model_validate({"http": "http://a", "retries": "hunter2"})
    assert "hunter2" not in str(caught.value)


# --- YAML


def test_defaults_are_shared_by_merge_keys(config):
    found = config(
        "services:\n"
        "  - name: a\n    checks:\n      - &quick {name: one, http: 'http://a', every: 1s}\n"
        "      - <<: *quick\n        name: two\n        every: 2s\n"
    )
    assert [(check.name, check.http, check.every) for check in found.services[0].checks] == [
        ("one", "http://a", 1.0),
        ("two", "http://a", 2.0),
    ]


def test_words_that_old_yaml_took_for_something_else_are_words(config):
    found = config("services: [{name: a, labels: {on: yes, no: off, at: 12:30, day: 2020-01-02}}]")
    assert found.services[0].labels == {"on": "yes", "no": "off", "at": "12:30", "day": "2020-01-02"}


# --- what is implied


def test_host_forewatch_and_a_console_are_there_without_being_written():
    found = effective(Config())
    assert [service.name for service in found.services] == ["host", "forewatch"]
    assert [(notifier.name, notifier.kind) for notifier in found.notifiers] == [("console", "console")]
    assert effective(found) == found


def test_what_the_user_wrote_stays(config):
    written = config(
        "services: [{name: host, owner: me}]\nnotifiers: [{name: t, console: {}}]\nroutes: [{notify: [t]}]"
    )
    found = effective(written)
    assert [(service.name, service.owner) for service in found.services] == [("host", "me"), ("forewatch", None)]
    assert found.notifiers == written.notifiers


def test_the_console_is_there_when_a_route_asks_for_it(config):
    found = effective(config("notifiers: [{name: t, console: {}}]\nroutes: [{notify: [console]}]"))
    assert [notifier.name for notifier in found.notifiers] == ["t", "console"]


def test_folders_of_runbooks_start_at_the_file(config, tmp_path):
    assert config("runbook_folders: [ours, /srv/theirs]").runbook_folders == [str(tmp_path / "ours"), "/srv/theirs"]
