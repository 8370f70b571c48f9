from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewatch.alerting.matchers import Matcher, matches, parse_matchers
from forewatch.alerting.silence import Silence, SilenceIndex, may_edit_in_place, over_at, state_of, validate
from forewatch.clock import micros

pytestmark = pytest.mark.unit

NOW = micros(1_790_000_000)
HOUR = micros(3600)


def silence(matchers="service=web", start=NOW - HOUR, end=NOW + HOUR, name="s", **more):
    given = {"created_by": "ann", "comment": "moving racks", "updated_at": NOW, **more}
    return Silence(name, parse_matchers(matchers), start, end, **given)


@pytest.mark.parametrize(
    ("at", "state"),
    [
        (NOW - HOUR - 1, "pending"),
        (NOW - HOUR, "active"),
        (NOW + HOUR, "active"),
        (NOW + HOUR + 1, "expired"),
    ],
)
def test_it_hushes_from_its_first_to_its_last_microsecond(at, state):
    assert state_of(silence(), at) == state
    assert bool(SilenceIndex([silence()]).matching({"service": "web"}, at)) is (state == "active")


def test_what_waits_for_its_end_wakes_when_it_is_really_over():
    assert state_of(silence(), over_at(silence()) - 1) == "active"
    assert state_of(silence(), over_at(silence())) == "expired"


def test_a_right_one_is_taken():
    validate(silence(), NOW)
    validate(silence('env!="test"'), NOW)
    validate(silence('team="",service=web'), NOW)
    validate(silence(end=NOW), NOW)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (silence(""), "a silence needs at least one matcher, or it would hide everything"),
        (
            silence('team="",service=~".*"'),
            'at least one matcher must not match the empty string, and each of team="", service=~".*" does',
        ),
        (silence(created_by=" "), "a silence needs its author (createdBy)"),
        (silence(comment=""), "a silence needs a comment that says why"),
        (
            silence(start=NOW, end=NOW),
            "a silence ends after it starts, and 2026-09-21T14:13:20.000Z is not after its start",
        ),
        (silence(end=NOW - 1), "a silence cannot end in the past (2026-09-21T14:13:19.999Z)"),
    ],
)
def test_a_wrong_one_is_refused_with_a_sentence(wrong, sentence):
    with pytest.raises(ValueError) as caught:
        validate(wrong, NOW)
    assert str(caught.value) == sentence


def test_the_end_of_an_active_one_may_move_but_not_into_the_past():
    old = silence()
    assert may_edit_in_place(old, replace(old, ends_at=NOW + 1, comment="longer"), NOW)
    assert may_edit_in_place(old, replace(old, ends_at=NOW), NOW)
    assert not may_edit_in_place(old, replace(old, ends_at=NOW - 1), NOW)


def test_the_start_of_an_active_one_stays_to_the_second():
    old = silence(start=NOW - HOUR + 123_456)
    assert may_edit_in_place(old, replace(old, starts_at=NOW - HOUR + 123_000), NOW)
    assert not may_edit_in_place(old, replace(old, starts_at=NOW - HOUR + 1_000_000), NOW)


def test_a_pending_one_may_move_anywhere_but_into_the_past():
    old = silence(start=NOW + 10)
    assert may_edit_in_place(old, replace(old, starts_at=NOW, ends_at=NOW + 2 * HOUR), NOW)
    assert not may_edit_in_place(old, replace(old, starts_at=NOW - 1), NOW)


def test_an_expired_one_and_other_matchers_make_a_new_silence():
    old = silence(end=NOW - 1)
    assert not may_edit_in_place(old, replace(old, ends_at=NOW + HOUR), NOW)
    assert not may_edit_in_place(silence(), silence("service=db"), NOW)
    assert not may_edit_in_place(silence(), silence(kind="maintenance"), NOW)


def test_those_that_match_come_in_the_order_they_were_given():
    index = SilenceIndex([silence("a=1", name="1"), silence("b=~x.*", name="2"), silence("b=~x|y", name="3")])
    assert [each.id for each in index.matching({"a": "1", "b": "x"}, NOW)] == ["1", "2", "3"]
    assert [each.id for each in index.matching({"b": "y"}, NOW)] == ["3"]
    assert index.matching({}, NOW) == []


values = st.sampled_from(["", "x", "y", "x|y", "x.*", "[x]|y", "x|", "y|x|y", "xy?", "xx*y", "x{0}y", "x+", "(?i)X"])
matcher = st.builds(Matcher, st.sampled_from("abc"), st.sampled_from(["=", "!=", "=~", "!~"]), values)


@given(
    st.lists(st.lists(matcher, min_size=1, max_size=3).map(tuple), max_size=6),
    st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "x", "y", "xy", "x|y"])),
)
def test_the_index_finds_exactly_what_looking_at_each_one_finds(all_matchers, labels):
    silences = [replace(silence(), id=str(i), matchers=each) for i, each in enumerate(all_matchers)]
    found = SilenceIndex(silences).matching(labels, NOW)
    assert found == [each for each in silences if matches(each.matchers, labels)]


def test_a_thousand_silences_are_not_a_thousand_comparisons(monkeypatch):
    silences = [silence(f"alertname=DiskFull,instance=~db{i}|dc{i},severity=~critical|warning") for i in range(1000)]
    compared = []
    monkeypatch.setattr("forewatch.alerting.silence.matches", lambda *given: compared.append(1) or matches(*given))
    labels = {"alertname": "DiskFull", "instance": "dc7", "severity": "critical", "team": "data"}
    assert SilenceIndex(silences).matching(labels, NOW) == [silences[7]]
    assert len(compared) == 1
