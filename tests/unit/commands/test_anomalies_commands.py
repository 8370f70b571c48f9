from __future__ import annotations

import pytest

from forewatch.clock import micros
from forewatch.detection.episode import Episode
from forewatch.store import anomalies, audit, points, series
from forewatch.store.detectors import Detector, put_many
from forewatch.store.points import Point

pytestmark = pytest.mark.unit


@pytest.fixture
def unusual(typed):
    """An anomaly on one of two series; the other one is still being learned."""
    now = typed.clock.now()
    with typed.runtime.store.measure() as conn:
        for metric in ("check.duration", "app.queue.length"):
            points.write(conn, [Point(metric, {"check": "http"}, "storefront", now - micros(600), 1.9)])
        number = series.find(conn, "check.duration")[0].id
        put_many(conn, [Detector(number, 60.0, now, now, 15.0, 0, now - micros(60), b"")])
        episode = Episode(
            number, now - micros(600), "unusual", "high", 0.83, now - micros(540), now - micros(540),
            1.9, 0.12, 0.1, 0.14,
            reason="alone: no other metric of storefront was unusual within 15m",
        )  # fmt: skip
        return anomalies.put(conn, episode)


def test_the_list_says_what_was_unusual_and_how_much_is_not_known_yet(typed, unusual):
    said = typed.say("anomalies", "list")
    assert "AN-1" in said
    assert "check.duration (check http)" in said
    assert "was 1.9s, usually 100ms to 140ms (score 0.83)" in said
    assert "goes on" in said
    assert "1 series is known; 1 more is still being learned: nothing is reported for them yet." in said


def test_the_list_of_a_new_forewatch_says_that_it_knows_nothing(typed):
    assert typed.say("anomalies", "list").startswith("No anomalies.\n\n0 series are known")


def test_the_list_of_another_service_is_empty(typed, unusual):
    assert typed.say("anomalies", "list", "--service", "mail").startswith("No anomalies.")
    assert "AN-1" in typed.say("anomalies", "list", "--service", "storefront")


def test_one_is_shown_with_what_was_expected_and_why_it_is_a_note(typed, unusual):
    assert typed.say("anomalies", "show", "AN-1").splitlines()[:5] == [
        "AN-1 of storefront: check.duration (check http) was 1.9s, usually 100ms to 140ms (score 0.83)",
        "since 2025-12-31 23:50:00, goes on",
        "expected: 120ms, between 100ms and 140ms",
        "score: 0.83, high: as rare as the alarm budget allows",
        "a note: alone: no other metric of storefront was unusual within 15m",
    ]


def test_a_verdict_is_kept_with_who_gave_it_and_leaves_a_trail(typed, unusual):
    said = typed.say("anomalies", "noise", "an-1")
    assert said.startswith("AN-1 is marked as noise. It does not count any more")
    assert "ana called it noise, 2026-01-01 00:00:00" in typed.say("anomalies", "show", "1")
    typed.say("anomalies", "real", "1")
    with typed.runtime.store.read() as conn:
        newest, oldest = audit.listing(conn)
    assert (oldest.actor, oldest.action, oldest.subject) == ("ana", "judge anomaly", "AN-1")
    assert newest.detail == {"verdict": "real", "before": "noise"}


def test_a_later_verdict_counts_as_later_though_the_clock_was_set_back(typed, unusual):
    typed.say("anomalies", "noise", "1")
    typed.clock.jump(-3600)
    typed.say("anomalies", "real", "1")
    with typed.runtime.store.read_metrics() as conn:
        found = anomalies.get(conn, 1)
    assert found.verdict == "real"
    assert found.verdict_at == typed.clock.now() + micros(3600) + 1


@pytest.mark.parametrize("command", ["show", "noise", "real"])
def test_one_that_is_not_there_is_said_with_where_to_look(typed, command):
    assert typed.complain("anomalies", command, "AN-77") == (
        "there is no anomaly AN-77 (forewatch anomalies list shows them)"
    )


@pytest.mark.parametrize("text", ["AL-1", "", "AN-", "AN-x", "1.5", "AN-" + "9" * 30, "٣"])
def test_what_is_no_anomaly_is_refused_in_a_sentence(typed, text):
    assert "is no anomaly: they are called AN-n" in typed.complain("anomalies", "noise", text)
