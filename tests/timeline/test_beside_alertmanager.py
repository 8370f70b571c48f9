"""The same timelines to a real Alertmanager and to us: the same notices are wanted of both, and compared."""

from __future__ import annotations

from pathlib import Path

import pytest
from lines import LINES
from playing import simulated
from real_alertmanager import PROGRAM, played
from timeline_language import Timeline

TOLERANCE = 1.0
"""Seconds that a real process on a busy machine may be off."""

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(not PROGRAM.exists(), reason=f"{PROGRAM} is not installed (prometheus-alertmanager)"),
]


def test_alertmanager_sends_what_we_send(tmp_path: Path) -> None:
    lines = {name: make() for name, make in LINES.items()}
    theirs = played(lines, tmp_path)
    problems = []
    for name, line in lines.items():
        ours = Timeline(length=line.length)
        for one in simulated(line):
            ours.want_at(one)
        for wanted in (line, ours):
            try:
                wanted.check(theirs[name], tolerance=TOLERANCE)
            except AssertionError as error:
                problems.append(f"{name}:\n{error}")
    assert not problems, "\n".join(problems)
