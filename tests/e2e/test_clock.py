"""The wall clock is set forward and back by an hour under a Forewatch that stands watch.

The clock is that of Forewatch's processes alone, by libfaketime: its offset is read from a file that the test rewrites.
The monotonic clock is left as it is, as it is when an administrator or NTP steps a machine's clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Forewatch, wait_for
from receiver import Receiver
from scene import HOOK_SECRET, configuration_of
from victim import Victim

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PAGED_WITHIN = 10.0
HOUR = 3600


class Clock:
    """The offset of Forewatch's wall clock from this machine's, in seconds."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "faketime"
        self.set(0)

    def set(self, offset: int) -> None:
        part = self._file.with_suffix(".part")
        part.write_text(f"{offset:+d}\n", encoding="ascii")
        part.replace(self._file)

    def environment(self, library: Path) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Without a word on it, libfaketime waits wrongly on locks and Prefect's server never starts.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
            "FAKETIME_CACHE_DURATION": "1",
            # What files say of their age stays the machine's own.
            "NO_FAKE_STAT": "1",
        }


@pytest.fixture(scope="module")
def clock(folder: Path) -> Clock:
    return Clock(folder)


@pytest.fixture(scope="module")
def forewatch(folder: Path, clock: Clock, victim: Victim, healable: Victim, receiver: Receiver) -> Iterator[Forewatch]:
    library = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)
    if library is None:
        pytest.skip("libfaketime is not installed; on Debian or Ubuntu: apt-get install faketime")
    started = Forewatch(folder, environment={"HOOK_SECRET": HOOK_SECRET, **clock.environment(library)})
    services = victim.watched() + healable.restarted(limits="{per_hour: 50, cooldown: 3s}")
    started.write_config(configuration_of(services, receiver))
    try:
        started.up()
        yield started
    finally:
        started.sweep()


def now(forewatch: Forewatch) -> int:
    """Forewatch's own wall clock, as the last stored beat of a watch tells it, in seconds."""
    return forewatch.shift("check-health").beat_at // 1_000_000


def lost(forewatch: Forewatch) -> list[str]:
    """What the logs say of watches that nobody stood or that were taken away."""
    return [line for line in forewatch.tail(100_000).splitlines() if "nobody is on watch" in line or ", fenced" in line]


def wait_for_offset(forewatch: Forewatch, offset: int) -> None:
    wait_for(f"a clock {offset:+d} s off", lambda: abs(now(forewatch) - time.time() - offset) < 10, timeout=15)


@pytest.mark.parametrize("offset", [HOUR, 0, -HOUR, 5], ids=["forward", "back again", "further back", "forward again"])
def test_a_fault_right_after_the_clock_was_set_is_paged_once_and_nobody_loses_the_watch(
    forewatch: Forewatch, clock: Clock, victim: Victim, receiver: Receiver, offset: int
) -> None:
    forewatch.wait_ready(60)
    stand_ins = lost(forewatch)
    told = len(receiver.received)
    clock.set(offset)
    hurt = time.monotonic()
    victim.fault("errors")
    page = receiver.wait_for("victim", "page", since=hurt, timeout=PAGED_WITHIN)
    assert page.at - hurt < PAGED_WITHIN
    wait_for_offset(forewatch, offset)
    victim.fault("none")
    receiver.wait_for("victim", "resolved", since=hurt, timeout=PAGED_WITHIN)
    # Long enough for a stand-in, a re-sent claim or a timer that fires early to show.
    time.sleep(5)
    assert [(one.kind, one.service) for one in receiver.received[told:]] == [("page", "victim"), ("resolved", "victim")]
    # The next run on the schedule may have come to be due, and relieves as ever; nobody is taken for dead.
    assert lost(forewatch) == stand_ins
    forewatch.wait_ready(30)


def test_a_remedy_rests_after_its_last_act_though_that_lies_in_the_future(
    forewatch: Forewatch, clock: Clock, healable: Victim, receiver: Receiver
) -> None:
    clock.set(HOUR)
    wait_for_offset(forewatch, HOUR)
    forewatch.wait_ready(60)
    healable.kill()
    [healed] = wait_for(
        "the restart to be verified",
        lambda: [one for one in forewatch.incidents("healable") if one.status == "resolved"],
        timeout=60,
    )
    assert [run.state for run in forewatch.runs(healed.id)] == ["done"]

    clock.set(0)
    wait_for_offset(forewatch, 0)
    hurt = time.monotonic()
    healable.kill()
    page = receiver.wait_for("healable", "page", since=hurt, timeout=PAGED_WITHIN)
    assert page.incident != healed.id
    assert [run.state for run in forewatch.runs(str(page.incident)) if run.state != "refused"] == []
    assert any("ahead of the clock" in line for line in forewatch.timeline(str(page.incident)))
    healable.start()
    receiver.wait_for("healable", "resolved", since=hurt, timeout=PAGED_WITHIN)


def test_a_page_that_waits_is_not_delayed_by_an_hour(
    forewatch: Forewatch, clock: Clock, victim: Victim, receiver: Receiver
) -> None:
    receiver.status = 503
    victim.fault("errors")
    wait_for(
        "a failed attempt",
        lambda: any(
            notification.state == "failed"
            for incident in forewatch.incidents("victim")
            for notification in forewatch.notifications(incident.id)
        ),
    )
    clock.set(-HOUR)
    wait_for_offset(forewatch, -HOUR)
    receiver.status = 204
    again = time.monotonic()
    page = receiver.wait_for("victim", "page", since=again, timeout=PAGED_WITHIN)
    victim.fault("none")
    receiver.wait_for("victim", "resolved", since=page.at, timeout=PAGED_WITHIN)
