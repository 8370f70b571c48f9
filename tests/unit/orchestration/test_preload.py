"""What every process forked for work carries: nothing that only forecasting needs."""

import subprocess
import sys

import pytest

from forewatch.orchestration.preload import MODULES

pytestmark = pytest.mark.unit

HEAVY = ("numpy", "scipy", "pandas", "statsmodels", "matplotlib", "holidays")
LOADED = f"import sys; print([name for name in {HEAVY} if name in sys.modules])"


@pytest.mark.parametrize(
    "imports",
    [("forewatch.cli",), ("forewatch.console.serve",), (*MODULES, "tasks.shifts.collect_metrics")],
    ids=["the command line", "serve", "children"],
)
def test_no_process_carries_what_only_forecasting_needs(imports: tuple[str, ...]) -> None:
    code = "\n".join(f"import {name}" for name in imports)
    said = subprocess.run([sys.executable, "-c", f"{code}\n{LOADED}"], capture_output=True, text=True, timeout=120)
    assert said.stdout.strip().endswith("[]"), said.stdout + said.stderr
