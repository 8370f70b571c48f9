"""What works and is hardly meant so is said as a warning, with its place and what was probably meant."""

from __future__ import annotations

import pytest

from forewatch.config.check import check_file
from forewatch.guard import redact

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch):
    """Values of variables of other tests would be masked."""
    monkeypatch.setattr(redact, "_remembered", {})
    monkeypatch.setattr(redact, "_longest_first", ())


@pytest.fixture
def warnings(write):
    def warnings(text):
        found = check_file(write(text))
        assert (found.problems, found.faults) == ([], [])
        assert all(": warning: " in line for line in found.warnings)
        return [line.removeprefix("forewatch.yaml:").replace("warning: ", "") for line in found.warnings]

    return warnings


def service(*lines, name="web", checks="[{tcp: '127.0.0.1:1'}]"):
    return f"services:\n  - name: {name}\n    checks: {checks}\n" + "".join(f"    {line}\n" for line in lines)


def remedy(on, runbook="restart-service", inputs="{command: [sh]}"):
    return f"remedies: [{{on: {on}, runbook: {runbook}, with: {inputs}}}]"


# Programs


def test_a_program_that_is_not_there_is_said_of_remedies_and_checks(warnings, tmp_path):
    text = service(remedy("{}", inputs="{command: [run/start.sh]}"), checks="[{command: [no-such-program, x]}]")
    assert warnings(text) == [
        "3:25: services[0].checks[0].command[0]: there is no program no-such-program on the PATH",
        "4:68: services[0].remedies[0].with.command[0]: there is no program run/start.sh "
        f"(relative paths start at {tmp_path})",
    ]


def test_a_program_that_may_not_be_executed_is_said(warnings, tmp_path):
    program = tmp_path / "start.sh"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o600)
    text = service(remedy("{}", inputs="{command: [./start.sh]}"))
    assert warnings(text)[0].endswith("./start.sh is not executable (chmod +x)")
    program.chmod(0o700)
    assert warnings(text) == []


def test_the_command_of_another_runbook_is_its_own_matter_and_an_address_is_filled_in_later(warnings):
    text = service(
        "instances: [{name: a, address: x}]",
        remedy("{}", runbook="my-own", inputs="{command: [no-such-program]}"),
        checks="[{command: ['/no/{address}']}]",
    )
    assert warnings(text) == []


# Secrets


def test_a_secret_that_is_not_set_is_said_where_it_stands_and_never_shown(warnings, monkeypatch, tmp_path):
    monkeypatch.delenv("HOOK", raising=False)
    text = """\
notifiers:
  - name: hook
    webhook: {url: !secret file:url, secret: !secret env:HOOK}
"""
    assert warnings(text) == [
        "3:15: notifiers[0].webhook.url: the file of this secret cannot be read here: url",
        "3:38: notifiers[0].webhook.secret: the environment variable HOOK of this secret is not set here",
    ]
    monkeypatch.setenv("HOOK", "x")
    (tmp_path / "url").write_text("http://127.0.0.1/", encoding="utf-8")
    assert warnings(text) == []


# Alert names


def test_an_alert_that_nothing_raises_is_said_with_the_nearest_name(warnings):
    assert warnings(service(remedy("{alertname: CheckFailling}"))) == [
        "4:22: services[0].remedies[0].on.alertname: nothing raises an alert CheckFailling of web "
        "(did you mean CheckFailing?)"
    ]


@pytest.mark.parametrize("on", ["['alertname=~\"Chek.*\"']", "['alertname=Disk', 'alertname=Other']"])
def test_matchers_that_no_alert_fits_are_said_with_what_there_is(warnings, on):
    assert "(there are Anomalous, CheckFailing)" in warnings(service(remedy(on)))[0]


def test_a_certificate_of_our_port_that_cannot_be_read_is_said(warnings, tmp_path):
    (tmp_path / "server.pem").write_text("x")
    assert warnings("tls: {certificate: server.pem, key: none.key}\n") == [
        "1:32: tls.key: the file cannot be read here: none.key"
    ]


def test_a_matcher_only_the_classic_parser_takes_is_said_with_one_that_both_take(warnings):
    text = "routes:\n  - {match: ['instance=~\"10\\.0\\.\\d+\"', 'team=web']}\n"
    assert warnings(text) == [
        "2:14: routes[0].match[0]: "
        r'instance=~"10\.0\.\d+" is read as Alertmanager'
        r"""'s classic parser reads it; write instance=~"10\\.0\\.\\d+", """
        "which its UTF-8 parser takes too"
    ]


def test_a_rule_that_belongs_to_another_service_is_named(warnings):
    rules = "rules:\n  - {alert: UploadsFull, metric: system.filesystem.utilization, above: 90%, service: host}\n"
    assert warnings(service(remedy("{alertname: UploadsFull}")) + rules)[0].endswith(
        "nothing raises an alert UploadsFull of web (the rule UploadsFull raises it of host)"
    )


@pytest.mark.parametrize(
    ("alert", "text"),
    [
        ("CheckFailing", service(remedy("{alertname: CheckFailing}"))),
        ("of a heartbeat", service(
            remedy("{alertname: CheckFailing}"),
            checks="[{heartbeat: {token: 00000000-0000-4000-8000-000000000001, period: 1m}}]",
        )),
        ("any", service(remedy("{severity: critical}"))),
        ("HttpSlow", service(remedy("{alertname: HttpSlow}"), checks="[{http: 'http://127.0.0.1'}]")),
        ("Anomalous", service(remedy("{alertname: Anomalous}"))),
        ("ErrorBudgetBurn", service("objectives: [{availability: 99%}]", remedy("{alertname: ErrorBudgetBurn}"))),
        ("ErrorBudgetExhaustedSoon", service(
            "objectives: [{availability: 99%}]", remedy("{alertname: ErrorBudgetExhaustedSoon}"))),
        ("CertificateExpiredSoon", service(remedy("{alertname: CertificateExpiredSoon}"), checks="[{tls: 'a:1'}]")),
        ("FilesExhaustedSoon", service("processes: [{port: 1}]", remedy("{alertname: FilesExhaustedSoon}"))),
        ("HostDiskFull", service(remedy("{alertname: HostDiskFull}"), name="host")),
        ("PerformanceRegression", service(
            "benchmarks: [{name: a, url: 'http://127.0.0.1'}]", remedy("{alertname: PerformanceRegression}"))),
        ("a rule of its own", service("processes: [{port: 1}]", remedy("{alertname: Leak}"))
            + "rules: [{alert: Leak, metric: process.memory.usage, above: 1GB}]\n"),
        ("a capacity", service(remedy("{alertname: PoolExhaustedSoon}"))
            + "capacities: [{name: pool, metric: check.duration, limit: 3, service: web}]\n"),
        ("Forewatch's own", service(remedy("{alertname: ForewatchAnything}"), name="forewatch")),
        ("a sender's", service(remedy("{alertname: Anything}"))
            + "sources: [{name: prometheus, alertmanager: {}}]\n"),
    ],
    ids=lambda value: value if not value.startswith("services") else "",
)  # fmt: skip
def test_what_something_raises_is_no_matter(warnings, alert, text):
    assert warnings(text) == []


# Metrics


def test_a_metric_that_nothing_writes_is_said_with_the_nearest_or_with_what_writes_it(warnings):
    text = (
        service()
        + """\
rules:
  - {alert: A, metric: system.cpu.utilisation, above: 90%}
  - {alert: B, metric: process.memory.usage, match: {service: web}, above: 1GB}
  - {alert: C, metric: check.up, per: check.upp, statistic: ratio, below: 1}
  - {alert: D, metric: system.disk.smart.temperature, above: 60}
capacities:
  - {name: pool, metric: pool.used, limit_metric: objective.budget.left}
"""
    )
    assert warnings(text) == [
        "5:16: rules[0].metric: nothing writes a metric system.cpu.utilisation (did you mean system.cpu.utilization?)",
        "6:16: rules[1].metric: nothing writes process.memory.usage of web: it comes with processes:",
        "7:34: rules[2].per: nothing writes a metric check.upp (did you mean check.up?)",
        "10:18: capacities[0].metric: nothing writes a metric pool.used",
        "10:37: capacities[0].limit_metric: nothing writes objective.budget.left: it comes with objectives:",
    ]


def test_metrics_of_the_machine_go_with_their_collection(warnings):
    rule = "rules: [{alert: A, metric: system.cpu.utilization, above: 90%}]\n"
    assert warnings(rule) == []
    assert warnings("metrics: {host: false}\n" + rule)[0].endswith(
        "nothing writes system.cpu.utilization: it comes with metrics: {host: true}"
    )


# Leaks


def leak(window, metric="process.memory.usage"):
    rule = f"alert: Leak, metric: {metric}, match: {{service: web}}, window: {window}, limit: 1, exhausted_within: 60s"
    return service("processes: [{port: 1}]", checks="[{tcp: 'a:1', every: 2s, timeout: 1s}]") + f"rules: [{{{rule}}}]\n"


def test_a_window_with_too_few_samples_for_a_trend_says_how_many_and_how_long(warnings):
    assert warnings("metrics: {every: 6s}\n" + leak("30s")) == [
        "6:76: rules[0].window: a window of 30s holds 5 samples of process.memory.usage (one every 6s), and a trend "
        "needs 20, or 5 over 2m: make it at least 2m"
    ]


@pytest.mark.parametrize(
    ("every", "metric", "shortest"),
    [("6s", "process.memory.usage", "2m"), ("15s", "process.memory.usage", "2m15s"), ("60s", "check.up", "40s"),
     ("1m", "process.memory.usage", "5m")],
)  # fmt: skip
def test_the_window_it_names_is_long_enough(warnings, every, metric, shortest):
    first = f"metrics: {{every: {every}}}\n"
    [line] = warnings(first + leak("5s", metric))
    assert line.endswith(f"make it at least {shortest}")
    assert warnings(first + leak(shortest, metric)) == []


# Matchers


@pytest.mark.parametrize(
    ("matchers", "said"),
    [
        ("['severity=critical', 'severity=warning']", 'severity="warning" contradicts severity="critical"'),
        ("['team=web', 'team=~\"data|ops\"']", 'team=~"data|ops" contradicts team="web"'),
        ("['team=web', 'team!=web']", 'team!="web" contradicts team="web"'),
        ("['team!~\"w.*\"', 'team=web']", 'team!~"w.*" contradicts team="web"'),
    ],
)
def test_matchers_that_contradict_each_other_are_said(warnings, matchers, said):
    [line] = warnings(f"routes: [{{match: {matchers}, notify: [console]}}]\n")
    assert line.endswith(f"{said}, so this never matches")


def test_a_route_below_another_must_fit_it_too(warnings):
    text = """\
routes:
  - match: {team: web}
    routes:
      - match: {team: data}
        routes: [{match: {team: web}}]
      - match: {severity: critical}
"""
    assert warnings(text) == [
        '4:17: routes[0].routes[0].match.team: team="data" contradicts team="web", so this never matches'
    ]


def test_a_remedy_is_asked_only_about_alerts_of_its_own_service(warnings):
    assert warnings(service(remedy("{service: shop}")))[0].endswith(
        'on.service: service="shop" contradicts service="web", so this never matches'
    )


def test_inhibitions_rules_and_capacities_are_looked_at_too(warnings):
    never = "['a=1', 'a=2']"
    text = service() + (
        f"inhibitions: [{{source: {never}, target: {never}}}]\n"
        f"rules: [{{alert: A, metric: check.up, match: {never}, below: 1}}]\n"
        f"capacities: [{{name: c, metric: check.up, match: {never}, limit: 1}}]\n"
    )
    assert len([line for line in warnings(text) if "contradicts" in line]) == 4


@pytest.mark.parametrize("matchers", ["['a=1', 'b=2']", "['a=1', 'a=~\"1|2\"']", "['a!=1', 'a!=2']", "[]"])
def test_matchers_that_go_together_are_no_matter(warnings, matchers):
    assert warnings(f"routes: [{{match: {matchers}, notify: [console]}}]\n") == []


def test_with_senders_a_severity_is_doubted_only_where_it_looks_misspelled(warnings):
    text = "sources: [{name: prometheus, alertmanager: {}}]\nroutes: [{match: {severity: SEVERITY}}]\n"
    assert warnings(text.replace("SEVERITY", "page")) == []
    assert warnings(text.replace("SEVERITY", "criticl")) == [
        "2:19: routes[0].match.severity: no alert of Forewatch's own has the severity criticl (did you mean critical?)"
    ]


def test_a_configuration_in_order_is_given_no_warning(warnings):
    assert warnings(service(remedy("{alertname: CheckFailing}"))) == []


def test_what_a_variable_stands_for_is_in_no_warning(warnings, monkeypatch):
    monkeypatch.setenv("TOKEN", "a-value-that-nobody-may-see")
    text = (
        service(remedy('{alertname: "${TOKEN}"}', inputs="{command: [no-such-program]}"))
        + """\
rules: [{alert: A, metric: process.memory.usage, match: {service: "${TOKEN}"}, above: 1}]
routes: [{match: {team: "${TOKEN}"}, routes: [{match: {team: web}}]}]
"""
    )
    said = warnings(text)
    assert len(said) == 4
    assert "a-value-that-nobody-may-see" not in " ".join(said)
