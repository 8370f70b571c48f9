"""The score on labelled real series: its quality, and that nothing of it comes from the future."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks._labelled_series import CORPORA, read, scored, scorer
from forewatch.detection.anomaly import Detector

FOLDER = Path(__file__).parents[3] / ".." / "shared" / "data" / "anomaly"

pytestmark = [
    pytest.mark.unit,
    pytest.mark.filterwarnings("error"),
    pytest.mark.skipif(
        not FOLDER.is_dir(), reason="the labelled development series (shared/data/anomaly) are not here"
    ),
]

GOLDEN = {"NAB": (73.2, 62.4), "Microsoft": (65.1, 58.5)}
"""Standard and low-false-alarm score at the corpus's own threshold. One window moves them by up to two."""


@pytest.mark.parametrize("corpus", CORPORA)
def test_the_labelled_windows_are_found_as_well_as_before(corpus):
    nab = scorer(FOLDER)
    scores = {
        one.key: Detector(one.step, warmup=one.warmup).update_many(one.at, one.values).score
        for one in read(FOLDER, corpus)
    }
    found = nab.evaluate(scored(nab, FOLDER, corpus, scores))
    standard, quiet = GOLDEN[corpus]
    assert found["standard"]["score"] == pytest.approx(standard, abs=2.0)
    assert found["reward_low_FP_rate"]["score"] == pytest.approx(quiet, abs=2.0)


def test_scores_before_a_cut_do_not_know_what_follows():
    for corpus in CORPORA:
        for one in read(FOLDER, corpus):
            whole = Detector(one.step, warmup=one.warmup).update_many(one.at, one.values)
            for share in (0.31, 0.57, 0.83):
                cut = int(len(one.at) * share)
                part = Detector(one.step, warmup=one.warmup).update_many(one.at[:cut], one.values[:cut])
                for name in ("score", "expected", "lower", "upper"):
                    np.testing.assert_allclose(
                        getattr(part, name), getattr(whole, name)[:cut], rtol=1e-12, atol=1e-9, err_msg=one.key
                    )
