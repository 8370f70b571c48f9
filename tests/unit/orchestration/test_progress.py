"""What the person at the terminal of `forewatch up` reads: what is true, and where to look."""

from pathlib import Path

import pytest

from forewatch.clock import MICROSECONDS
from forewatch.orchestration.progress import Progress
from forewatch.orchestration.readiness import Readiness, judge
from forewatch.orchestration.shift_names import SHIFTS
from forewatch.store.glance import Part, Shift

pytestmark = pytest.mark.unit

NOW = 1_767_225_600 * MICROSECONDS
PARTS = [Part(name, "ok", "", NOW, NOW) for name in ("prefect", "worker", "link")]


def shifts(**fields):
    return [Shift(name, **{"term": 4, "holder": "vm:1", "beat": 7, "beat_at": NOW, **fields}) for name in SHIFTS]


def judged(rows, unproved=None):
    return judge(rows, PARTS, Path("/"), NOW, unproved)


def test_all_is_ready_when_every_shift_has_shown_life_lately():
    assert judged(shifts()) == Readiness(SHIFTS, ())
    assert judged(shifts(beat_at=NOW - 9 * MICROSECONDS)).problems[0] == "check-health: no beat for 9 s"


def test_a_worker_that_prefect_does_not_know_yet_is_said_once_and_plainly():
    parts = [*PARTS[:2], Part("link", "down", "the worker has no link to Prefect", NOW, NOW)]
    assert judge(shifts(), parts, Path("/"), NOW).problems == ("the worker has no link to Prefect",)


def test_the_row_of_an_earlier_start_is_nobody_on_watch():
    before = dict.fromkeys(SHIFTS, (4, 7))
    assert judged(shifts(), before).standing == ()
    assert judged(shifts(), before).problems[0] == "check-health: nobody is on watch yet"
    assert judged(shifts(beat=8), before).ready
    assert judged(shifts(term=5, beat=1), before).ready


def test_who_took_a_watch_and_has_not_begun_it_does_not_stand_it():
    assert judged(shifts(term=5, beat=0), dict.fromkeys(SHIFTS, (4, 7))).standing == ()
    assert judged(shifts(term=1, beat=0), dict.fromkeys(SHIFTS, (0, 0))).standing == ()


def test_a_hand_over_while_all_is_up_is_no_trouble():
    assert judged(shifts(term=5, beat=0)).ready


def test_the_terminal_is_told_what_has_begun_and_where_the_pages_are():
    lines = []
    progress = Progress(lines.append, 4290, 4291)
    progress.show(Readiness(("check-health",), ("worker: not reported yet",)))
    progress.show(Readiness((), ("check-health: no beat for 6 s",)))
    progress.show(Readiness(("check-health",), ("worker: not reported yet",)))
    progress.show(Readiness(SHIFTS, ()))
    said = "\n".join(lines)
    assert said.count("check-health is on watch") == said.count("page-people is on watch") == 1
    for where in ("http://127.0.0.1:4290/incidents", "http://127.0.0.1:4291", "http://127.0.0.1:4290/healthz"):
        assert where in said
    assert said.index("Ready after") < said.index("/incidents")


def test_each_change_is_told_once():
    lines = []
    progress = Progress(lines.append, 4290, 4291)
    for readiness in (Readiness(SHIFTS, ()), Readiness((), ("worker: silent for 20 s",)), Readiness(SHIFTS, ())):
        progress.show(readiness)
        progress.show(readiness)
    assert lines[-2:] == ["Not everything is up: worker: silent for 20 s", "All systems are up again."]
