"""Scores by river's HalfSpaceTrees, in the Python that has it.

JSON lines in: `{"values": [...]}`; out: `{"scores": [...]}`.
"""

from __future__ import annotations

import json
import sys

from river import anomaly, compose, preprocessing


def main() -> None:
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        model = compose.Pipeline(preprocessing.MinMaxScaler(), anomaly.HalfSpaceTrees(seed=1))
        scores = []
        for value in json.loads(line)["values"]:
            scores.append(model.score_one({"x": value}))
            model.learn_one({"x": value})
        print(json.dumps({"scores": scores}), flush=True)


if __name__ == "__main__":
    main()
