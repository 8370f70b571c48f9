"""`forewatch runbooks ...`, `forewatch stop-automation`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from forewatch import registry
from forewatch.bell import ring
from forewatch.commands.common import HomeOption, opened, out, person, table
from forewatch.deciding import decide
from forewatch.errors import ActionRefused, ForewatchError, NotFound
from forewatch.incidents.events import RunRequested
from forewatch.incidents.outcome import PutRun
from forewatch.remedy.run import UNDER_WAY
from forewatch.runs.automation import turn_automation
from forewatch.runs.form_check import RunbookCheck
from forewatch.runtime import Runtime
from forewatch.store import runs
from forewatch.units import format_duration

WAIT = 120.0
"""Seconds `runbooks run` waits for the run to end before it leaves it to go on alone."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Runbooks as code.", no_args_is_help=True)
    app.add_typer(group, name="runbooks")

    @group.command("list")
    def listing(home: HomeOption = None) -> None:
        """Every runbook, and the files that do not load."""
        about, problems = RunbookCheck().about(_folders(home))
        table(
            ("RUNBOOK", "WHAT IT DOES"),
            ((name, description.partition("\n\n")[0]) for name, description in about.items()),
            "There are no runbooks.",
        )
        for problem in problems:
            print(problem, file=sys.stderr)

    @group.command()
    def show(name: str, home: HomeOption = None) -> None:
        """A runbook's parameters and steps."""
        found = _discover(home).runbooks
        if name not in found:
            raise NotFound(f"there is no runbook {name} (there are: {', '.join(found)})")
        _show(found[name])

    @group.command()
    def run(
        name: str,
        inputs: Annotated[
            list[str] | None, typer.Option("--with", "-w", help="NAME=VALUE; the value may be JSON.")
        ] = None,
        service: Annotated[
            str | None,
            typer.Option(help="The service it is for; what --with leaves out comes from `with:` of its remedy."),
        ] = None,
        incident: Annotated[
            str | None, typer.Option(help="The incident it belongs to; default the service's oldest open one.")
        ] = None,
        wait: Annotated[bool, typer.Option(help="Wait until it ends, and print the outcome.")] = True,
        home: HomeOption = None,
    ) -> None:
        """Start a runbook, as the Prefect UI would."""
        found = _discover(home).runbooks
        if name not in found:
            raise NotFound(f"there is no runbook {name} (there are: {', '.join(found)})")
        given = _inputs_of_remedy(home, service, name) | _inputs(inputs or ())
        if problems := found[name].problems_with(given):
            raise ActionRefused(
                f"{name} cannot run with these inputs: {'; '.join(problems)} (see: forewatch runbooks show {name})"
            )
        with opened(home) as runtime:
            event = RunRequested(name, given, person(), runtime.clock.now(), service, incident)
            config = runtime.configuration.current()
            outcome = decide(runtime.store, event, config=config, now=runtime.clock.now)
            run_id = next(change.run.id for change in outcome.changes if isinstance(change, PutRun))
            ring(runtime.home, "worker")
            out.print(f"{run_id} is queued.")
            if wait:
                _wait(runtime, run_id)

    @app.command("stop-automation")
    def stop_automation(
        resume: Annotated[bool, typer.Option("--resume", help="Let remedies act again.")] = False,
        reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
        home: HomeOption = None,
    ) -> None:
        """Stop every remedy at its next step; people are still paged. `--resume` lets them act again."""
        with opened(home) as runtime:
            turn_automation(runtime, "on" if resume else "off", actor=person(), reason=reason)
        out.print("Automation may act again." if resume else "Automation is stopped; people are still paged.")


def _discover(home: Path | None) -> Any:
    return registry.load("runbooks")(_folders(home))


def _folders(home: Path | None) -> Sequence[str]:
    try:
        with opened(home) as runtime:
            return runtime.configuration.current()[1].runbook_folders
    except ForewatchError:
        # Without a started Forewatch there are still the runbooks that come with it.
        return ()


def _show(runbook: Any) -> None:
    out.print(f"{runbook.name}: {runbook.title}, within {format_duration(runbook.timeout)}", markup=False)
    out.print(runbook.description, markup=False)
    out.print()
    required = runbook.parameters.get("required", ())
    table(
        ("PARAMETER", "TYPE", "DEFAULT", "MEANING"),
        (
            (name, _type(form), "(required)" if name in required else _default(form), form.get("description", ""))
            for name, form in runbook.parameters["properties"].items()
        ),
        "It takes no parameters.",
    )
    out.print()
    table(
        ("STEP", "KIND", "WITHIN", "WHAT IT DOES"),
        (
            (step.options.name, step.options.kind, format_duration(step.options.timeout), step.description)
            for step in runbook.steps
        ),
        "It has no steps.",
    )


def _type(form: dict[str, Any]) -> str:
    """A parameter's type in a word or two, from its JSON schema."""
    if "enum" in form:
        return " | ".join(map(str, form["enum"]))
    if "anyOf" in form:
        return " or ".join(_type(one) for one in form["anyOf"] if one.get("type") != "null")
    if form.get("type") == "array":
        return f"list of {_type(form.get('items', {}))}"
    return str(form.get("type", "anything"))


def _default(form: dict[str, Any]) -> str:
    value = form.get("default")
    return "" if value is None else json.dumps(value)


def _inputs_of_remedy(home: Path | None, service: str | None, runbook: str) -> dict[str, Any]:
    """The `with:` of a service's own remedy with this runbook, the first of several; nothing where it has none."""
    if service is None:
        return {}
    with opened(home) as runtime:
        _, config = runtime.configuration.current()
    found = config.service(service)
    remedies = found.remedies if found is not None else ()
    return next((dict(remedy.inputs) for remedy in remedies if remedy.runbook == runbook), {})


def _inputs(written: Sequence[str]) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    for pair in written:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ActionRefused(f"--with {pair}: write NAME=VALUE")
        try:
            inputs[name] = json.loads(value)
        except ValueError:
            inputs[name] = value
    return inputs


def _wait(runtime: Runtime, run_id: str) -> None:
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        with runtime.store.read() as conn:
            run = runs.get(conn, run_id)
        if run is not None and run.state not in UNDER_WAY:
            outcome = run.outcome or ""
            # The outcome of a run that did not get through is a sentence about it already.
            out.print(outcome if outcome.startswith(run_id) else f"{run_id} is {run.state}: {outcome}", markup=False)
            if run.state != "done":
                sys.exit(1)
            return
        time.sleep(0.2)
    out.print(f"{run_id} is still under way; see: forewatch why {run_id}")
