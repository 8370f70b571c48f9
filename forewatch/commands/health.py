"""`forewatch status`, `forewatch doctor`."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from forewatch import __version__
from forewatch.clock import seconds
from forewatch.commands.common import HomeOption, home_of, local, opened, out, settings_of, table
from forewatch.orchestration.readiness import assess
from forewatch.runtime import Runtime
from forewatch.store import alerts, check_states, components, config_versions, incidents, outbox, runs, shifts, switches


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""

    @app.command()
    def status(
        as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False, home: HomeOption = None
    ) -> None:
        """How Forewatch and what it watches are; exit 1 unless everything stands."""
        with opened(home) as runtime:
            found = read_status(runtime)
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
        from forewatch.doctor import examine

        findings = examine(home_of(home))
        table(
            ("", "WHAT", "FOUND"),
            ((found.mark, found.what, found.text) for found in findings),
            "Nothing to examine.",
        )
        if not all(found.ok for found in findings):
            sys.exit(1)


def read_status(runtime: Runtime) -> dict[str, Any]:
    """Everything `status` tells, as plain JSON. Instants in microseconds UTC."""
    now = runtime.clock.now()
    settings = settings_of(runtime)
    readiness = assess(runtime)
    with runtime.store.read() as conn:
        stopped = switches.get(conn, switches.AUTOMATION)
        oldest = outbox.oldest_due(conn, now)
        version = config_versions.newest(conn)
        found: dict[str, Any] = {
            "version": __version__,
            "ready": readiness.ready,
            "problems": list(readiness.problems),
            "url": settings.url,
            "prefect_url": settings.prefect_url,
            "config": {"file": settings.config, "version": version.version if version else None},
            "automation": "stopped" if stopped is not None and stopped.state == "off" else "on",
            "shifts": [
                {"shift": row.shift, "term": row.term, "holder": row.holder, "beat_age": seconds(now - row.beat_at)}
                for row in shifts.listing(conn)
            ],
            "components": [
                {"name": part.name, "state": part.state, "reason": part.reason, "since": part.since}
                for part in components.listing(conn)
            ],
            "incidents": [
                {
                    "id": one.id,
                    "status": one.status,
                    "severity": one.severity,
                    "service": one.service,
                    "title": one.title,
                    "opened_at": one.opened_at,
                }
                for one in incidents.listing(conn, open_only=True, limit=100)
            ],
            "alerts_firing": len(alerts.all_firing(conn)),
            "runs_under_way": len(runs.under_way(conn)),
            "oldest_due_notification": seconds(now - oldest) if oldest is not None else 0.0,
        }
    with runtime.store.read_metrics() as conn:
        found["checks"] = [
            {
                "service": state.service,
                "check": state.check,
                "instance": state.instance,
                "status": state.status,
                "since": state.since,
                "reason": state.reason,
            }
            for state in check_states.get_all(conn)
        ]
    return found


def _print(found: dict[str, Any]) -> None:
    out.print("All stands." if found["ready"] else "Not all stands: " + "; ".join(found["problems"]), markup=False)
    for part in found["components"]:
        # Readiness has spoken of the others.
        if part["state"] != "ok" and part["name"] not in ("prefect", "worker"):
            out.print(f"{part['name']}: {part['reason']}", markup=False)
    out.print(f"Configuration version {found['config']['version']}, automation {found['automation']}.", markup=False)
    out.print()
    table(
        ("SHIFT", "TERM", "HOLDER", "LAST BEAT"),
        ((row["shift"], row["term"], row["holder"], f"{row['beat_age']:.1f}s ago") for row in found["shifts"]),
        "No shift has begun.",
    )
    out.print()
    table(
        ("SERVICE", "CHECK", "INSTANCE", "STATUS", "SINCE", "REASON"),
        (
            (row["service"], row["check"], row["instance"], row["status"], local(row["since"]), row["reason"])
            for row in found["checks"]
        ),
        "No checks have run.",
    )
    out.print()
    table(
        ("INCIDENT", "STATUS", "SEVERITY", "SERVICE", "TITLE"),
        ((row["id"], row["status"], row["severity"], row["service"], row["title"]) for row in found["incidents"]),
        "No open incidents.",
    )
