"""`forewatch causes`: which service most likely caused an incident, and what speaks for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from forewatch.commands.common import HomeOption, opened, out, table
from forewatch.errors import ForewatchError
from forewatch.guard.safe_files import whole
from forewatch.incidents.causes.ranking import Ranking

SHOWN = 5
"""Causes printed unless asked for more."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""

    @app.command()
    def causes(
        incident: Annotated[str | None, typer.Argument(help="INC-n", show_default=False)] = None,
        case: Annotated[
            Path | None,
            typer.Option(help="Rank a recorded incident instead: a folder with metrics.csv and alarm.json."),
        ] = None,
        cases: Annotated[Path | None, typer.Option(help="Every such folder below this one; needs --out.")] = None,
        to: Annotated[Path | None, typer.Option("--out", help="Write the rankings of all cases here, as JSON.")] = None,
        baseline: Annotated[
            str | None, typer.Option(help="The scenario whose normal period stands in where a case has none.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print all causes as JSON.")] = False,
        limit: Annotated[int, typer.Option(min=1, help="How many causes to print.")] = SHOWN,
        home: HomeOption = None,
    ) -> None:
        """Which services most likely caused an incident, best first, with the evidence for each."""
        if sum(one is not None for one in (incident, case, cases)) != 1:
            raise ForewatchError("name one of: an incident (INC-n), --case DIR, --cases ROOT")
        if (cases is None) != (to is None):
            raise ForewatchError("--cases ROOT and --out FILE go together")
        if baseline is not None and incident is not None:
            raise ForewatchError("--baseline is for --case and --cases; an incident is ranked against its own past")
        if cases is not None and to is not None:
            _rank_all(cases, to, baseline)
            return
        ranking = _of_case(case, baseline) if case is not None else _of_incident(str(incident), home)
        if as_json:
            print(json.dumps({"ranking": _ranked(ranking)}, indent=2))
            return
        _show(ranking, limit)


def _of_incident(incident: str, home: Path | None) -> Ranking:
    from forewatch.reports.causes import causes_of

    with opened(home) as runtime:
        return causes_of(runtime, incident)


def _of_case(folder: Path, baseline: str | None) -> Ranking:
    from forewatch.trials.files.incident_cases import Case, Reader

    return Reader(baseline).rank(Case.at(folder))


def _rank_all(root: Path, to: Path, baseline: str | None) -> None:
    from forewatch.trials.files.incident_cases import Case, Reader, cases_below

    reader = Reader(baseline, root)
    found: dict[str, list[dict[str, Any]]] = {}
    problems: list[str] = []
    for name, folder in cases_below(root):
        try:
            found[name] = _ranked(reader.rank(Case.at(folder)))
        except ForewatchError as error:
            problems.append(str(error))
    if not found:
        raise ForewatchError(problems[0])
    try:
        with whole(to) as part:
            part.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise ForewatchError(f"{to} cannot be written: {error.strerror or error}") from error
    out.print(f"{len(found)} cases ranked in {to}.", markup=False)
    if problems:
        raise ForewatchError(f"{len(problems)} could not be ranked: " + "; ".join(problems))


def _ranked(ranking: Ranking) -> list[dict[str, Any]]:
    return [{"service": one.service, "score": one.score, "evidence": one.evidence} for one in ranking.causes]


def _show(ranking: Ranking, limit: int) -> None:
    table(
        ("SCORE", "SERVICE", "EVIDENCE"),
        ((f"{one.score:.2f}", one.service, one.evidence) for one in ranking.causes[:limit]),
        "No causes to name.",
    )
    if ranking.note:
        out.print(f"\n{ranking.note[0].upper()}{ranking.note[1:]}.", markup=False)
