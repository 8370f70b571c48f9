"""How well causes are found, on simulated systems and on recorded ones: bars, not stories."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import _degraded as degraded
from benchmarks._simulated import World, scenes
from forewatch.incidents.causes.ranking import Alarm
from forewatch.incidents.rootcause import Ranker
from forewatch.trials.files.incident_cases import Case, Reader, cases_below

pytestmark = pytest.mark.unit

SHARED = Path(__file__).parents[4] / ".." / "shared"
SEEDS = range(2000, 2040)


def places(world, change=lambda scene, random: scene):
    """The place of the true cause in each scene, from 1."""
    found = []
    for scene in scenes(world, SEEDS):
        one = change(scene, np.random.default_rng(1))
        ranked = [cause.service for cause in Ranker(one.graph, one.normal).rank(one.during, one.alarms).causes]
        found.append(ranked.index(one.truth) + 1)
    return np.array(found)


@pytest.mark.parametrize(
    ("world", "change", "first", "among_three"),
    [
        (World(), None, 0.90, 0.97),
        (World(kind="availability"), None, 0.90, 0.95),
        (World(cycles=0.15), None, 0.85, 0.95),
        (World(cross=True), None, 0.80, 0.85),
        (World(), lambda scene, random: degraded.without_edges(scene, 0.1, random), 0.90, 0.97),
        (World(), lambda scene, random: degraded.without_services(scene, 0.2, random), 0.85, 0.97),
        (World(), lambda scene, random: degraded.without_requests(scene), 0.85, 0.90),
        (World(), lambda scene, random: degraded.with_noisy_requests(scene, 0.1, random), 0.90, 0.97),
        (World(), lambda scene, random: degraded.seen_until(scene, 3), 0.90, 0.97),
    ],
    ids=["latency", "failures", "cycles", "cross", "edges", "unseen", "uncounted", "noisy", "early"],
)
def test_the_cause_is_found_in_simulated_systems(world, change, first, among_three):
    found = places(world, change) if change else places(world)
    assert np.mean(found == 1) >= first
    assert np.mean(found <= 3) >= among_three


def test_quiet_windows_of_simulated_systems_are_seldom_answered():
    answered = []
    for scene in scenes(World(), range(2000, 2010)):
        ranker = Ranker(scene.graph, scene.normal)
        for start in range(0, 250, 25):
            window = replace(
                scene.normal,
                starts=scene.normal.starts[start : start + 5],
                requests=scene.normal.requests[:, start : start + 5],
                latency=scene.normal.latency[:, start : start + 5],
                success=scene.normal.success[:, start : start + 5],
            )
            at = int(window.starts[1]) + 1
            answered += [
                ranker.rank(window, [Alarm(scene.alarms[0].service, kind, at)]).confident
                for kind in ("latency", "availability")
            ]
    assert len(answered) == 200
    assert np.mean(answered) <= 0.10


@pytest.mark.skipif(
    not (SHARED / "data" / "petshop").is_dir(),
    reason="the recorded cases (shared/data/petshop) are not here",
)
def test_the_cause_is_found_in_recorded_cases(tmp_path):
    root = SHARED / "data" / "petshop"
    reader = Reader("low_traffic", root)
    predictions = {
        name: [{"service": cause.service} for cause in reader.rank(Case.at(case)).causes]
        for name, case in cases_below(root)
    }
    (tmp_path / "predictions.json").write_text(json.dumps(predictions))
    scorer = SHARED / "score" / "rca_score.py"
    done = subprocess.run(
        [sys.executable, scorer, root, tmp_path / "predictions.json", "--json"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    found = json.loads(done.stdout)["TOTAL"]
    assert found["n"] == 20
    assert found["top1"] >= 0.95
