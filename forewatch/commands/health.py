"""`forewatch status`, `forewatch doctor`."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from forewatch import __version__
from forewatch.clock import SystemClock, seconds
from forewatch.commands.common import (
    HomeOption,
    home_of,
    incidents_table,
    local,
    looked_at,
    out,
    settings_of,
    started_home,
    table,
)
from forewatch.home import Home
from forewatch.orchestration.readiness import judge
from forewatch.store import glance

AUTOMATION = "automation"
MOST_CHECKS = 50
"""Of more checks `status` lists those that are not up; `--json` has all."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""

    @app.command()
    def status(
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False, home: HomeOption = None
    ) -> None:
        """Whether Forewatch and what it watches are up; exit 1 unless all of Forewatch is."""
        found = read_status(started_home(home))
        if as_json:
            out.print_json(json.dumps(found))
        else:
            _print(found)
        if not found["ready"]:
            sys.exit(1)

    @app.command()
    def doctor(home: HomeOption = None) -> None:
        """Examine the installation: versions, ports, stores, Prefect, clock, permissions, notifiers, sources."""
        # Imported here: httpx need not stay in the memory of `forewatch up`, which is this same program.
        from forewatch.commands.doctor import examine

        findings = examine(home_of(home))
        table(
            ("", "WHAT", "FOUND"),
            ((found.mark, found.what, found.text) for found in findings),
            "Nothing to examine.",
        )
        if not all(found.ok for found in findings):
            sys.exit(1)


def read_status(home: Home) -> dict[str, Any]:
    """Everything `status` shows, as plain JSON. Instants in microseconds UTC. Raises what opening the store raises."""
    now = SystemClock().now()
    with looked_at(home, home.decisions_db) as conn:
        settings = settings_of(home)
        shifts, parts = glance.shifts(conn), glance.parts(conn)
        readiness = judge(shifts, parts, home.root, now)
        oldest = glance.oldest_due(conn, now)
        found: dict[str, Any] = {
            "version": __version__,
            "ready": readiness.ready,
            "problems": list(readiness.problems),
            "url": settings.url,
            "prefect_url": settings.prefect_url,
            "config": {"file": settings.config, "version": glance.configuration_version(conn)},
            "remedies_off": glance.remedies_off(conn),
            "automation": "on" if glance.is_on(conn, AUTOMATION) else "stopped",
            "shifts": [
                {"shift": row.shift, "term": row.term, "holder": row.holder, "beat_age": seconds(now - row.beat_at)}
                for row in shifts
            ],
            "components": [
                {"name": part.name, "state": part.state, "reason": part.reason, "since": part.since} for part in parts
            ],
            "incidents": glance.incidents(conn, open_only=True, limit=100),
            "alerts_firing": glance.alerts_firing(conn),
            "runs_under_way": glance.runs_under_way(conn),
            "oldest_due_notification": seconds(now - oldest) if oldest is not None else 0.0,
        }
    with looked_at(home, home.metrics_db) as conn:
        found["checks"] = glance.checks(conn)
    return found


def _print(found: dict[str, Any]) -> None:
    problems = "; ".join(found["problems"])
    out.print("All systems are up." if found["ready"] else f"Not everything is up: {problems}", markup=False)
    for part in found["components"]:
        # Readiness has named the others.
        if part["state"] != "ok" and part["name"] not in ("prefect", "worker", "link"):
            out.print(f"{part['name']}: {part['reason']}", markup=False)
    out.print(f"Configuration version {found['config']['version']}, automation {found['automation']}.", markup=False)
    for one in found["remedies_off"]:
        out.print(f"The remedy {one['name']} of {one['service']} is off: {one['reason']}", markup=False)
    out.print()
    table(
        ("SHIFT", "TERM", "HOLDER", "LAST BEAT"),
        ((row["shift"], row["term"], row["holder"], f"{row['beat_age']:.1f}s ago") for row in found["shifts"]),
        "No shift has begun.",
    )
    out.print()
    _print_checks(found["checks"])
    out.print()
    incidents_table(found["incidents"], "No open incidents.")


def _print_checks(checks: list[dict[str, Any]]) -> None:
    shown = checks
    if len(checks) > MOST_CHECKS:
        shown = [row for row in checks if row["status"] != "up"]
        out.print(f"{len(checks) - len(shown):,} of {len(checks):,} checks are up.", markup=False)
        if not shown:
            return
    table(
        ("SERVICE", "CHECK", "INSTANCE", "STATUS", "SINCE", "REASON"),
        (
            (row["service"], row["check"], row["instance"], row["status"], local(row["since"]), row["reason"])
            for row in shown
        ),
        "No checks have run.",
    )
