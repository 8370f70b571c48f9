"""What wears out, leaks or drifts, with a date and a reason; nothing where all is well."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forewatch.clock import MICROSECONDS, micros, seconds
from forewatch.detection.maintenance import (
    CERTIFICATE,
    MEMORY,
    MEMORY_LIMIT,
    METRICS,
    PASSED,
    READABLE,
    SECTORS,
    UP,
    UPTIME,
    WEAR,
    Item,
    Subject,
    restarts,
    upkeep,
)  # fmt: skip

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("error")]

NOW = 1_767_225_600 * MICROSECONDS
HOUR, DAY = 3600.0, 86400.0
WEB = {"service": "shop", "process": "web"}


def subject(metric: str, of, days: float, every: float = HOUR, **labels: str) -> Subject:
    """Samples of `of(days ago)` up to now."""
    ago = np.arange(days * DAY, 0, -every)
    samples = [(NOW - micros(back), float(of(back / DAY))) for back in ago]
    return Subject(metric, labels, labels.get("service", "host"), samples)


def only(*subjects: Subject, acted=None) -> Item:
    found = upkeep(subjects, acted or {}, NOW).items
    assert len(found) == 1
    return found[0]


def days_left(item: Item) -> float:
    return seconds(item.by - NOW) / DAY


def test_a_certificate_is_to_be_renewed_before_it_expires():
    item = only(subject(CERTIFICATE, lambda ago: (12 + ago) * DAY, 3, service="shop", check="tls"))
    assert (item.kind, item.what, item.todo) == ("certificate", "certificate of shop/tls", "renew it")
    assert days_left(item) == pytest.approx(12, abs=0.1)
    assert "expires in 12d" in item.evidence
    assert upkeep([subject(CERTIFICATE, lambda ago: (80 + ago) * DAY, 3, service="shop")], {}, NOW).items == ()


def test_a_disk_that_says_it_fails_is_first_and_one_that_wears_out_has_a_date():
    failing = subject(PASSED, lambda ago: float(ago > 1), 3, device="/dev/sda")
    wearing = subject(WEAR, lambda ago: 0.85 - 0.01 * ago / 10, 28, device="/dev/nvme0")
    broken = subject(SECTORS, lambda ago: 8 if ago > 5 else 24, 28, device="/dev/sdb")
    fine = subject(PASSED, lambda ago: 1.0, 3, device="/dev/sdc")
    first, second, third = upkeep([wearing, fine, failing, broken], {}, NOW).items
    assert (first.what, first.todo) == ("disk /dev/sda", "replace it now")
    assert (second.what, second.evidence) == ("disk /dev/sdb", "16 more broken sectors since 4 Dec 2025, 24 in all")
    assert days_left(third) == pytest.approx(150, abs=1)
    assert "85% of its life is used up, 3.0 % a month" in third.evidence


def test_what_cannot_be_read_is_said_once_with_the_reason():
    refused = subject(READABLE, lambda ago: 0.0, 2, device="/dev/sda", reason="not permitted (it takes root)")
    assert upkeep([refused], {}, NOW).unknown == ("the disk /dev/sda: not readable: not permitted (it takes root)",)
    none = subject(READABLE, lambda ago: 0.0, 2, device="all", reason="smartctl is not installed")
    assert upkeep([none], {}, NOW).unknown == ("disks' own reports: not readable: smartctl is not installed",)
    read = subject(READABLE, lambda ago: 1.0, 2, device="/dev/sda")
    before = Subject(READABLE, none.labels, "host", [(NOW - micros(5 * DAY), 0.0)])
    assert upkeep([before, read], {}, NOW).unknown == ()


def test_a_leak_has_the_day_on_which_the_memory_of_the_machine_is_used_up():
    leak = subject(MEMORY, lambda ago: 2e9 - 0.1e9 * ago, 9, **WEB)
    whole = subject(MEMORY_LIMIT, lambda ago: 4e9, 9)
    item = only(leak, whole)
    assert item.what == "memory of web of shop"
    assert days_left(item) == pytest.approx(20, abs=0.5)
    assert "100.0MB more a day since 23 Dec 2025, 2.0GB now" in item.evidence
    assert "80 % interval" in item.evidence


def test_what_came_before_a_restart_is_no_leak():
    begun = subject(UPTIME, lambda ago: (3 - ago) * DAY if ago < 3 else (20 - ago) * DAY, 9, every=300.0, **WEB)
    steady = subject(MEMORY, lambda ago: 1e9 if ago < 3 else 3e9 - 0.2e9 * ago, 9, **WEB)
    assert upkeep([begun, steady], {}, NOW).items == ()


def test_restarts_are_counted_by_the_uptime_and_compared_with_the_week_before():
    every = 1.5

    def uptime(ago: float) -> float:
        return (14 - ago) % every * DAY if ago <= 7 else (14 - ago) * DAY

    item = only(subject(UPTIME, uptime, 14, every=300.0, **WEB))
    assert item.what == "process web of shop"
    assert "it restarted 6 times in 7 days, 0 in the week before" in item.evidence
    assert days_left(item) <= every


def test_a_fall_smeared_over_two_samples_is_one_restart():
    values = [1000.0, 1300.0, 700.0, 200.0, 500.0, 800.0, 100.0]
    assert len(restarts([(NOW + k, value) for k, value in enumerate(values)])) == 2


def test_what_forewatch_heals_again_and_again_is_to_be_mended():
    times = [NOW - micros(back * DAY) for back in (20, 6, 4, 2, 1)]
    item = only(acted={("shop", "restart-service"): times, ("shop", "free-disk-space"): times[:2]})
    assert (item.kind, item.what) == ("remedies", "restart-service on shop")
    assert "it acted 4 times in 7 days, 0 in the week before" in item.evidence


def test_a_check_that_fails_more_and_more_often_is_told_of():
    rng = np.random.default_rng(5)
    spread = rng.normal(1, 0.05, 40)
    drift = subject(
        UP, lambda ago: 1 - 0.002 * (1 + (28 - ago) / 7) * spread[int(ago)], 28, service="shop", check="http"
    )
    item = only(drift)
    assert item.what == "check shop/http"
    assert item.evidence.startswith("the share of failures of shop/http has risen")
    steady = subject(UP, lambda ago: 1 - 0.002 * spread[int(ago)], 28, service="shop", check="http")
    assert upkeep([steady], {}, NOW).items == ()


def test_nothing_measured_is_nothing_to_do():
    assert upkeep([], {}, NOW).items == ()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(METRICS),
            st.lists(
                st.tuples(
                    st.integers(-30 * 86400, 100),
                    st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([1e300, 0.0, 1.0])),
                ),
                max_size=40,
            ),
        ),
        max_size=6,
    )
)
@example([(WEAR, [(-3, 0.0), (-2, -1.797e308), (-1, 1e300)])])
@settings(max_examples=100, deadline=None)
def test_garbage_gives_dates_in_order_and_never_a_warning(found):
    subjects = [
        Subject(metric, WEB, "shop", [(NOW + micros(at), value) for at, value in samples]) for metric, samples in found
    ]
    items = upkeep(subjects, {}, NOW).items
    assert [item.by for item in items] == sorted(item.by for item in items)
    assert all(item.as_json() for item in items)
