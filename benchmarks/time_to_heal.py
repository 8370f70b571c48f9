"""How long is a killed service away? A process with a pid file dies of `kill -9` at random moments; who is back when?

Forewatch, Monit, the Prometheus chain and a bare loop guard the same victim in turn, each looking every second. Of
Forewatch a trial counts only if the restart's flow run, its step and its decision can be read afterwards and name each
other; its own share, from the check that saw the fault to the restart, is taken apart into stages.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import _healers
from benchmarks._figures import HEAD, line, summary
from benchmarks._forewatch import VERSIONS, idle, standing, until
from benchmarks._linking import RESTART_STEP, Records, missing
from benchmarks._victim import Healed, Victim, adopt_orphans
from forewatch.reports.explanation import why
from forewatch.runtime import Runtime
from forewatch.store import check_states, components, decision_log, incidents, observations, receipts, runs, timeline
from tests.e2e.harness import Forewatch

NAME = "time_to_heal"
TRIALS = 20
SEED = 20
STARTS = 5
"""How often a peer is started anew: how far Prometheus' scrapes and evaluations lie apart is drawn once a start."""
SETTLE = 1.0
"""Seconds of peace before a trial; a random share of the check's interval comes on top."""
GIVE_UP = 30.0
CALM_PATIENCE = 60.0
LINK_PATIENCE = 20.0
"""Seconds for Prefect to have written its records after the last trial; it does so in the background."""

CONFIG = """\
services:
  - name: victim
    checks:
      - {{http: "{url}", every: 1s, timeout: 500ms, fails_after: 1, recovers_after: 1, expect: {{status: 200}}}}
    remedies:
      - on: {{alertname: CheckFailing}}
        runbook: restart-service
        with: {{pidfile: "{pidfile}", command: [{command}]}}
        autonomy: auto
        limits: {{per_hour: 1000, cooldown: 0s}}
        verify: {{within: 20s}}
flapping: {{after: 1000}}
metrics: {{every: 15s}}
notifiers: [{{name: terminal, console: {{}}}}]
routes: [{{match: {{}}, notify: [terminal], hold: 20s}}]
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--trials", type=int, metavar="N", help=f"kills per contender (default {TRIALS})")


async def run(options: argparse.Namespace) -> dict[str, Any]:
    trials = options.trials or (3 if options.quick else TRIALS)
    adopt_orphans()
    rows = [
        await _peer("bare asyncio loop (the limit)", _healers.bare_loop, (), trials),
        *await _forewatch(trials),
        await _peer("Monit", _healers.monit, _healers.MONIT, trials),
        await _peer("Prometheus chain", _healers.prometheus, _healers.PROMETHEUS, trials),
    ]
    return {"trials": trials, "every": _healers.EVERY, "versions": VERSIONS, "rows": rows}


@dataclass(frozen=True)
class Trial:
    """`killed`: wall time."""

    killed: float
    healed: Healed | None


async def _kill_again_and_again(
    victim: Victim, trials: int, moments: random.Random, calm: Callable[[], Awaitable[None]]
) -> list[Trial]:
    done = []
    for _ in range(trials):
        await calm()
        await asyncio.sleep(SETTLE + moments.random() * _healers.EVERY)
        killed, healed = await victim.kill(GIVE_UP)
        done.append(Trial(killed, healed))
        if healed is None:
            await victim.start()
    return done


Healer = Callable[[Victim, Path], AbstractAsyncContextManager[_healers.Calm]]


async def _peer(who: str, healer: Healer, programs: Sequence[str], trials: int) -> dict[str, Any]:
    if (absent := _healers.missing(programs)) is not None:
        return {"who": who, "missing": absent}
    named = f"{who} {_healers.version(programs[0])}" if programs else who
    moments = random.Random(SEED)
    done: list[Trial] = []
    for start in range(STARTS):
        share = trials // STARTS + (start < trials % STARTS)
        if share:
            done += await _one_start(healer, share, moments)
    return _row(named, done)


async def _one_start(healer: Healer, trials: int, moments: random.Random) -> list[Trial]:
    with tempfile.TemporaryDirectory(prefix="forewatch-bench-") as name:
        folder = Path(name)
        victim = Victim(folder / "victim")
        try:
            await victim.start()
            async with healer(victim, folder) as calm:
                return await _kill_again_and_again(victim, trials, moments, calm)
        finally:
            victim.stop()


async def _forewatch(trials: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="forewatch-bench-") as name:
        folder = Path(name)
        victim = Victim(folder / "victim")
        try:
            await victim.start()
            command = ", ".join(f'"{word}"' for word in victim.argv)
            config = CONFIG.format(url=victim.url, pidfile=victim.pidfile, command=command)
            async with standing(folder / "forewatch", config) as forewatch:
                with forewatch.runtime() as runtime:
                    await until("the first check", lambda: runtime.store.run(_checked, runtime))
                    done = await _kill_again_and_again(victim, trials, random.Random(SEED), lambda: _calm(runtime))
                    await asyncio.sleep(SETTLE)
                    return await _judged(forewatch, runtime, done)
        finally:
            victim.stop()


def _checked(runtime: Runtime) -> bool:
    with runtime.store.read_metrics() as conn:
        return any(state.status == "up" for state in check_states.get_all(conn))


async def _calm(runtime: Runtime) -> None:
    """No incident is open, a spare is ready and another stands by, so that each fault comes by itself. Raises
    TimeoutError that says what is not so."""

    async def look() -> bool:
        return not await runtime.store.run(_unrest, runtime)

    try:
        await until("peace after a trial", look, CALM_PATIENCE)
    except TimeoutError as error:
        raise TimeoutError(f"{error}: {await runtime.store.run(_unrest, runtime)}") from error


def _unrest(runtime: Runtime) -> str:
    with runtime.store.read() as conn:
        for one in incidents.listing(conn, open_only=True, limit=1):
            last = timeline.of_incident(conn, one.id)[-1].text
            return f"{one.id} is {one.status}; the last of it: {last}"
        worker = components.get(conn, "worker")
        last = max((run.finished_at or 0 for run in runs.listing(conn, limit=1)), default=0)
    if worker is None or worker.at < last or not (worker.data or {}).get("standing_by"):
        return "nobody stands by"
    return "" if idle(runtime) else "no spare is ready"


async def _judged(forewatch: Forewatch, runtime: Runtime, done: Sequence[Trial]) -> list[dict[str, Any]]:
    """The row of what counts, with stages; trials whose records are incomplete are named and do not count."""
    counted, stages, flaws = [], [], []
    for trial in done:
        if trial.healed is None:
            continue
        records, seconds = await _records(forewatch, runtime, trial)
        if flaw := missing(records):
            flaws.append({"incident": records.incident, "missing": flaw})
        else:
            counted.append(trial)
            stages.append(seconds)
    lost = [trial for trial in done if trial.healed is None]
    row = _row("Forewatch", [*counted, *lost])
    row["incomplete"] = flaws
    row["seconds"] = stages
    row["stages"] = {name: summary(each[name] for each in stages) for name in STAGES} if stages else {}
    return [row]


async def _records(forewatch: Forewatch, runtime: Runtime, trial: Trial) -> tuple[Records, dict[str, float]]:
    """What is to be read of a trial once it is complete, or as it stands when patience ends."""
    deadline = time.monotonic() + LINK_PATIENCE
    while True:
        found = await runtime.store.run(_read, forewatch, runtime, trial)
        if not missing(found[0]) or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.5)


def _read(forewatch: Forewatch, runtime: Runtime, trial: Trial) -> tuple[Records, dict[str, float]]:
    with runtime.store.read() as conn:
        killed = trial.killed * 1e6
        after = [one for one in incidents.listing(conn, open_only=False, limit=1000) if one.opened_at >= killed]
        incident = min(after, key=lambda one: one.opened_at, default=None)
        its_runs = runs.of_incident(conn, incident.id) if incident is not None else []
        if incident is None or not its_runs:
            return Records(incident.id if incident else None, None, None, None, None, (), (), ()), {}
        run = its_runs[0]
        decisions = decision_log.of_subject(conn, run.id)
        told = why(conn, run.id)
        steps = {receipt.name: receipt for receipt in receipts.of_run(conn, run.id)}
        event = next(
            (seen.event for one in decisions if (seen := observations.get(conn, one.seq)) is not None), {"at": 0}
        )
    flow_run, task_runs = _of_prefect(forewatch, run.flow_run_id)
    records = Records(
        incident=incident.id, run=run.id, run_incident=run.incident_id, run_flow_run=run.flow_run_id,
        flow_run=flow_run, task_runs=task_runs, why=told,
        decisions=[reason for one in decisions for reason in one.reasons],
    )  # fmt: skip
    if RESTART_STEP not in steps or trial.healed is None or run.started_at is None:
        return records, {}
    moments = {
        "killed": trial.killed,
        "seen": event["at"] / 1e6,
        "sent": run.created_at / 1e6,
        "started": run.started_at / 1e6,
        "intended": steps[RESTART_STEP].intent_at / 1e6,
        "forked": trial.killed + trial.healed.started,
        "healthy": trial.killed + trial.healed.took,
        "resolved": (incident.resolved_at or 0) / 1e6,
    }
    return records, stages_of(moments)


def _of_prefect(forewatch: Forewatch, flow_run_id: str | None) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """A flow run and the task runs of it and its subflows, as Prefect's API gives them."""
    if flow_run_id is None:
        return None, []
    found = forewatch.prefect("POST", "/flow_runs/filter", {"flow_runs": {"id": {"any_": [flow_run_id]}}})
    below = forewatch.prefect(
        "POST", "/flow_runs/filter", {"flow_runs": {"parent_flow_run_id": {"any_": [flow_run_id]}}}
    )
    ids = [flow_run_id, *(one["id"] for one in below)]
    tasks = forewatch.prefect("POST", "/task_runs/filter", {"task_runs": {"flow_run_id": {"any_": ids}}})
    return (found[0] if found else None), tasks


STAGES = {
    "kill to seen by the check": ("killed", "seen"),
    "seen to run asked for": ("seen", "sent"),
    "asked for to flow started": ("sent", "started"),
    "started to restart intended": ("started", "intended"),
    "intended to process forked": ("intended", "forked"),
    "SEEN TO RESTART COMMAND": ("seen", "forked"),
    "forked to healthy": ("forked", "healthy"),
    "healthy to incident resolved": ("healthy", "resolved"),
}


def stages_of(moments: Mapping[str, float]) -> dict[str, float]:
    """Seconds between the moments of one trial."""
    return {name: moments[end] - moments[begin] for name, (begin, end) in STAGES.items()}


def _row(who: str, done: Sequence[Trial]) -> dict[str, Any]:
    healed = [trial.healed for trial in done if trial.healed is not None]
    return {
        "who": who,
        "load": os.getloadavg()[1],
        "lost": len(done) - len(healed),
        "to_healthy": summary(each.took for each in healed),
        "to_command": summary(each.started for each in healed),
        "trials": [each.took for each in healed],
    }


def table(result: dict[str, Any]) -> str:
    lines = [f"{'kill -9 to healthy, seconds':34}{HEAD}{'load':>9}   (a check every {result['every']:.0f} s)"]
    for row in result["rows"]:
        if "missing" in row:
            lines.append(f"{row['who']:34}   not measured: {row['missing']}")
            continue
        never = f"   never: {row['lost']}" if row["lost"] else ""
        lines.append(f"{row['who']:34}{line(row['to_healthy'])}{row['load']:>9.1f}{never}")
        for flaw in row.get("incomplete", ()):
            lines.append(f"    not counted, {flaw['incident']}: {', '.join(flaw['missing'])}")
    for row in result["rows"]:
        for name, found in row.get("stages", {}).items():
            lines.append(f"  {name:32}{line(found, 3)}")
    return "\n".join(lines)
