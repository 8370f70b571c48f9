"""Whether a service has become slower: judged by whole runs, so that neither a noisy run nor a noisy service cries."""

from __future__ import annotations

import numpy as np
import pytest

from forewatch.detection.regression import FEWEST, Change, Judgement, Run, fewest_newest, judge, sentence

pytestmark = pytest.mark.unit

LEVELS = np.log([0.03, 0.06, 0.1])


def runs(logs, errors=0.0, start=0):
    """Runs from the logarithms of their p50, p95 and p99."""
    return [Run(start + number, *(float(one) for one in np.exp(row)), errors) for number, row in enumerate(logs)]


def noisy(count, rng, sigma=0.05, rho=0.0):
    """Levels of runs of the same service: each run has a mood of its own, which lasts with `rho`, and its own noise."""
    mood = np.empty(count)
    mood[0] = rng.normal(0, sigma)
    for number in range(1, count):
        mood[number] = rho * mood[number - 1] + (1 - rho**2) ** 0.5 * rng.normal(0, sigma)
    return LEVELS + mood[:, None] + rng.normal(0, sigma * np.array([0.3, 0.5, 1.0]), (count, 3))


def measured_run(at, rng, slower=1.0, seconds=30, rate=20):
    """A run as it is measured: requests whose times lean on their neighbours', in a run with a mood of its own."""
    mood = rng.normal(0, 0.04)
    wave = np.empty(seconds * rate)
    wave[0] = rng.normal(0, 0.3)
    for number in range(1, len(wave)):
        wave[number] = 0.95 * wave[number - 1] + 0.31 * rng.normal(0, 0.3)
    times = 0.03 * slower * np.exp(mood + wave + rng.normal(0, 0.2, len(wave)))
    return Run(at, *(float(one) for one in np.quantile(times, [0.5, 0.95, 0.99])), 0.0)


def alarms(history, slower=0.1, begin=10):
    """How many times it is newly said that runs are slower, looking at each run as it comes."""
    since, found = None, []
    for count in range(begin, len(history) + 1):
        judgement = judge(history[:count], slower=slower, since=since)
        if judgement.state == "slower" and since is None:
            found.append(count - 1)
        since = judgement.since
    return found


def test_so_few_runs_say_nothing_yet():
    judgement = judge(runs(noisy(6, np.random.default_rng(0))), slower=0.1)
    assert judgement.state == "young"
    assert judgement.reason == "10 runs are needed to compare, there are 6"


def test_the_fewer_runs_there_are_to_compare_with_the_more_must_say_it():
    assert [fewest_newest(count) for count in (9, 10, 11, 12, 23, 200)] == [None, 4, 4, 3, 3, 3]


def test_runs_of_the_same_service_are_steady():
    judgement = judge(runs(noisy(25, np.random.default_rng(1))), slower=0.1)
    assert judgement.state == "steady"
    assert judgement.reason == "as the 20 runs before"


def test_a_service_that_became_slower_is_told_after_three_runs():
    rng = np.random.default_rng(2)
    logs = noisy(20, rng)
    logs[15:] += np.log(1.35)
    history = runs(logs)
    assert judge(history[:16], slower=0.1).state == "suspect"
    assert alarms(history) == [15 + FEWEST - 1]
    judgement = judge(history[:18], slower=0.1)
    assert (judgement.since, judgement.until) == (15, 14)
    assert judgement.worst is not None
    assert 0.2 < judgement.worst.shift < 0.6
    assert judgement.worst.p <= 0.005


def test_one_noisy_run_is_suspect_and_no_more():
    logs = noisy(25, np.random.default_rng(3))
    logs[20] += np.log(3)
    history = runs(logs)
    judgement = judge(history[:21], slower=0.1)
    assert judgement.state == "suspect"
    assert judgement.reason == "p50, p95, p99 stand out in the last run, which one run alone may"
    assert alarms(history) == []


def test_a_change_smaller_than_asked_for_is_none_however_sure():
    rng = np.random.default_rng(4)
    logs = noisy(40, rng, sigma=0.002)
    logs[20:] += np.log(1.05)
    assert alarms(runs(logs), slower=0.1) == []
    assert alarms(runs(logs), slower=0.03) == [22]


def test_what_runs_of_the_service_differ_by_anyway_is_no_news():
    rng = np.random.default_rng(5)
    restless, calm = noisy(23, rng, sigma=0.2), noisy(23, rng, sigma=0.02)
    restless[20:] += np.log(1.25)
    calm[20:] += np.log(1.25)
    assert judge(runs(restless), slower=0.1).state != "slower"
    assert judge(runs(calm), slower=0.1).state == "slower"


def test_failing_requests_are_a_regression_of_their_own():
    logs = noisy(23, np.random.default_rng(6))
    history = runs(logs[:20]) + runs(logs[20:], errors=0.08, start=20)
    judgement = judge(history, slower=0.1)
    assert judgement.state == "slower"
    assert judgement.worst is not None
    assert judgement.worst.measure == "errors"
    assert sentence(judgement).startswith("8.0% of requests fail, it was 0.0% (median of 20 runs): 8.0-8.0 points more")


def test_a_few_failing_requests_are_not():
    logs = noisy(23, np.random.default_rng(7))
    assert judge(runs(logs[:20]) + runs(logs[20:], errors=0.005, start=20), slower=0.1).state == "steady"


def test_runs_in_which_nothing_was_answered_are_judged_by_their_errors():
    history = runs(noisy(20, np.random.default_rng(8))) + [Run(20 + i, None, None, None, 1.0) for i in range(3)]
    judgement = judge(history, slower=0.1)
    assert judgement.state == "slower"
    assert [one.measure for one in judgement.changes] == ["errors"]


def test_it_stays_slower_against_the_runs_before_until_two_are_back():
    rng = np.random.default_rng(9)
    logs = noisy(70, rng)
    logs[20:60] += np.log(1.4)
    since, states = None, []
    for count in range(21, 71):
        judgement = judge(runs(logs)[:count], slower=0.1, since=since)
        since = judgement.since
        states.append(judgement.state)
    # Forty slow runs do not become what is normal: what it is compared with stays.
    assert states[2:41] == ["slower"] * 39
    assert states[41] == "steady"
    assert judge(runs(logs)[:61], slower=0.1, since=20).state == "slower"


def test_when_what_it_was_compared_with_is_gone_it_is_no_longer_called_slower():
    judgement = judge(runs(noisy(3, np.random.default_rng(10)), start=30), slower=0.1, since=30)
    assert (judgement.state, judgement.since) == ("steady", None)


def test_the_evidence_reads_as_a_sentence():
    change = Change("p95", 0.031, 0.042, 0.355, 0.29, 0.43, 0.0004, 0.1)
    judgement = Judgement("slower", "", 7, 3, 3, 2, (change,))
    assert sentence(judgement, after="web 1.4.2 was deployed (2026-11-03 14:05Z)") == (
        "p95 42 ms, was 31 ms (median of 7 runs): 29-43 % slower, p = 0.0004, "
        "first seen after web 1.4.2 was deployed (2026-11-03 14:05Z)"
    )


@pytest.mark.parametrize(("rho", "most"), [(0.0, 2), (0.5, 8)])
def test_same_services_are_seldom_called_slower_even_where_their_mood_lasts(rho, most):
    """1,000 runs of the same service, whose runs differ by 5 %: false alarms, counted."""
    rng = np.random.default_rng(11)
    assert sum(len(alarms(runs(noisy(200, rng, 0.05, rho)))) for _ in range(5)) <= most


def test_times_that_lean_on_each_other_within_a_run_make_no_false_evidence():
    """Of 600 requests in each run hardly fifty are evidence of their own; single requests compared would cry."""
    rng = np.random.default_rng(12)
    history = [measured_run(number, rng) for number in range(200)]
    assert alarms(history) == []
    assert alarms([*history[:40], *(measured_run(40 + number, rng, slower=1.35) for number in range(6))]) == [42]
