"""`python -m tests.simulation --seeds 10000`: long runs. Prints what happened in them; tells a failing seed's story."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from history_plan import plan
from minimal_story import minimal, told
from promises import PROMISES
from simulation import History, live, rarely_collect

REPLAY_EVERY = 5
"""Every so many histories are decided again as well."""
AT_ONCE = 25


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many histories")
    parser.add_argument("--first", type=int, default=1, help="the seed of the first")
    parser.add_argument("--jobs", type=int, default=1, help="processes that live them")
    parser.add_argument("--most", type=int, default=3, help="failing seeds after which to stop")
    parser.add_argument("--promises", default="", help="only these, comma-separated; by default all")
    given = parser.parse_args()
    wanted = frozenset(given.promises.split(",")) if given.promises else None
    if wanted is not None and (unknown := wanted - PROMISES.keys()):
        parser.error(f"there is no promise {', '.join(sorted(unknown))}; there are {', '.join(PROMISES)}")
    began = time.monotonic()
    counts: Counter[str] = Counter()
    failing: list[History] = []
    lived = 0
    seeds = range(given.first, given.first + given.seeds)
    chunks = [seeds[at : at + AT_ONCE] for at in range(0, len(seeds), AT_ONCE)]
    with ProcessPoolExecutor(given.jobs) as pool:
        for some in pool.map(partial(_some, wanted), chunks):
            lived += some[0]
            counts += some[1]
            failing += some[2]
            for history in some[2]:
                print(f"seed {history.plan.seed}: {history.broken[0]}", flush=True)
            if lived % 500 < AT_ONCE:
                print(f"{lived} histories, {len(failing)} failing, {time.monotonic() - began:.0f} s", flush=True)
            if len(failing) >= given.most:
                pool.shutdown(wait=False, cancel_futures=True)
                break
    print(table(lived, counts, time.monotonic() - began))
    for history in failing[: given.most]:
        print(told(minimal(history, replay=any(one.startswith("replay") for one in history.broken))))
    return 1 if failing else 0


def table(lived: int, counts: Counter[str], took: float) -> str:
    """What happened in all of them, so that a run in which nothing did shows."""
    lines = [
        f"{lived} histories in {took:.0f} s, {lived / took:.1f} a second",
        *(f"  {count:8d} {what}" for what, count in counts.most_common()),
    ]
    return "\n".join(lines)


def _some(wanted: frozenset[str] | None, seeds: range) -> tuple[int, Counter[str], list[History]]:
    rarely_collect()
    counts: Counter[str] = Counter()
    failing = []
    for seed in seeds:
        history = live(plan(seed), replay=seed % REPLAY_EVERY == 0, promises=wanted)
        counts += history.counts
        if history.broken:
            failing.append(history)
    return len(seeds), counts, failing


if __name__ == "__main__":
    sys.exit(main())
