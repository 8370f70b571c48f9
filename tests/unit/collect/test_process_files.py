"""How near a process is to the files it may have open."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from forewatch.config.models import Config, ProcessTarget, Service
from tasks.collect.gathering import Gathering
from tasks.collect.processes import Processes

pytestmark = [pytest.mark.unit, pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="only Linux tells")]


def test_the_share_grows_with_the_files_that_are_open(tmp_path: Path):
    (tmp_path / "own.pid").write_text(str(os.getpid()))
    config = Config(services=[Service(name="own", processes=[ProcessTarget(pidfile="own.pid")])], folder=str(tmp_path))
    collect = Processes()

    def share() -> float:
        into = Gathering(1)
        collect(into, config)
        (found,) = [point.value for point in into.points if point.metric == "process.open_file_descriptor.utilization"]
        return found

    soft, _ = psutil.Process().rlimit(psutil.RLIMIT_NOFILE)
    before = share()
    opened = [(tmp_path / f"{number}").open("w") for number in range(20)]
    after = share()
    for file in opened:
        file.close()
    assert 0 < before < after <= 1
    assert after - before == pytest.approx(20 / soft)
