"""Which kind of failure a reason speaks of, and what is then said of the service."""

import pytest

from forewatch.alerting.failures import HEADLINES, PAST, failure_of, headline_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "reason",
    [
        "last called in 19.2s ago, expected every 10s (grace 5s)",
        "last called in 10h 55m ago (Forewatch could not hear it until 1h 5m ago), expected every 1h (grace 5m)",
        "has never called in, 1h 5m after it was configured, expected every 1h (grace 5m)",
        "started 20m ago and has not finished (grace 10m)",
        "did not finish in time; that was noticed 5m ago",
        "did not call in in time; the next run began just now",
    ],
)
def test_a_job_whose_call_is_late_or_missing_is_overdue(reason):
    assert failure_of(reason) == "overdue"
    assert headline_of("nightly", f"nightly {HEADLINES['overdue']}: backup {reason}") == "overdue"


@pytest.mark.parametrize("reason", ["failed 5s ago: no space left", "failed with exit code 3 just now"])
def test_a_job_that_says_it_failed_has_failed(reason):
    assert failure_of(reason) == "other"


def test_every_headline_has_its_past():
    assert HEADLINES.keys() == PAST.keys()
