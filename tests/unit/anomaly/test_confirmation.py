from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from forewatch.clock import MICROSECONDS, micros
from forewatch.detection.confirmation import BY_CHANCE, Trouble, anomalous_event, confirm, needed
from forewatch.detection.episode import Episode
from forewatch.detection.series_anomaly import Anomaly, family, said
from forewatch.incidents.events import AlertCleared, AlertRaised

pytestmark = pytest.mark.unit

T0 = 1_767_225_600 * MICROSECONDS
WITHIN = 900.0
_numbers = itertools.count(1)


def unusual(metric: str, minute: float = 0, *, ended: float | None = None, **fields: object) -> Anomaly:
    at = T0 + micros(60 * minute)
    last = T0 + micros(60 * ended) if ended is not None else at
    shape: dict[str, object] = {"value": 9.0, "lower": 1.0, "upper": 2.0, "id": next(_numbers)}
    if ended is not None:
        shape["end"] = last
    episode = Episode(1, at, "unusual", "high", 0.8, at, last)
    return Anomaly(replace(episode, **shape | fields), metric, {"service": "shop"}, "shop")


def look(*odds: Anomaly, troubles: tuple[Trouble, ...] = (), metrics: int = 5, required: int = 1):
    return confirm(odds, troubles, metrics=metrics, within=WITHIN, required=required)


def test_one_alone_is_a_note_that_says_why():
    alone = unusual("check.duration")
    finding = look(alone)
    assert finding.alert == ()
    assert finding.reasons[alone.episode.id] == (
        "alone: no other metric of shop was unusual within 15m, and no alert began that explains it"
    )


def test_two_metrics_confirm_each_other():
    slow, memory = unusual("check.duration"), unusual("process.memory.usage", 10)
    finding = look(slow, memory)
    assert finding.alert == (slow, memory)
    assert finding.reasons[slow.episode.id] == "confirmed by process.memory.usage, unusual within 15m"


def test_two_series_of_one_metric_confirm_nothing():
    assert look(unusual("check.duration"), unusual("check.duration")).alert == ()


def test_two_metrics_that_say_the_same_confirm_nothing():
    assert look(unusual("system.cpu.utilization"), unusual("system.cpu.load_average.1m")).alert == ()
    assert family("http.server.request.duration") != family("http.server.active_requests")


def test_too_long_apart_is_no_confirmation():
    assert look(unusual("check.duration"), unusual("process.memory.usage", 16)).alert == ()


def test_one_that_is_over_confirms_another_that_began_soon_after():
    over, now = unusual("check.duration", 0, ended=5), unusual("process.memory.usage", 18)
    assert look(over, now).alert == (now,)


def test_what_is_over_alone_raises_nothing():
    assert look(unusual("check.duration", 0, ended=5), unusual("process.memory.usage", 0, ended=5)).alert == ()


def test_an_alert_that_began_about_then_confirms_it():
    slow = unusual("check.duration", 20)
    finding = look(slow, troubles=(Trouble("CheckFailing", "db", T0 + micros(60 * 10)),))
    assert finding.alert == (slow,)
    assert finding.reasons[slow.episode.id].startswith("confirmed by CheckFailing of db, firing since 2026-01-01")


def test_an_alert_that_has_fired_for_long_confirms_nothing():
    assert look(unusual("check.duration", 60), troubles=(Trouble("DiskFilling", "host", T0),)).alert == ()


def test_an_alert_on_the_same_metric_is_no_second_opinion():
    trouble = Trouble("HttpSlow", "shop", T0, "check.duration")
    assert look(unusual("check.duration"), troubles=(trouble,)).alert == ()
    assert look(unusual("process.memory.usage"), troubles=(trouble,)).alert != ()


def test_noise_confirms_nothing_and_is_told_of_no_more():
    noise = unusual("check.duration", verdict="noise", verdict_by="anna", told="alert")
    finding = look(noise, unusual("process.memory.usage"))
    assert finding.alert == ()
    assert finding.reasons[noise.episode.id] == "anna called it noise"


def test_a_medium_one_neither_confirms_nor_is_confirmed():
    assert look(unusual("check.duration", level="medium"), unusual("process.memory.usage")).alert == ()


def test_two_that_fell_silent_may_have_lost_the_same_reporter():
    silent = unusual("check.duration", kind="silent"), unusual("process.memory.usage", kind="silent")
    assert look(*silent).alert == ()
    assert look(silent[0], unusual("process.memory.usage")).alert != ()


def test_what_was_told_stays_told_until_it_is_over():
    told = unusual("check.duration", told="alert", reason="confirmed by process.memory.usage")
    finding = look(told)
    assert finding.alert == (told,)
    assert finding.reasons[told.episode.id] == "confirmed by process.memory.usage"


def test_a_service_of_many_series_needs_more_of_them():
    cpu, disk, memory = unusual("system.cpu.utilization"), unusual("system.disk.io"), unusual("system.memory.usage")
    assert look(cpu, disk, required=2).alert == ()
    assert "2 would confirm it" in look(cpu, disk, required=2).reasons[cpu.episode.id]
    assert look(cpu, disk, memory, required=2).alert == (cpu, disk, memory)


def test_never_more_are_needed_than_there_are():
    assert look(unusual("check.duration"), unusual("process.memory.usage"), metrics=2, required=2).alert != ()


@pytest.mark.parametrize(("series", "further"), [(2, 1), (10, 1), (26, 1), (60, 2), (400, 4)])
def test_how_many_are_needed_grows_with_the_series(series: int, further: int):
    assert needed(series, 1.0, WITHIN) == further


def test_chance_alone_raises_no_more_alerts_than_promised():
    """A service of 30 series, each anomalous by chance four times a month, looked at for many simulated months."""
    import random

    series, per_month, months = 30, 4.0, 400
    dice = random.Random(7)
    month = 30 * 86_400.0
    required = needed(series, per_month, WITHIN)
    starts = sorted(
        (dice.uniform(0, months * month), one) for one in range(series) for _ in range(round(per_month * months))
    )
    alerts = 0
    for index, (at, _) in enumerate(starts):
        together = {one for when, one in starts[max(0, index - 20) : index + 1] if at - when <= WITHIN}
        alerts += len(together) > required
    assert alerts / months <= BY_CHANCE


def test_the_alert_names_its_metrics_what_was_usual_and_why():
    slow = unusual("check.duration", id=3)
    memory = unusual("process.memory.usage", id=4, value=2e9, lower=3e8, upper=4e8, score=0.7)
    event = anomalous_event(
        "shop", look(slow, memory), labels={"team": "web"}, severity="warning", firing=False, now=T0
    )
    assert isinstance(event, AlertRaised)
    assert event.labels == {"team": "web", "alertname": "Anomalous", "service": "shop", "severity": "warning"}
    assert event.identity == {"alertname": "Anomalous", "service": "shop"}
    assert event.annotations["summary"] == (
        "shop behaves unusually: check.duration was 9s, usually 1s to 2s (score 0.80); so is process.memory.usage"
    )
    assert (
        "AN-4: process.memory.usage was 2.0GB, usually 300.0MB to 400.0MB (score 0.70), confirmed by check.duration"
        in (event.annotations["description"])
    )
    assert event.values == {
        "score": 0.8,
        "anomalies": ["AN-3", "AN-4"],
        "metrics": ["check.duration", "process.memory.usage"],
    }


def test_it_is_cleared_when_nothing_is_left_of_it_and_only_then():
    calm = look()
    cleared = anomalous_event("shop", calm, labels={}, severity="warning", firing=True, now=T0)
    assert isinstance(cleared, AlertCleared)
    assert cleared.identity == {"alertname": "Anomalous", "service": "shop"}
    assert anomalous_event("shop", calm, labels={}, severity="warning", firing=False, now=T0) is None


def test_what_was_called_noise_did_not_recover_and_its_end_says_so():
    finding = look(unusual("check.duration", verdict="noise", verdict_by="anna", told="alert"))
    cleared = anomalous_event("shop", finding, labels={}, severity="warning", firing=True, now=T0)
    assert cleared.unwatched
    assert cleared.values["reason"] == "anna called it noise"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "silent"}, "check.duration has given no data since 2026-01-01T00:00:00.000Z"),
        ({"kind": "flat"}, "check.duration stands still at 9s (score 0.80)"),
        ({"kind": "shift"}, "check.duration moved to 9s, usually 1s to 2s (score 0.80)"),
        ({"lower": None, "upper": None}, "check.duration was 9s (score 0.80)"),
    ],
)
def test_each_kind_is_said_in_its_own_words(fields: dict[str, object], words: str):
    assert said(unusual("check.duration", **fields)) == words


def test_a_counter_is_told_by_its_growth():
    assert "2.0kB/s" in said(unusual("system.disk.io", value=2000.0))
