"""What another configuration would have made of the history, and what nobody can know."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from histories import SHOP, START, History, at_random
from sqlalchemy import delete

from forewatch.clock import MICROSECONDS
from forewatch.config.defaults import effective
from forewatch.config.files import ConfigFiles
from forewatch.config.loader import parse
from forewatch.config.models import Config
from forewatch.incidents.events import Acknowledged, AlertCleared, AlertRaised, RunActed, RunStarting
from forewatch.store import points, rollups, schema
from forewatch.trials.whatif.difference import Difference
from forewatch.trials.whatif.rerun import suppose

pytestmark = pytest.mark.unit

PLAIN = """
services:
  - {name: database}
  - {name: shop, depends_on: [database], checks: [{name: site, http: "http://127.0.0.1:1/"}]}
notifiers:
  - {name: ops, console: {}}
  - {name: web, console: {}}
routes:
  - {notify: [ops]}
"""
CPU = "rules: [{alert: CpuBusy, metric: cpu, above: %s, window: 60s, service: shop}]\n"


@pytest.fixture
def history(begin: Callable[..., History]) -> History:
    return begin(PLAIN)


def config(text: str) -> Config:
    return effective(parse(ConfigFiles((("/etc/forewatch.yaml", text),)), environ={}))


def supposed(history: History, text: str, **span: int) -> Difference:
    found = suppose(history.store, config(text), **{"until": history.clock.now(), **span})
    assert found is not None
    return found


def texts(items: list) -> list[str]:
    return [item.text for item in items]


@pytest.mark.parametrize("seed", range(8))
def test_the_same_configuration_makes_no_difference_to_any_history(begin: Callable[..., History], seed: int) -> None:
    history = begin()
    at_random(history, seed)
    found = supposed(history, SHOP)
    assert found.empty, "\n".join(found.lines())
    assert found.unknown == []


def test_nothing_stored_is_nothing_to_suppose(history: History) -> None:
    assert suppose(history.store, config(PLAIN), until=START) is None


def test_another_route_tells_others_and_says_so_a_notifier(history: History) -> None:
    history.fails("site", instance="default")
    found = supposed(history, PLAIN.replace("notify: [ops]", "notify: [web]"))
    assert texts(found.told_lost["ops"]) == ["NT-1, a page (critical): site of shop fails (routes[0] notifies web)"]
    assert texts(found.told_gained["web"]) == ["a page (critical): site of shop fails"]
    assert not found.alerts_lost
    assert not found.incidents_missed
    assert [item.id for item in found.told_lost["ops"]] == ["NT-1"]


def test_an_inhibition_takes_pages_away_and_is_named(history: History) -> None:
    history.fails("a", service="host", severity="critical", team="x")
    history.wait(60)
    history.fails("b", service="mail", severity="critical", team="x")
    inhibits = "inhibitions: [{source: {check: a}, target: {check: b}, equal: [team]}]\n"
    found = supposed(history, PLAIN + inhibits)
    [line] = texts(found.told_lost["ops"])
    assert line.startswith("NT-2, a page (critical): b of mail fails (inhibited by AL-1")


def test_a_route_with_groups_tells_later(history: History) -> None:
    history.fails("a", service="mail")
    history.wait(600)
    found = supposed(history, PLAIN.replace("{notify: [ops]}", "{notify: [ops], group_by: [service]}"))
    [line] = texts(found.told_moved["ops"])
    assert line.startswith("NT-1, a page (critical), 30s later:")


def test_services_that_are_linked_no_more_make_several_incidents_of_one(history: History) -> None:
    history.fails("a", service="database")
    history.wait(10)
    history.fails("a", service="shop")
    apart = supposed(history, PLAIN.replace(", depends_on: [database]", ""))
    assert texts(apart.incidents_parted) == ["INC-1 (a of database fails) would have been 2"]


def test_a_check_that_is_gone_takes_its_alerts_and_incidents_along(history: History) -> None:
    history.fails("site", instance="default")
    history.after(5, Acknowledged, incident_id="INC-1", actor="ana")
    history.recovers("site", instance="default")
    found = supposed(history, PLAIN.replace('checks: [{name: site, http: "http://127.0.0.1:1/"}]', "checks: []"))
    assert texts(found.alerts_lost) == ["AL-1 (CheckFailing), critical, shop: site of shop fails"]
    assert [item.id for item in found.incidents_missed] == ["INC-1"]
    assert [item.id for item in found.told_lost["ops"]] == ["NT-1", "NT-2"]
    assert "(the alert would not have been)" in texts(found.told_lost["ops"])[0]


def test_a_check_of_another_severity_is_the_same_alert_told_otherwise(history: History) -> None:
    history.fails("site", instance="default")
    found = supposed(history, PLAIN.replace("{name: site,", "{name: site, severity: info,"))
    assert not found.alerts_lost
    assert texts(found.told_lost["ops"])[0].startswith("NT-1, a page (critical)")
    assert texts(found.told_gained["ops"]) == ["a report (info): site of shop fails"]


def test_what_a_check_that_probes_otherwise_would_have_seen_is_not_known(history: History) -> None:
    history.fails("site", instance="default")
    found = supposed(history, PLAIN.replace("{name: site,", "{name: site, fails_after: 5,"))
    assert found.empty
    assert found.unknown == [
        "shop/site probes in another way (fails_after): the history has what the old one saw, and this is taken to be "
        "seen by the new one too"
    ]


def test_a_new_check_has_no_data_which_is_not_zero(history: History) -> None:
    history.fails("site", instance="default")
    found = supposed(history, PLAIN.replace("{name: database}", "{name: database, checks: [{tcp: '127.0.0.1:1'}]}"))
    assert found.unknown == ["database/tcp is a new check: no data, which is not zero failures"]


def busy(history: History) -> None:
    """Ten minutes of points every 15 s; five of them at 93 %."""
    now = START - 60 * MICROSECONDS
    with history.store.measure() as conn:
        points.write(
            conn,
            [
                points.Point("cpu", {"service": "shop"}, "shop", at, 0.93 if 16 <= step < 36 else 0.2)
                for step in range(48)
                if (at := now + step * 15 * MICROSECONDS)
            ],
        )


def test_a_rule_of_another_threshold_is_judged_on_stored_points(history: History) -> None:
    history.configure(PLAIN + CPU % "99%")
    history.fails("a", service="mail")
    busy(history)
    history.wait(900)
    history.recovers("a", service="mail")
    found = supposed(history, PLAIN + CPU % "90%")
    [alert] = found.alerts_gained
    assert alert.text.startswith("CpuBusy, warning, shop: cpu was 0.93 on average over 1m")
    assert START < alert.at < START + 300 * MICROSECONDS
    assert len(found.incidents_added) == 1
    assert [item.text.partition(":")[0] for item in found.told_gained["ops"]] == [
        "a page (warning)",
        "a recovery notice (warning)",
    ]
    assert not [text for text in found.unknown if "CpuBusy" in text]
    assert supposed(history, PLAIN + CPU % "99%").empty


def test_where_points_are_gone_five_minute_roll_ups_stand_in_and_that_is_said(history: History) -> None:
    history.configure(PLAIN + CPU % "99%")
    history.fails("a", service="mail")
    start = START - START % (300 * MICROSECONDS)
    with history.store.measure() as conn:
        every = range(start - 600 * MICROSECONDS, start + 2400 * MICROSECONDS, 15 * MICROSECONDS)
        busy = (start + 600 * MICROSECONDS, start + 1200 * MICROSECONDS)
        points.write(
            conn, [points.Point("cpu", {}, "shop", at, 0.93 if busy[0] <= at < busy[1] else 0.2) for at in every]
        )
        while not rollups.roll(conn, start + 3600 * MICROSECONDS):
            pass
        conn.execute(delete(schema.points))
    history.wait(2400)
    rule = (CPU % "90%").replace("60s", "300s")
    found = supposed(history, PLAIN + rule)
    assert [alert.at for alert in found.alerts_gained] == [busy[0] + 300 * MICROSECONDS]
    assert found.unknown == ["CpuBusy: judged in part on five-minute roll-ups, so it may be minutes early or late"]
    # A shorter window, or a statistic that buckets do not hold, cannot be told from them.
    assert supposed(history, PLAIN + CPU % "90%").unknown == [
        "CpuBusy: there are no stored values of cpu: no data, which is not zero alerts"
    ]


def test_a_rule_on_what_lies_outside_its_forecast_has_no_data(history: History) -> None:
    history.fails("a", service="mail")
    history.wait(60)
    found = supposed(history, PLAIN + "rules: [{alert: Odd, metric: cpu, outside: forecast, service: shop}]\n")
    assert found.unknown == ["Odd: forecasts of the past are not made again, so no data on what lay outside of them"]


def test_a_rule_that_had_fired_and_would_not_have_is_a_lost_alert(history: History) -> None:
    history.configure(PLAIN + CPU % "90%")
    labels = {"alertname": "CpuBusy", "service": "shop", "severity": "warning"}
    busy(history)
    history.after(300, AlertRaised, labels=labels, annotations={"summary": "busy"})
    history.after(300, AlertCleared, labels=labels)
    found = supposed(history, PLAIN + CPU % "99%")
    assert texts(found.alerts_lost) == ["AL-1 (CpuBusy), warning, shop: busy"]
    assert len(found.told_lost["ops"]) == 2
    assert not found.alerts_gained


def test_a_rule_on_what_was_never_measured_has_no_data(history: History) -> None:
    history.fails("a", service="mail")
    history.wait(60)
    found = supposed(history, PLAIN + CPU % "90%")
    assert found.empty
    assert found.unknown == ["CpuBusy: there are no stored values of cpu: no data, which is not zero alerts"]


def test_a_rule_of_the_same_measure_keeps_what_it_said_under_its_new_name_for_it(history: History) -> None:
    history.configure(PLAIN + CPU % "90%")
    labels = {"alertname": "CpuBusy", "service": "shop", "severity": "warning"}
    history.after(0, AlertRaised, labels=labels, annotations={"summary": "busy"})
    found = supposed(history, PLAIN + (CPU % "90%").replace("service: shop", "service: shop, severity: critical"))
    assert not found.alerts_lost
    assert not found.unknown
    assert texts(found.told_lost["ops"]) == ["NT-1, a page (warning): busy"]
    assert texts(found.told_gained["ops"]) == ["a page (critical): busy"]


def test_how_a_remedy_that_never_ran_would_have_ended_is_not_known(history: History) -> None:
    history.fails("site", instance="default", severity="warning")
    history.wait(300)
    history.recovers("site", instance="default", severity="warning")
    bound = PLAIN.replace(
        "depends_on: [database],",
        "depends_on: [database], "
        "remedies: [{on: {alertname: CheckFailing}, runbook: restart-service, autonomy: auto}],",
    ).replace("{name: site,", "{name: site, severity: warning,", 1)
    found = supposed(history, bound)
    assert found.unknown == [
        "a run (restart-service) for shop would have been sent 2026-11-03T09:00:00.100Z: how it would have ended"
    ]
    # Its page is held for a minute, and nobody is told that the run failed: that is not known either.
    assert texts(found.told_moved["ops"]) == [
        "NT-1, a page (warning), 1m later: site of shop fails",
    ]
    assert not found.told_gained


def test_without_a_remedy_that_ran_nobody_knows_how_long_the_trouble_had_lasted(
    begin: Callable[..., History],
) -> None:
    history = begin()
    history.fails()
    history.after(0.5, RunStarting, run_id="RUN-1", flow_run_id="flow-1")
    history.after(0.5, RunActed, run_id="RUN-1", outcome="restarted")
    history.recovers()
    found = supposed(history, SHOP.replace("autonomy: auto", "autonomy: shadow"))
    assert found.unknown == [
        "RUN-1 (restart-service) for shop, which healed it, would not have been sent: how long INC-1 would have lasted "
        "without it"
    ]


def test_only_what_lies_in_the_time_asked_for_is_told(history: History) -> None:
    history.fails("a", service="mail")
    history.wait(3600)
    middle = history.clock.now()
    history.fails("b", service="host")
    other = PLAIN.replace("notify: [ops]", "notify: [web]")
    assert [item.id for item in supposed(history, other, since=middle).told_lost["ops"]] == ["NT-2"]
    assert [item.id for item in supposed(history, other, until=middle).told_lost["ops"]] == ["NT-1"]


def test_it_reads_as_a_page_for_people_and_as_json_for_machines(history: History) -> None:
    history.fails("site", instance="default")
    found = supposed(history, PLAIN.replace("notify: [ops]", "notify: [web]"))
    assert found.lines() == [
        "1 observations from 2026-11-03T09:00:00.100Z to 2026-11-03T09:00:00.100Z: this would have been different.",
        "",
        "ops would not have been notified (1):",
        "  2026-11-03T09:00:00.100Z  NT-1, a page (critical): site of shop fails (routes[0] notifies web)",
        "",
        "web would have been notified as well (1):",
        "  2026-11-03T09:00:00.100Z  a page (critical): site of shop fails",
    ]
    assert json.loads(json.dumps(found.as_json()))["told_lost"]["ops"][0]["id"] == "NT-1"
