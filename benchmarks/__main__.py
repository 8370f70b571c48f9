"""Find the benchmarks of this folder, run those asked for (default: all), print their tables, keep their numbers."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import pkgutil
import platform
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import benchmarks

OUTPUT = Path("bench-output")
SERIES = Path("../shared/data/anomaly")


def discover() -> dict[str, ModuleType]:
    """The modules that expose `NAME`, `run` and `table`, by name."""
    found = {}
    for info in pkgutil.iter_modules(benchmarks.__path__):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"benchmarks.{info.name}")
        if all(hasattr(module, part) for part in ("NAME", "run", "table")):
            found[module.NAME] = module
    return found


def machine() -> dict[str, Any]:
    """Where and when: numbers mean little without."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": platform.platform(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


def main() -> int:
    known = discover()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(known))
    parser.add_argument("--json", type=Path, metavar="FILE", help="all results in one file as well")
    parser.add_argument("--quick", action="store_true", help="smaller runs: does it work at all?")
    parser.add_argument("--peer-python", metavar="EXE", help="a Python with statsforecast and river")
    parser.add_argument(
        "--series", type=Path, metavar="FOLDER", default=SERIES, help=f"labelled series (default {SERIES})"
    )
    for module in known.values():
        if hasattr(module, "add_options"):
            module.add_options(parser)
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)} (there are: {', '.join(known)})")
    # As Ctrl-C: what a benchmark has started ends with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    OUTPUT.mkdir(exist_ok=True)
    results: dict[str, Any] = {}
    for name in options.names or known:
        where = machine()
        print(f"== {name}: {where['at']}, {where['cores']} cores, load {where['load']:.1f}", flush=True)
        result = results[name] = {"machine": where, **asyncio.run(known[name].run(options))}
        print(known[name].table(result), flush=True)
        (OUTPUT / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
