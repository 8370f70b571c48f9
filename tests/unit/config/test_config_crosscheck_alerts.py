"""The way alerts take through a configuration: sources, times, inhibitions and routes refer to what is there."""

import pytest

from forewatch.alerting.routing import route_for
from forewatch.config.defaults import effective

pytestmark = pytest.mark.unit


def rest(found):
    """The lines without the file's name."""
    return [line.removeprefix("forewatch.yaml:") for line in found]


RIGHT = """\
services:
  - {name: web, maintenance: [sundays]}
notifiers:
  - {name: ops, console: {}}
times:
  - name: sundays
    zone: Europe/Berlin
    ranges:
      - {weekdays: [sunday], times: ["02:00-04:00", "22:00-24:00"]}
      - {days_of_month: ["-1"], months: ["december"], years: ["2026:2030"]}
  - {name: nights, ranges: [{times: ["22:00-06:00"]}]}
inhibitions:
  - {source: {severity: critical}, target: ['severity=~"warning|info"'], equal: [service]}
routes:
  - match: {team: web}
    notify: [ops]
    group_by: [alertname, service]
    group_wait: 10s
    group_interval: 1m
    repeat_interval: 2h
    continue: true
    mute: [nights]
    routes:
      - {match: ['severity!=critical'], active: [sundays], notify: [console]}
      - {group_by: ['...']}
  - {match: {team: db}}
flapping: {after: 4, within: 20m, calm: 10m}
correlation: {within: 2m}
sources:
  - {name: prometheus, alertmanager: {}}
  - {name: pd, pagerduty: {}, token: !secret env:PD, default_service: web}
"""


def test_a_whole_way_of_alerts_is_right(problems):
    assert problems(RIGHT) == []


def test_names_below_routes_are_found_at_any_depth(problems):
    text = (
        "notifiers: [{name: ops, console: {}}]\ntimes: [{name: nights, ranges: [{months: [may]}]}]\n"
        "services: [{name: web, maintenance: [night]}]\n"
        "routes:\n"
        "  - routes:\n"
        "      - mute: [nigths]\n"
        "        routes:\n"
        "          - notify: [opps]\n"
        "            active: [days]\n"
    )
    assert rest(problems(text)) == [
        "3:38: services[0].maintenance[0]: there is no times night (did you mean nights?)",
        "6:16: routes[0].routes[0].mute[0]: there is no times nigths (did you mean nights?)",
        "8:22: routes[0].routes[0].routes[0].notify[0]: there is no notifier opps (did you mean ops?)",
        "9:22: routes[0].routes[0].routes[0].active[0]: there is no times days",
    ]


def test_a_route_may_leave_its_notifiers_to_the_default_but_not_name_none(problems):
    assert problems("routes: [{match: {a: b}, routes: [{match: {c: d}}]}]") == []
    [line] = problems("routes: [{routes: [{notify: []}]}]")
    assert "routes[0].routes[0].notify: names no notifier, so nobody would be notified" in line


def test_matchers_of_children_and_inhibitions_are_parsed(problems):
    text = (
        "routes: [{routes: [{match: ['a ']}]}]\n"
        "inhibitions:\n  - {source: ['b=~\"(\"'], target: {c: d}}\n  - {source: {}, target: [e]}\n"
    )
    assert [line.split(": not a matcher: ")[0] for line in rest(problems(text))] == [
        "1:29: routes[0].routes[0].match[0]",
        "3:15: inhibitions[0].source[0]",
        "4:27: inhibitions[1].target[0]",
    ]


def test_every_label_stands_alone(problems):
    [line] = problems("routes: [{group_by: ['...', alertname]}]")
    assert line.endswith("routes[0].group_by: ... is every label; it must be the only one")


def test_times_that_cannot_be_read_have_a_line_each(problems):
    text = (
        "times:\n"
        "  - name: a\n"
        "    zone: Berlin\n"
        "    ranges:\n"
        '      - times: ["09:00-17:00", 9-17]\n'
        "        weekdays: [mon]\n"
        "      - {}\n"
    )
    assert rest(problems(text)) == [
        "3:5: times[0].zone: Berlin is not a time zone (try UTC, or one such as Europe/Berlin)",
        "5:32: times[0].ranges[0].times[1]: 9-17 is not a range of times "
        "(try 22:00-06:00; 24:00 is the end of the day)",
        "6:20: times[0].ranges[0].weekdays[0]: mon is not a range of weekdays (try monday:friday)",
        "7:9: times[0].ranges[1]: says nothing, so it would hold always; say one of "
        "times, weekdays, days_of_month, months, years",
    ]


def test_what_a_variable_stands_for_is_not_shown(problems, monkeypatch):
    monkeypatch.setenv("ZONE", "S3cret/Zone")
    [line] = problems("times: [{name: a, zone: '${ZONE}', ranges: [{months: [may]}]}]")
    assert line.endswith("times[0].zone: ${ZONE} does not stand for a valid value")


def test_names_of_times_and_sources_stand_once(problems):
    text = (
        "times:\n  - {name: a, ranges: [{months: [may]}]}\n  - {name: a, ranges: [{months: [june]}]}\n"
        "sources:\n  - {name: s, kuma: {}}\n  - {name: s, grafana: {}}\n"
    )
    assert rest(problems(text)) == [
        "3:6: times[1].name: there is a times a already, in forewatch.yaml:2",
        "6:6: sources[1].name: there is a source s already, in forewatch.yaml:5",
    ]


def test_a_source_names_a_service_that_is_there(problems):
    [line] = problems("services: [{name: shop}]\nsources: [{name: s, kuma: {}, default_service: shopp}]")
    assert line.endswith("sources[0].default_service: there is no service shopp (did you mean shop?)")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "watch.example"])
def test_a_source_that_others_can_reach_has_a_token(problems, host):
    [line] = problems(f"listen: '{host}'\nsources: [{{name: s, alertmanager: {{}}}}]")
    assert f"sources[0].name: without a token anybody who reaches {host} could send alerts" in line
    assert problems(f"listen: '{host}'\nsources: [{{name: s, alertmanager: {{}}, token: !secret 'env:T'}}]") == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost"])
def test_on_this_machine_alone_no_token_is_needed(problems, host):
    assert problems(f"listen: '{host}'\nsources: [{{name: s, alertmanager: {{}}}}]") == []


def test_what_is_signed_or_asked_for_needs_no_token(problems):
    text = (
        "listen: 0.0.0.0\nsources:\n  - {name: a, sentry: {client_secret: !secret 'env:S'}}\n"
        "  - {name: b, bugsink: {url: 'http://bugs.example', token: !secret 'env:B'}}\n"
    )
    assert problems(text) == []


def test_two_sources_of_a_kind_are_told_apart_by_their_tokens(problems):
    text = (
        "sources:\n  - {name: a, pagerduty: {}, token: s3cret}\n  - {name: b, pagerduty: {}, token: s3cret}\n"
        "  - {name: c, kuma: {}, token: s3cret}\n"
    )
    [line] = rest(problems(text))
    assert line.endswith("sources[1].token: another pagerduty source has the same token, in forewatch.yaml:2")
    assert "s3cret" not in line


def test_an_alert_gets_in_where_prefect_is_down(problems):
    [line] = problems("sources: [{name: a, sentry: {client_secret: !secret 'prefect:x'}}]")
    assert "prefect: secrets are not for sources, since an alert must get in even where Prefect is down" in line


def test_addresses_of_apis_are_urls(problems):
    [line] = problems("sources: [{name: a, bugsink: {url: bugs.example, token: !secret 'env:B'}}]")
    assert "sources[0].bugsink.url: bugs.example is not a URL" in line


def test_a_console_that_only_a_child_names_is_there(config):
    told = effective(config("notifiers: [{name: ops, webhook: {url: 'http://a'}}]\n"
                            "routes: [{notify: [ops], routes: [{match: {a: b}, notify: [console]}]}]"))  # fmt: skip
    assert [notifier.name for notifier in told.notifiers] == ["ops", "console"]
    assert route_for(told, {"a": "b"}).notify == ("console",)


def test_included_files_add_times_inhibitions_and_sources(write, problems):
    write("times: [{name: b, ranges: [{months: [may]}]}]\nsources: [{name: s, kuma: {}}]\n", "more.yaml")
    text = "include: [more.yaml]\ntimes: [{name: a, ranges: [{months: [1]}]}]\nroutes: [{mute: [a, b]}]\n"
    [line] = problems(text)
    assert "1 must be text" in line
    assert problems(text.replace("[1]", "['1']")) == []
