"""Each slip gets one line that names the place, the slip and the remedy."""

import pytest

from forewatch.config import synonyms
from forewatch.config.check import check_file
from forewatch.config.problems import keys_of

pytestmark = pytest.mark.unit

EVERY = "5:9: services[0].checks[0].every: "
SERVICE = "services:\n  - name: web\n    checks:\n      - http: http://127.0.0.1/\n"


def rule(more: str) -> str:
    return "rules:\n  - {alert: A, metric: m, above: 1" + more + "}\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (SERVICE + "        every: 5 minuts\n", EVERY + "5 minuts is not a duration (try 5m)"),
        (
            SERVICE + "        recover_after: 3\n",
            '5:9: services[0].checks[0]: unknown key "recover_after" (did you mean recovers_after?)',
        ),
        (SERVICE + "        timeout: 5\n", "5:9: services[0].checks[0].timeout: 5 has no unit (try 5s)"),
        (SERVICE + "        every: 1.5\n", "5:9: services[0].checks[0].every: 1.5 has no unit (try 1.5s)"),
        (SERVICE + "        every: 100ms\n", "5:9: services[0].checks[0].every: 100ms is out of range: at least 1s"),
        (SERVICE + "        retries: 11\n", "5:9: services[0].checks[0].retries: 11 is out of range: at most 10"),
        (SERVICE + "        fails_after: no\n", "5:9: services[0].checks[0].fails_after: no must be a whole number"),
        (
            SERVICE + "        severity: fatal\n",
            "5:9: services[0].checks[0].severity: fatal must be one of critical, warning, info",
        ),
        (
            SERVICE + "        tcp: a:1\n",
            "4:9: services[0].checks[0]: needs exactly one of http, tcp, process, command, dns, tls, sql, systemd, "
            "heartbeat",
        ),
        ("routs: []\n", '1:1: unknown key "routs" (did you mean routes?)'),
        ("metrics: {}\nservices: {}\n", "2:1: services: it must be a list"),
        ("services:\n  - owner: web\n", "2:5: services[0]: name is missing"),
        ("services:\n  - name: 5\n", "2:5: services[0].name: 5 must be text (put it in quotes)"),
        ("services:\n  - name: web\n    checks:\n", "3:5: services[0].checks: it is empty and must be a list"),
        ("routes: [{notify: [a], match: {b: 200}}]", "1:32: routes[0].match.b: 200 must be text (put it in quotes)"),
        (rule(", clear: 2"), "2:5: rules[0]: clear must not be above the threshold `above`"),
        ("metrics: {}\nmetrics: {}\n", '2:1: the key "metrics" stands here twice (first in line 1)'),
        ("metrics: !env X\n", "1:1: metrics: unknown tag !env (the only one is !secret)"),
        ("metrics: {every: ${X}}\n", None),
    ],
)  # fmt: skip
def test_a_slip_gets_one_line(problems, text, line):
    found = problems(text)
    assert len(found) == 1
    if line is None:
        assert 'needs quotes: "${VARIABLE}"' in found[0]
    else:
        assert found[0] == f"forewatch.yaml:{line}"


def test_an_unknown_key_that_resembles_none_is_answered_with_those_there_are(problems):
    assert problems("metrics: {colour: blue}") == [
        'forewatch.yaml:1:11: metrics: unknown key "colour" (there are every, host, starter_rules)'
    ]


def test_every_problem_is_told_at_once_in_the_order_of_the_file(problems):
    found = problems("listen: 5\nshifts: {length: 1s, spare: 2}\nroutes: [{notify: [UP]}]\n")
    assert [line.split(":")[1] for line in found] == ["1", "2", "2", "3"]


def test_a_value_of_several_kinds_is_answered_by_the_kind_that_got_furthest(problems):
    [line] = problems(SERVICE + "        expect: {status: [200, x]}\n")
    assert line == "forewatch.yaml:5:32: services[0].checks[0].expect.status[1]: x must be a whole number"


def test_an_alternative_duration_name_of_python_is_not_a_key(problems):
    [line] = problems(rule(", for_: 5m"))
    assert 'unknown key "for_" (did you mean for?)' in line


def test_the_folder_is_the_loaders_to_set(problems):
    [line] = problems("folder: /tmp")
    assert line.startswith('forewatch.yaml:1:1: unknown key "folder"')


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"", "1:1: the file is empty; say at least metrics: {}"),
        (b"# nothing\n", "1:1: the file is empty; say at least metrics: {}"),
        (b"- a\n", "1:1: a configuration is a mapping: services:, rules:, notifiers:, ..."),
        (b"metrics:\n\tevery: 5s\n", "2:1: not valid YAML: a tab cannot indent; use spaces"),
        (b"metrics: {}\n\xff\xc3", "2:1: byte 0xff is not UTF-8 text; is this a YAML file?"),
        (b"\xef\xbb\xbfab\n\xff", "2:1: byte 0xff is not UTF-8 text; is this a YAML file?"),
        (b"ab\x00", "1:3: '\\x00' may not stand in YAML; is this a text?"),
        ("metrics: {}".encode("utf-16"), "1:1: is written in UTF-16 or UTF-32; save it as UTF-8"),
        (b"# " + b"x" * 10_000_000, "1:1: is larger than 4 MiB; split it and name the parts under include:"),
        (b"metrics: {}\n---\nmetrics: {}\n", "2:1: a second document begins here; write it as a file to include"),
        (b"[" * 100_000, "1:52: " + "[0]" * 51 + ": nested more than 50 deep"),
        (b"metrics: *m\n", "1:1: metrics: *m refers to nothing above it (or to itself)"),
        (b"metrics: &m {every: *m}\n", "1:14: metrics.every: *m refers to nothing above it (or to itself)"),
        (b"? [a]\n: b\n", "1:3: a key must be plain text"),
    ],
)
def test_what_is_no_configuration_is_said_with_its_place(problems, text, line):
    assert problems(text) == [f"forewatch.yaml:{line}"]


def test_a_byte_order_mark_is_taken_as_what_it_is(problems):
    assert problems(b"\xef\xbb\xbfmetrics: {}\n") == []


def test_aliases_that_stand_for_billions_are_refused(problems):
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40)]
    [found] = problems("\n".join(lines))
    assert "aliases make this more than 1000000 values" in found


def test_a_file_that_is_not_there_is_said(tmp_path):
    assert check_file(tmp_path / "none.yaml").problems == ["none.yaml:1:1: there is no such file"]
    assert check_file(tmp_path).problems == [f"{tmp_path}:1:1: is not a plain file"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("services: [{name: a, checks: [{tcp: 'a:1', interval: 5s}]}]", "(here it is called every)"),
        ("services: [{name: a, checks: [{redis: 'a:6379'}]}]", "this version has no redis check; tcp: HOST:6379 sees"),
        ("services: [{name: a, team: x}]", "(here it is called owner)"),
        ("routes: [{receiver: ops}]", "(here it is called notify)"),
        ("notifiers: [{name: a, slack: {}}]", "this version has no slack notifier; webhook: {url: URL} posts JSON"),
        ("rules: [{alert: A, expr: m, above: 1}]", "(here it is called metric)"),
        ("sources: [{name: a, prometheus: {}}]", "(here it is called alertmanager)"),
    ],
)
def test_what_people_know_from_other_tools_is_answered_with_what_it_is_called_here(problems, text, said):
    assert any(said in line for line in problems(text)), problems(text)


def test_no_key_of_ours_is_taken_for_one_of_another_tool():
    for model, (_, missing) in synonyms._MISSING.items():
        assert not set(missing) & set(keys_of(model))
    for model, called in synonyms._CALLED.items():
        assert not set(called) & set(keys_of(model))
        assert {name for names in called.values() for name in names.split(" or ")} <= set(keys_of(model))
