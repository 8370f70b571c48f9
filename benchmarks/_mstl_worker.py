"""Forecasts by statsforecast's MSTL with exponential smoothing, in the Python that has it.

JSON lines in: `{"values": [...], "period": 288, "steps": 288}`; out: `{"mean": [...], "lower": [...], "upper": [...]}`.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from statsforecast.models import MSTL, AutoETS


def main() -> None:
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        period, values = task["period"], np.array(task["values"], dtype=np.float64)
        model = MSTL(season_length=period, trend_forecaster=AutoETS(model="ANN"))
        found = model.forecast(y=values, h=task["steps"], level=[95])
        answer = {"mean": found["mean"], "lower": found["lo-95"], "upper": found["hi-95"]}
        print(json.dumps({name: np.asarray(part).tolist() for name, part in answer.items()}), flush=True)


if __name__ == "__main__":
    main()
