"""Who is told of an alert and why: the answer of the tree, the calendar and the store as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from histories import History
from typer.testing import CliRunner, Result

from forewatch.alerting.matchers import Matcher
from forewatch.alerting.routing import HOLD, HOLD_CRITICAL
from forewatch.alerting.silence import Silence, silence_as_json
from forewatch.cli import app
from forewatch.clock import MICROSECONDS
from forewatch.commands.routes import labels_of
from forewatch.config.defaults import effective
from forewatch.config.files import ConfigFiles
from forewatch.config.loader import parse
from forewatch.config.models import Config
from forewatch.errors import ConfigError, ForewatchError
from forewatch.incidents.events import SilenceSet
from forewatch.store.memory import in_memory
from forewatch.trials.routing.routes_check import check_routes
from forewatch.trials.routing.who_is_told import told_lines, tree_lines, who_is_told
from forewatch.units import format_duration

pytestmark = pytest.mark.unit

TREE = """
services:
  - {name: database}
  - name: shop
    depends_on: [database]
    remedies: [{on: {alertname: Slow}, runbook: restart-service, autonomy: auto}]
notifiers: [{name: ops, console: {}}, {name: web, console: {}}, {name: boss, console: {}}]
times: [{name: night, ranges: [{times: ["22:00-06:00"]}]}]
inhibitions: [{source: {alertname: Down}, target: {severity: warning}, equal: [service]}]
routes:
  - {match: {team: audit}, notify: [boss], continue: true}
  - match: {service: shop}
    notify: [web]
    routes:
      - {match: {severity: critical}, notify: [ops, web], group_by: [alertname], group_wait: 10s}
      - {match: {severity: info}, mute: [night]}
  - {match: ["service=~host|forewatch"], notify: [ops]}
"""
NOON, MIDNIGHT = 1_793_707_200 * MICROSECONDS, 1_793_750_400 * MICROSECONDS


@pytest.fixture
def config() -> Config:
    return effective(parse(ConfigFiles((("/etc/forewatch.yaml", TREE),)), environ={}))


def lines(config: Config, now: int = NOON, **labels: str) -> list[str]:
    with in_memory() as conn:
        return told_lines(who_is_told(conn, config, labels, now), config)


def test_the_way_through_the_tree_is_told_step_by_step(config: Config) -> None:
    assert lines(config, alertname="Slow", service="shop", severity="critical", team="audit") == [
        "It counts as critical, latency, of the service shop.",
        "",
        "the default route matches",
        '  routes[0] {team="audit"} matches, and the next ones are tried as well: it notifies boss',
        '  routes[1] {service="shop"} matches',
        '    routes[1].routes[0] {severity="critical"} matches: it notifies ops, web',
        "",
        "routes[0] notifies boss 30s later unless restart-service has healed it by then, and again if it becomes more "
        "severe.",
        'routes[1].routes[0] notifies ops, web with the group {}/{service="shop"}/{severity="critical"}:'
        '{alertname="Slow"}: first after 10s, what is new every 5m, what still fires again after 4h.',
    ]


def test_what_matches_no_route_goes_to_all_there_are(config: Config) -> None:
    said = lines(config, alertname="Odd", service="mail", severity="warning")
    assert said[2] == "the default route matches: it notifies ops, web, boss"
    assert said[3] == '  routes[0] {team="audit"} does not match'
    assert said[-1] == "the default route notifies ops, web, boss at once, and again if it becomes more severe."


def test_a_page_that_waits_for_a_remedy_says_so(config: Config) -> None:
    said = lines(config, alertname="Slow", service="shop", severity="warning")
    assert said[-1] == (
        "routes[1] notifies web 1m later unless restart-service has healed it by then, and again if it becomes more "
        "severe."
    )


def test_a_route_that_is_mute_tells_nobody_and_says_why(config: Config) -> None:
    said = lines(config, MIDNIGHT, alertname="Odd", service="shop", severity="info")
    assert said[-1] == ("routes[1].routes[1] does not notify web now: routes[1].routes[1] is mute in night.")
    assert lines(config, alertname="Odd", service="shop", severity="info")[-1].startswith(
        "routes[1].routes[1] notifies"
    )


def test_labels_that_are_not_there_count_as_what_an_alert_without_them_does(config: Config) -> None:
    assert lines(config, alertname="DiskFull")[0] == "It counts as critical, saturation, of the service host."


def test_the_whole_tree_is_shown_a_line_a_route(config: Config) -> None:
    critical = format_duration(HOLD_CRITICAL) if HOLD_CRITICAL else "not at all"
    held = f"holds pages for a remedy: critical {critical}, warning {format_duration(HOLD)}"
    assert tree_lines(config) == [
        f"the default route, notifies ops, web, boss, {held}",
        f'  routes[0] {{team="audit"}}, notifies boss, {held}',
        f'  routes[1] {{service="shop"}}, notifies web, {held}',
        '    routes[1].routes[0] {severity="critical"}, notifies ops, web, in groups by alertname: first after 10s, '
        "what is new every 5m, what still fires again after 4h",
        '    routes[1].routes[1] {severity="info"}, notifies web, mute in night',
        f'  routes[2] {{service=~"host|forewatch"}}, notifies ops, {held}',
    ]


def test_how_long_a_route_holds_is_said_of_the_severities_that_come_to_it() -> None:
    routes = [
        {"match": {"severity": "critical"}, "notify": ["ops"], "routes": [{"match": {"team": "web"}, "hold": "5s"}]},
        {"match": ['severity=~"warning|info"'], "notify": ["ops"], "hold": "2m"},
        {"match": {"severity": "info"}, "notify": ["ops"], "hold": "2m"},
        {"match": {"team": "db"}, "notify": ["ops"], "hold": "0s"},
    ]
    shown = tree_lines(Config.model_validate({"notifiers": [{"name": "ops", "console": {}}], "routes": routes}))[1:]
    critical = f", holds pages {format_duration(HOLD_CRITICAL)} for a remedy" if HOLD_CRITICAL else ""
    assert [line.split("notifies ops")[1] for line in shown] == [
        critical, ", holds pages 5s for a remedy", ", holds pages 2m for a remedy", "", "",
    ]  # fmt: skip


@pytest.fixture
def history(begin: Callable[..., History]) -> History:
    return begin(TREE)


def call(history: History, *words: str) -> Result:
    return CliRunner().invoke(app, ["routes", *words, "--home", str(history.store.home.root)])


def test_inhibition_and_silences_in_force_are_told_from_the_store(history: History) -> None:
    history.fails("x", service="shop", alertname="Down")
    said = call(history, "test", "alertname=Slow", "service=shop", "severity=warning").stdout
    assert "Nobody is notified now: inhibited by AL-1 (Down)." in said
    assert "routes[1] would notify web" in said
    silence = Silence(
        "0f5b8a3c-5f0c-4c5e-9b1e-1a2b3c4d5e6f", (Matcher("team", "=", "audit"),), 0, 4 * 10**15, "ana", "moving", 0
    )
    history.after(1, SilenceSet, silence=silence_as_json(silence), actor="ana")
    said = call(history, "test", "alertname=Odd", "team=audit").stdout
    assert "Nobody is notified now: silenced by ana until" in said


def test_an_alert_that_fires_already_is_named(history: History) -> None:
    history.fails("x", service="shop", severity="warning")
    result = call(history, "test", "alertname=CheckFailing", "service=shop", 'check="x"', "severity=warning")
    assert result.exit_code == 0
    assert "AL-1 of INC-1 fires with these labels: see forewatch why AL-1." in result.stdout


def test_the_labels_and_the_owner_of_the_service_are_filled_in_and_what_is_written_wins(tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    file.write_text(
        "services: [{name: app, owner: backend, labels: {team: data}}]\n"
        "notifiers: [{name: ops, console: {}}, {name: data, console: {}}]\n"
        "routes: [{match: {owner: backend, team: data}, notify: [data]}, {match: {}, notify: [ops]}]\n",
        encoding="utf-8",
    )
    words = ["routes", "test", "--config", str(file), "--home", str(tmp_path / "nowhere"), "service=app"]
    said = CliRunner().invoke(app, words).stdout
    assert said.startswith("With the labels of app: owner=backend, team=data\n")
    assert "notifies data at once" in said
    said = CliRunner().invoke(app, [*words, "team=web", "owner=web"]).stdout
    assert "With the labels" not in said
    assert "notifies ops at once" in said
    assert "With the labels" not in CliRunner().invoke(app, [*words[:-1], "service=unknown"]).stdout


def test_another_configuration_or_none_started_needs_no_store(tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    file.write_text(TREE, encoding="utf-8")
    home = str(tmp_path / "nowhere")
    words = ["routes", "test", "service=shop", "severity=info", "--config", str(file), "--home", home]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "routes[1].routes[1]" in result.stdout
    result = CliRunner().invoke(app, ["routes", "show", "--config", str(file), "--home", home])
    assert result.stdout.startswith("the default route, notifies ops, web, boss")


@pytest.mark.parametrize("written", ["service", "=shop", "service=~shop", "service!=shop"])
def test_what_is_no_label_is_refused(written: str) -> None:
    with pytest.raises(ForewatchError, match="write NAME=VALUE, such as service=shop"):
        labels_of([written])


def test_quotes_and_empty_labels_are_read_as_people_mean_them() -> None:
    assert labels_of(['service="my shop"', "team=", "check=a=b"]) == {"service": "my shop", "check": "a=b"}
    with pytest.raises(ForewatchError, match="at least one label"):
        labels_of(["team="])


EXPECTED = """\
- labels: {alertname: Slow, service: shop, severity: critical}
  notify: [web, ops]
  group_by: [alertname]
- labels: {service: shop, severity: info}
  at: 2026-11-04T00:00+00:00
  notify: []
  not_told: mute_time_interval
- labels: {service: shop, severity: info}
  notify: [web]
- labels: {service: host}
  notify: [ops]
"""


def checked(tmp_path: Path, config: Config, text: str) -> list[str]:
    file = tmp_path / "routes.yaml"
    file.write_text(text, encoding="utf-8")
    return [line.removeprefix(f"{tmp_path}/") for line in check_routes(file, config).failures]


def test_expectations_that_hold_say_nothing(tmp_path: Path, config: Config) -> None:
    assert checked(tmp_path, config, EXPECTED) == []


def test_each_expectation_that_fails_is_a_line_with_its_place(tmp_path: Path, config: Config) -> None:
    wrong = EXPECTED.replace("[web, ops]", "[boss]").replace("group_by: [alertname]", "group_by: [service]")
    wrong = wrong.replace("T00:00", "T12:00")
    assert checked(tmp_path, config, wrong) == [
        "routes.yaml:1: expected boss to be notified, and it is ops, web (routes[1].routes[0])",
        "routes.yaml:1: expected groups by service, and routes[1].routes[0] groups by alertname",
        "routes.yaml:4: expected nobody to be notified, and it is web (routes[1].routes[1])",
        "routes.yaml:4: expected mute_time_interval to keep somebody from being notified, and it is nobody "
        "(routes[1].routes[1])",
    ]


def test_what_is_not_told_needs_a_moment(tmp_path: Path, config: Config) -> None:
    text = "- {labels: {service: shop, severity: info}, notify: [web], not_told: mute_time_interval}\n"
    assert checked(tmp_path, config, text) == [
        "routes.yaml:1: not_told: mute_time_interval needs `at`, for without it the calendar is left out"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {labels: {a: b}, notfy: [ops]}\n", "routes.yaml:1:"),
        ("- {labels: {a: b}, notify: [ops], at: tomorrow}\n", "tomorrow is not a moment with its zone"),
        ("- {labels: {a: b}, notify: [ops], not_told: because}\n", "because is none of mute_time_interval"),
        ("- {labels: {}, notify: [ops]}\n", "labels"),
        ("labels: [\n", "not valid YAML"),
        ("text\n", "a list"),
    ],
)
def test_a_file_that_is_no_list_of_expectations_is_refused_with_its_line(
    tmp_path: Path, config: Config, text: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        checked(tmp_path, config, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path, config: Config) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        check_routes(tmp_path / "none.yaml", config)


def test_the_command_ends_with_0_or_1(tmp_path: Path) -> None:
    config, file = tmp_path / "forewatch.yaml", tmp_path / "routes.yaml"
    config.write_text(TREE, encoding="utf-8")
    file.write_text(EXPECTED, encoding="utf-8")
    words = ["routes", "check", str(file), "--config", str(config)]
    result = CliRunner().invoke(app, words)
    assert (result.exit_code, result.stdout) == (0, "All 4 expectations hold.\n")
    file.write_text(EXPECTED.replace("[web, ops]", "[boss]"), encoding="utf-8")
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert "1 failures in 4 expectations." in result.stdout
    assert "routes.yaml:1: expected boss" in result.output
