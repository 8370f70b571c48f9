from __future__ import annotations

import pytest

from forewatch.clock import MICROSECONDS, micros
from forewatch.detection.anomaly import Score
from forewatch.detection.episode import CALM, SETTLED, STUCK, Episode, Level, fall_silent, follow

pytestmark = pytest.mark.unit

T0 = 1_767_225_600 * MICROSECONDS
STEP = 60.0


class Story:
    """A series, minute by minute: its values, their scores and the band that was expected."""

    def __init__(self) -> None:
        self.minute = -1
        self.episode: Episode | None = None

    def push(
        self,
        value: float,
        level: Level | None = None,
        score: float = 0.0,
        band: tuple[float, float] | None = (1.0, 2.0),
        kind: str = "unusual",
    ) -> Episode | None:
        self.minute += 1
        lower, upper = band or (None, None)
        made = Score(score, None if band is None else sum(band) / 2, lower, upper, kind)
        if self.episode is not None and self.episode.end is not None:
            self.episode = None
        self.episode = follow(self.episode, 7, T0 + micros(STEP * self.minute), STEP, value, made, level)
        return self.episode

    def calm(self, minutes: int, value: float = 1.5, band: tuple[float, float] | None = (1.0, 2.0)) -> Episode | None:
        """As usual for so many minutes, or until it is over."""
        for _ in range(minutes):
            self.push(value, band=band)
            if self.episode is not None and self.episode.end is not None:
                break
        return self.episode


def test_nothing_begins_without_a_score_that_is_rare_enough():
    assert Story().push(9.0, None, 0.3) is None


def test_it_begins_with_what_was_seen_and_what_was_usual():
    begun = Story().push(9.0, "high", 0.8)
    assert begun == Episode(7, T0, "unusual", "high", 0.8, T0, T0, 9.0, 1.5, 1.0, 2.0)


def test_it_ends_where_the_values_last_were_unusual_once_they_are_calm():
    story = Story()
    story.push(9.0, "high", 0.8)
    story.push(8.0)
    assert story.calm(CALM - 1).end is None
    assert story.calm(1).end == T0 + micros(2 * STEP)


def test_a_relapse_before_it_is_calm_is_the_same_anomaly():
    story = Story()
    story.push(9.0, "high", 0.8)
    story.calm(CALM - 1)
    assert story.push(9.0).start == T0
    assert story.calm(CALM - 1).end is None


def test_a_higher_score_brings_its_value_and_keeps_what_was_usual_before():
    story = Story()
    story.push(9.0, "medium", 0.6)
    worse = story.push(20.0, "high", 0.9, band=(8.0, 10.0))
    assert (worse.value, worse.score, worse.level, worse.peak) == (20.0, 0.9, "high", T0 + micros(STEP))
    assert (worse.lower, worse.upper) == (1.0, 2.0)


def test_a_band_that_has_followed_the_trouble_does_not_end_it_at_once():
    story = Story()
    story.push(9.0, "high", 0.8)
    assert story.calm(30, 9.0, band=(8.0, 10.0)).end is None


def test_a_level_that_stays_for_an_hour_is_the_new_normal():
    story = Story()
    story.push(9.0, "high", 0.8)
    ended = story.calm(round(SETTLED / STEP) + CALM, 9.0, band=(8.0, 10.0))
    assert ended.end == T0 + micros(SETTLED)


def test_without_a_band_it_ends_after_an_hour_without_a_score():
    story = Story()
    story.push(9.0, "high", 0.8, band=None)
    assert story.calm(round(SETTLED / STEP) - 1, band=None).end is None
    assert story.calm(CALM + 1, band=None).end == T0 + micros(SETTLED)


def test_a_standstill_lasts_until_the_value_moves():
    story = Story()
    story.push(1.5, "high", 0.8, kind="flat")
    assert story.calm(90, 1.5).end is None
    assert story.calm(CALM, 1.6).end == T0 + micros(91 * STEP)


def test_a_standstill_of_a_day_is_the_new_normal():
    story = Story()
    story.push(1.5, "high", 0.8, kind="flat")
    assert story.calm(round(STUCK / STEP) + CALM, 1.5).end == T0 + micros(STUCK)


def test_the_same_steps_again_lead_to_the_same_end():
    story = Story()
    story.push(9.0, "high", 0.8)
    story.push(9.0)
    once = story.calm(CALM)
    again = Story()
    again.episode = Episode(7, T0, "unusual", "high", 0.8, T0, T0 + micros(STEP), 9.0, 1.5, 1.0, 2.0)
    again.push(9.0, "high", 0.8)
    again.push(9.0)
    assert again.calm(CALM) == once


def test_silence_is_certain():
    silent = fall_silent(7, T0)
    assert (silent.kind, silent.level, silent.score, silent.start) == ("silent", "high", 1.0, T0)


def test_what_a_person_calls_noise_counts_for_nothing():
    assert not Episode(7, T0, "unusual", "high", 0.8, T0, T0, verdict="noise").counts()
    assert Episode(7, T0, "unusual", "high", 0.8, T0, T0, verdict="real").counts()
