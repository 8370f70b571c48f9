"""How results become states and transitions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewatch.checking.results import CheckState, ProbeResult, advance
from forewatch.config.models import Check

pytestmark = pytest.mark.unit

PASS = ProbeResult(True, 0.01, "200 after 10 ms")
FAIL = ProbeResult(False, 0.01, "refused by 127.0.0.1:81")


def check(fails_after: int = 1, recovers_after: int = 1) -> Check:
    return Check(http="http://x/", fails_after=fails_after, recovers_after=recovers_after)


def test_a_check_fails_only_after_as_many_failures_in_a_row_as_configured():
    state = CheckState()
    state, first = advance(state, FAIL, check(fails_after=2), 10)
    assert (first, state.status, state.failures) == (None, "unknown", 1)
    state, second = advance(state, FAIL, check(fails_after=2), 20)
    assert (second, state.status, state.since) == ("failing", "down", 20)
    state, third = advance(state, FAIL, check(fails_after=2), 30)
    assert (third, state.since, state.at, state.failures) == (None, 20, 30, 3)


def test_the_first_pass_of_an_unknown_check_clears_nothing():
    state, transition = advance(CheckState(), PASS, check(recovers_after=3), 10)
    assert (state.status, transition) == ("up", None)


def test_a_pass_between_failures_begins_the_count_anew():
    state = CheckState("up")
    for result in (FAIL, PASS, FAIL):
        state, transition = advance(state, result, check(fails_after=2), 10)
        assert transition is None
    assert state.failures == 1


def test_a_check_recovers_only_after_as_many_passes_in_a_row_as_configured():
    state = CheckState("down", failures=4, since=1)
    state, first = advance(state, PASS, check(recovers_after=2), 10)
    assert (first, state.status, state.failures) == (None, "down", 0)
    state, second = advance(state, PASS, check(recovers_after=2), 20)
    assert (second, state.status, state.since) == ("recovered", "up", 20)


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 4), st.integers(1, 4))
def test_transitions_alternate_and_follow_runs_of_equal_results(passes, fails_after, recovers_after):
    state = CheckState()
    seen = []
    for index, ok in enumerate(passes):
        before = state
        state, transition = advance(state, PASS if ok else FAIL, check(fails_after, recovers_after), index + 1)
        if transition:
            seen.append(transition)
            needed = fails_after if transition == "failing" else recovers_after
            assert passes[index - needed + 1 : index + 1] == [ok] * needed
        assert 0 in (state.failures, state.successes)
        assert (state.since != before.since) == (state.status != before.status or before.since == 0)
    assert seen == ["failing", "recovered"] * (len(seen) // 2) + ["failing"] * (len(seen) % 2)
    assert (state.status == "down") == (len(seen) % 2 == 1)


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 40), st.integers(1, 4), st.integers(1, 4))
def test_a_handed_over_state_goes_on_as_if_nothing_had_happened(passes, cut, fails_after, recovers_after):
    def run(state, results):
        told = []
        for ok in results:
            state, transition = advance(state, PASS if ok else FAIL, check(fails_after, recovers_after), 1)
            told.append(transition)
        return state, told

    whole_state, whole = run(CheckState(), passes)
    middle, first = run(CheckState(), passes[:cut])
    end, second = run(middle, passes[cut:])
    assert (end, first + second) == (whole_state, whole)


LATE = ProbeResult(False, 5.0, "no answer within 5 s", timed_out=True, late=True)


@pytest.mark.parametrize("status", ["up", "down", "unknown"])
def test_a_late_result_is_no_verdict_and_says_so(status):
    before = CheckState(status, failures=1, successes=1, since=1, at=2)
    state, transition = advance(before, LATE, check(), 10)
    assert transition is None
    assert (state.status, state.failures, state.successes, state.since, state.at) == (status, 1, 1, 1, 10)
    assert state.late == 1
    assert state.reason == "late: this machine is too busy to tell (no answer within 5 s)"
    assert advance(state, LATE, check(), 20)[0].late == 2


def test_a_verdict_ends_the_lateness():
    state, _ = advance(CheckState("up", late=3), PASS, check(), 10)
    assert state.late == 0


def test_failures_before_and_after_a_late_round_are_failures_in_a_row():
    state = CheckState("up")
    for result in (FAIL, LATE, FAIL):
        state, transition = advance(state, result, check(fails_after=2), 10)
    assert transition == "failing"


def told(reasons, fails_after=1):
    """The transitions of failures with these reasons, in a row."""
    state, found = CheckState("up"), []
    for at, reason in enumerate(reasons, start=1):
        state, transition = advance(state, ProbeResult(False, 0.1, reason), check(fails_after), at)
        found.append(transition)
    return found


def test_a_check_that_fails_otherwise_for_long_enough_says_so_once():
    refused, expires = "refused by 127.0.0.1:443", "certificate expires in 2 days, expected at least 14 days"
    found = told([refused, refused, expires, expires, expires, expires])
    assert found == ["failing", None, None, "otherwise", None, None]


def test_a_check_that_fails_now_this_way_and_now_that_says_nothing_more():
    refused, errors = "refused by 127.0.0.1:443", "500 after 3 ms, expected 200"
    assert told([refused, *[errors, refused] * 5]) == ["failing", *[None] * 10]
