"""From an event to its explanation, over a real store."""

from dataclasses import replace

import pytest
from memory_view import NINE_O_CLOCK, shop

from forewatch.alerting.matchers import Matcher
from forewatch.alerting.silence import Silence, silence_as_json
from forewatch.clock import FakeClock, micros
from forewatch.config.models import Config
from forewatch.deciding import decide
from forewatch.errors import NotFound
from forewatch.home import Home
from forewatch.incidents.events import (
    AlertAcknowledged,
    AlertCleared,
    AlertRaised,
    AlertsRefreshed,
    AlertTimedOut,
    ChangeReported,
    IncidentsMerged,
    IncidentSplit,
    RunActed,
    RunStarting,
    SilenceExpired,
    SilenceSet,
    TimerDue,
)
from forewatch.incidents.story import as_markdown
from forewatch.incidents.why import happening
from forewatch.reports.explanation import incident_story, why
from forewatch.store import alerts, outbox, receipts, switches
from forewatch.store.engine import Store

pytestmark = pytest.mark.unit

LABELS = {"alertname": "CheckFailing", "service": "shop", "check": "http", "severity": "critical"}
SUMMARY = {"summary": "http of shop fails: 503 | bad gateway"}


@pytest.fixture
def store(tmp_path):
    store = Store.open(Home(tmp_path), migrate=True)
    yield store
    store.close()


class Told:
    def __init__(self, store, config):
        self.store, self.clock = store, FakeClock(NINE_O_CLOCK)
        self.config = (1, Config.model_validate(config))

    def after(self, seconds, event, **fields):
        self.clock.advance(seconds)
        event = event(at=self.clock.now(), **fields)
        return decide(self.store, event, config=self.config, now=self.clock.now())

    def why(self, subject):
        with self.store.read() as conn:
            return why(conn, subject)


@pytest.fixture
def healed(store):
    told = Told(store, shop(hold="60s"))
    told.after(0, AlertRaised, labels=LABELS, annotations=SUMMARY, values={"status": 503})
    told.after(0.4, RunStarting, run_id="RUN-1", flow_run_id="flow-1")
    with store.decide() as conn:
        receipts.intend(conn, "RUN-1", 0, name="restart", kind="act", input_hash="0", now=told.clock.now())
        receipts.finish(conn, "RUN-1", 0, now=told.clock.now() + micros(0.25), result={"pid": 4711})
    told.after(0.6, RunActed, run_id="RUN-1", outcome="restarted with pid 4711")
    told.after(1, AlertCleared, labels=LABELS)
    return told


def test_why_tells_the_whole_chain_of_a_healed_incident(healed):
    assert healed.why("INC-1") == [
        "INC-1 (critical, shop) is resolved: fixed by RUN-1 (restart-service). "
        "It opened 2026-11-03T09:00:00.000Z: http of shop fails: 503 | bad gateway.",
        "2026-11-03T09:00:00.000Z  CheckFailing was raised (status 503) (observation 1, configuration 1)",
        "  AL-1 (CheckFailing) fires and no related incident is open, so INC-1 opens (critical): "
        "http of shop fails: 503 | bad gateway.",
        "  RUN-1 (restart-service) is sent to heal shop: its autonomy is auto and its limits allow it.",
        "  NT-1, a page for ops, waits 1m for RUN-1 (critical). restart-service is trying to fix it (RUN-1).",
        "2026-11-03T09:00:00.400Z  RUN-1 asked whether it may act (observation 2, configuration 1)",
        "  RUN-1 (restart-service) starts in flow run flow-1. Nothing stood in its way at the moment of acting.",
        "2026-11-03T09:00:01.000Z  RUN-1 reported that it acted (observation 3, configuration 1)",
        "  RUN-1 (restart-service) acted: restarted with pid 4711.",
        "2026-11-03T09:00:02.000Z  CheckFailing was cleared (observation 4, configuration 1)",
        "  AL-1 is resolved after 2s: http of shop fails: 503 | bad gateway.",
        "  RUN-1 (restart-service) healed shop: its alerts are resolved 1s after it acted.",
        "  INC-1 is resolved: fixed by RUN-1 (restart-service).",
        "  Nobody needs to be paged any more, NT-1 became a report: fixed by RUN-1 (restart-service).",
    ]


def test_why_says_what_a_rule_looks_at_and_what_it_saw(store):
    told = Told(store, shop())
    labels = {"alertname": "DiskFull", "service": "host", "severity": "warning"}
    asked = {"metric": "system.filesystem.utilization", "statistic": "last", "window": 30.0}
    values = {**asked, "value": 0.954, "high": 0.9, "samples": 3}
    told.after(0, AlertRaised, labels=labels, annotations={"summary": "/srv is 95.4% full"}, values=values)
    assert told.why("AL-1")[1] == (
        "2026-11-03T09:00:00.000Z  DiskFull was raised by system.filesystem.utilization, last over 30s "
        "(value 0.954, high 0.9, samples 3) (observation 1, configuration 1)"
    )


def test_why_of_a_notification_tells_only_what_is_about_it(healed):
    lines = healed.why("NT-1")
    assert lines[0].startswith("NT-1 is a report (critical) to ops, on its way since")
    reasons = [line for line in lines if line.startswith("  ")]
    assert len(reasons) == 2
    assert "waits 1m for RUN-1" in reasons[0]
    assert "became a report" in reasons[1]


def test_why_of_a_run_says_how_it_ended(healed):
    assert healed.why("RUN-1")[0] == (
        "RUN-1 (restart-service) for shop, asked for by forewatch 2026-11-03T09:00:00.000Z, is done, healed. "
        "restarted with pid 4711."
    )


def test_a_fingerprint_stands_for_its_latest_episode(healed):
    healed.after(5, AlertRaised, labels=LABELS, annotations=SUMMARY)
    with healed.store.read() as conn:
        mark = alerts.get(conn, "AL-2").fingerprint
    assert healed.why(mark)[0].startswith("AL-2 (critical, INC-2) is firing")


def test_why_a_remedy_did_not_act_is_in_the_chain(store):
    told = Told(store, shop())
    with store.decide() as conn:
        switches.turn(conn, switches.AUTOMATION, "off", actor="ana", reason="moving", now=told.clock.now())
    told.after(0, AlertRaised, labels=LABELS, annotations=SUMMARY)
    assert (
        "  Automation does not act: automation was stopped by ana: moving. It tries again once automation is resumed."
        in told.why("AL-1")
    )


def test_a_decision_that_only_repeats_the_last_is_counted(store):
    told = Told(store, shop(autonomy="shadow"))
    for _ in range(4):
        told.after(1, AlertRaised, labels=LABELS, annotations=SUMMARY)
    lines = told.why("AL-1")
    assert sum("already fires" in line for line in lines) == 1
    assert lines[-1] == "  (and 2 times more)"


@pytest.mark.parametrize("subject", ["AL-9", "INC-9", "NT-9", "RUN-9", "0123456789abcdef", "", "nonsense"])
def test_why_of_something_unknown_is_not_found(store, subject):
    with store.read() as conn, pytest.raises(NotFound, match="nothing is stored under"):
        why(conn, subject)


def test_a_released_page_says_why_it_left(store):
    told = Told(store, shop(hold="60s"))
    told.after(0, AlertRaised, labels=LABELS, annotations=SUMMARY)
    with store.decide() as conn:
        switches.turn(conn, switches.AUTOMATION, "off", actor="ana", reason="", now=told.clock.now())
    told.after(1, RunStarting, run_id="RUN-1", flow_run_id="flow-1")
    with store.read() as conn:
        page = outbox.get(conn, "NT-1")
    assert page.state == "due"
    assert page.content["text"].endswith("Automation was stopped by ana. It tries again once automation is resumed.")


def test_the_story_is_a_page_of_tables_with_links_that_nothing_breaks_out_of(healed):
    with healed.store.read() as conn:
        story = incident_story(conn, "INC-1")
    text = as_markdown(story, {"RUN-1": "http://127.0.0.1:4200/runs/1", "Prefect": "http://127.0.0.1:4200"})
    assert text.startswith("# INC-1: http of shop fails: 503 \\| bad gateway\n")
    assert "**critical** on **shop**" in text
    assert "fixed by RUN-1 (restart-service), after 2s." in text
    assert "- **09:00:01.000** (+1s) RUN-1 (restart-service) acted: restarted with pid 4711." in text
    assert (
        "- [RUN-1](http://127.0.0.1:4200/runs/1) restart-service, done, **healed**: restarted with pid 4711\n"
        "  - restart (changes something): done in 250ms\n"
    ) in text
    assert "- [Prefect](http://127.0.0.1:4200)" in text
    # One entry a line, whatever the texts in it look like: the UI draws each as a line of its own.
    entries = text.split("## Timeline")[1].split("##")[0].strip().splitlines()
    assert all(line.startswith("- **09:00:0") for line in entries)


def test_an_unknown_incident_has_no_story(store):
    with store.read() as conn:
        assert incident_story(conn, "INC-9") is None


def silence(told, **fields):
    whole = Silence(
        id="0f5b8a3c-5f0c-4c5e-9b1e-1a2b3c4d5e6f",
        matchers=(Matcher("service", "=", "shop"),),
        starts_at=told.clock.now(),
        ends_at=told.clock.now() + micros(3600),
        created_by="ana",
        comment="moving house",
        updated_at=told.clock.now(),
    )
    return silence_as_json(replace(whole, **fields))


def test_why_of_an_alert_nobody_is_told_of_says_why_and_when_it_is_looked_at_again(store):
    told = Told(store, shop(autonomy="shadow"))
    told.after(0, SilenceSet, silence=silence(told), actor="ana")
    told.after(60, AlertRaised, labels=LABELS, annotations=SUMMARY)
    lines = told.why("AL-1")
    assert lines[1] == (
        "Nobody has been notified of it since 2026-11-03T09:01:00.000Z: silenced by ana until 2026-11-03T10:00:00.000Z "
        "(moving house). It is looked at again 2026-11-03T10:00:00.000Z."
    )
    assert any("Nobody is notified of AL-1" in line for line in lines[2:])


def test_why_of_a_silence_says_what_it_hides_and_who_set_it(store):
    told = Told(store, shop(autonomy="shadow"))
    told.after(0, SilenceSet, silence=silence(told), actor="ana")
    told.after(60, AlertRaised, labels=LABELS, annotations=SUMMARY)
    lines = told.why("0f5b8a3c-5f0c-4c5e-9b1e-1a2b3c4d5e6f")
    assert lines[0] == (
        '0f5b8a3c-5f0c-4c5e-9b1e-1a2b3c4d5e6f silences service="shop" from 2026-11-03T09:00:00.000Z to '
        "2026-11-03T10:00:00.000Z, set by ana: moving house."
    )
    assert lines[1:3] == ["It hides AL-1 (CheckFailing).", "Over its life it hid alerts of INC-1."]
    assert lines[3].endswith("ana set a silence (observation 1, configuration 1)")
    assert any("CheckFailing was raised" in line for line in lines)


def test_why_of_a_group_and_of_its_alerts_names_the_next_tick(store):
    route = {"notify": ["ops"], "group_by": ["service"], "group_wait": "30s"}
    told = Told(store, shop(autonomy="shadow", routes=[route]))
    told.after(0, AlertRaised, labels=LABELS, annotations=SUMMARY)
    key = '{}/{}:{service="shop"}'
    assert told.why("AL-1")[1] == (
        f"It is in the group {key} of routes[0], not told yet, next tick 2026-11-03T09:00:30.000Z."
    )
    lines = told.why(key)
    assert lines[0] == (
        f"{key} has been a group of routes[0] since 2026-11-03T09:00:00.000Z. "
        "Its next tick is 2026-11-03T09:00:30.000Z."
    )
    assert "CheckFailing was raised" in lines[1]
    told.after(30, TimerDue, timer_id=1, kind="group", subject=key)
    assert f"The group {key} was due" in "\n".join(told.why(key))


def test_of_a_group_that_is_empty_the_decisions_are_left(store):
    route = {"notify": ["ops"], "group_by": ["service"], "group_wait": "30s"}
    told = Told(store, shop(autonomy="shadow", routes=[route]))
    told.after(0, AlertRaised, labels=LABELS, annotations=SUMMARY)
    told.after(5, AlertCleared, labels=LABELS)
    key = '{}/{}:{service="shop"}'
    told.after(25, TimerDue, timer_id=1, kind="group", subject=key)
    lines = told.why(key)
    assert lines[0] == f"There is no {key} any more, but decisions about it are kept."
    assert f"The group {key} was due" in "\n".join(lines)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (AlertsRefreshed({"a": (1, True), "b": (1, True)}, 0), "2 firing alerts were reported again"),
        (AlertTimedOut("0123", 0), "0123 was not repeated before its end"),
        (AlertAcknowledged({"alertname": "DiskFull"}, "ana", 0), "ana acknowledged DiskFull where it came from"),
        (ChangeReported("release 7", "shop", "ci", 0), "ci reported a change: release 7"),
        (SilenceSet({}, "ana", 0), "ana set a silence"),
        (SilenceSet({}, "ana", 0, "old"), "ana set a silence in the place of old"),
        (SilenceExpired("id", "ana", 0), "ana ended the silence id"),
        (IncidentsMerged("INC-1", "INC-2", "ana", 0), "ana merged INC-2 into INC-1"),
        (IncidentSplit("INC-1", ["AL-1", "AL-2"], "ana", 0), "ana split AL-1, AL-2 off INC-1"),
        (TimerDue(1, "review", "AL-1", 0), "It was time to look again at AL-1"),
        (TimerDue(1, "calm", "0123", 0), "The flapping alert 0123 may have calmed down"),
        (TimerDue(1, "silence-start", "id", 0), "The silence id began"),
        (TimerDue(1, "silence-warning", "id", 0), "The silence id was about to end"),
        (TimerDue(1, "silence-end", "id", 0), "The silence id ended"),
        (TimerDue(1, "start", "RUN-1", 0), "The start timer of RUN-1 ran out"),
    ],
)
def test_every_event_is_told_as_a_person_would(event, said):
    assert happening(event.as_json()) == said
