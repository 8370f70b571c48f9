"""What the kernel says of processes, and how CPU is added up over those that come and go."""

from __future__ import annotations

import pytest

from benchmarks._processes import TICKS, Ledger, Sample, Stat, memory_by_role, parse_stat, pss
from benchmarks.footprint import role_of

pytestmark = pytest.mark.unit

ROLLUP = """\
5574824de000-7ffe0d087000 ---p 00000000 00:00 0                          [rollup]
Rss:                1672 kB
Pss:                 294 kB
Pss_Dirty:           112 kB
Pss_Anon:            112 kB
Swap:                  0 kB
SwapPss:               0 kB
"""


def test_the_proportional_set_size_is_read_in_bytes() -> None:
    assert pss(ROLLUP) == 294 * 1024


def test_an_old_kernel_is_told_apart_from_an_empty_process() -> None:
    with pytest.raises(ValueError, match="no line Pss"):
        pss(ROLLUP.replace("Pss:", "Rss:"))


def test_another_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="MB"):
        pss("Pss:   294 MB\n")


def test_a_command_with_spaces_and_brackets_does_not_shift_the_fields() -> None:
    fields = ["S", "7", *["0"] * 9, "150", "50", "20", "10", "20", "0", "3", "0", "4200", *["0"] * 30]
    stat = parse_stat(f"42 (a ) b) {' '.join(fields)}\n")
    assert stat == Stat(parent=7, cpu=200 / TICKS, waited_cpu=30 / TICKS, started=4200 / TICKS)


def sample(pid: int, role: str, cpu: float, waited: float = 0.0, memory: int = 0) -> Sample:
    return Sample(pid, role, Stat(1, cpu, waited, 0.0), memory, "")


def test_only_what_is_used_inside_the_window_counts() -> None:
    ledger = Ledger()
    ledger.note([sample(1, "server", 10.0)])
    ledger.note([sample(1, "server", 12.5)])
    assert ledger.by_role() == {"server": 2.5}
    assert ledger.total() == 2.5


def test_a_process_born_inside_the_window_counts_whole() -> None:
    ledger = Ledger()
    ledger.note([sample(1, "forkserver", 10.0)])
    ledger.note([sample(1, "forkserver", 10.0), sample(2, "spares", 0.75)])
    assert ledger.by_role() == {"forkserver": 0.0, "spares": 0.75}


def test_one_that_lived_before_and_died_inside_counts_for_what_it_used_inside() -> None:
    ledger = Ledger()
    ledger.note([sample(1, "forkserver", 1.0, waited=5.0), sample(2, "shift", 8.0)])
    ledger.note([sample(1, "forkserver", 1.0, waited=5.0), sample(2, "shift", 9.0)])
    ledger.note([sample(1, "forkserver", 1.0, waited=5.0 + 9.5)])
    assert ledger.total() == pytest.approx(1.5)
    assert ledger.by_role() == pytest.approx({"forkserver": 0.0, "shift": 1.0, "ended": 0.5})


def test_one_that_nobody_ever_saw_counts_as_ended() -> None:
    ledger = Ledger()
    ledger.note([sample(1, "forkserver", 1.0)])
    ledger.note([sample(1, "forkserver", 1.25, waited=0.5)])
    assert ledger.by_role() == pytest.approx({"forkserver": 0.25, "ended": 0.5})


def test_memory_adds_up_by_role() -> None:
    samples = [sample(1, "spares", 0, memory=3), sample(2, "spares", 0, memory=4), sample(3, "server", 0, memory=5)]
    assert memory_by_role(samples) == {"spares": 7, "server": 5}


@pytest.mark.parametrize(
    ("pid", "command", "role"),
    [
        (1, "python -m prefect server start", "server"),
        (2, "python -c from multiprocessing.forkserver import main", "check-health"),
        (3, "python -c from multiprocessing.forkserver import main", "spares and flow runs"),
        (4, "python -c from multiprocessing.forkserver import main", "forkserver"),
        (5, "python -c from multiprocessing.resource_tracker import main", "resource tracker"),
        (6, "sh", "other"),
    ],
)
def test_every_process_has_a_role(pid: int, command: str, role: str) -> None:
    assert role_of(pid, command, {1: "server"}, {2, 3}, {2: "check-health"}) == role
