"""`forewatch detect`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forewatch.commands.bars import bar
from forewatch.commands.common import out
from forewatch.errors import ForewatchError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from forewatch.trials.files.anomaly_scores import Scored


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""

    @app.command()
    def detect(
        target: Annotated[
            Path, typer.Option("--out", help="Where to write the scores: a file, or a folder with --folder.")
        ],
        csv: Annotated[Path | None, typer.Option(help="A series: columns timestamp and value.")] = None,
        folder: Annotated[Path | None, typer.Option(help="A folder tree of such files.")] = None,
        warmup: Annotated[
            int | None,
            typer.Option(min=0, help="Rows to learn from first; default: two days or 750 rows, whichever is less."),
        ] = None,
        form: Annotated[
            Literal["exact", "compact"], typer.Option(help="compact: with the coarser ranks the product keeps.")
        ] = "exact",
        false_alarms: Annotated[
            float,
            typer.Option(
                min=0.001,
                max=1000,
                help="False alarms a month: the threshold that is printed and plotted. Changes no score.",
            ),
        ] = 1.0,
        png: Annotated[Path | None, typer.Option(help="Draw the series, what was expected and the anomalies.")] = None,
        jobs: Annotated[int | None, typer.Option(min=1, help="Processes; default: one per CPU.")] = None,
    ) -> None:
        """Score each row of a series, 0 to 1, by how unusual it is given the rows before it."""
        if (csv is None) == (folder is None):
            raise ForewatchError("name either --csv FILE or --folder FOLDER")
        if folder is not None:
            if png is not None:
                raise ForewatchError("--png draws one series: give it --csv, not --folder")
            _folder(folder, target, warmup, form == "compact", jobs)
        elif csv is not None:
            _file(csv, target, warmup, form == "compact", false_alarms, png)


def _file(source: Path, target: Path, warmup: int | None, compact: bool, false_alarms: float, png: Path | None) -> None:
    # Loads numpy, which no other command should wait for.
    from forewatch.trials.files.anomaly_scores import detect_file

    if source.exists() and target.exists() and source.samefile(target):
        raise ForewatchError(f"{target}: is the series itself: write the scores somewhere else")
    scored = detect_file(source, target, warmup=warmup, compact=compact)
    _note(scored.rows.notes)
    threshold = scored.detector.threshold(false_alarms)
    high = scored.score >= threshold
    count = len(scored.rows)
    out.print(
        f"{target}: {count:,} row{'' if count == 1 else 's'}, {int(high.sum()):,} of them at or above {threshold:.3f} "
        f"(about {false_alarms:g} false alarm{'' if false_alarms == 1 else 's'} a month).",
        markup=False,
    )
    learned, needed = scored.detector.seen, scored.detector.warmup
    if learned <= needed:
        out.print(
            f"None of them is judged: {learned:,} could be learned from, and the first {needed:,} of these are the "
            "warm-up (--warmup).",
            markup=False,
        )
    if png is not None:
        _draw(png, source.name, scored, high)


def _folder(source: Path, target: Path, warmup: int | None, compact: bool, jobs: int | None) -> None:
    from forewatch.trials.files.anomaly_scores import detect_folder, files_of

    names = files_of(source, target)
    failed = rows = 0
    for done in bar(
        detect_folder(source, target, names, warmup=warmup, compact=compact, jobs=jobs), len(names), "Scoring"
    ):
        _note([done.error] if done.error else done.notes)
        failed += bool(done.error)
        rows += done.rows
    out.print(f"{target}: {len(names) - failed:,} series, {rows:,} rows.", markup=False)
    if failed:
        print(f"forewatch: {failed} of {len(names)} files could not be scored", file=sys.stderr)
        sys.exit(1)


def _note(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        print(sentence, file=sys.stderr)


def _draw(path: Path, title: str, scored: Scored, high: NDArray[np.bool_]) -> None:
    from forewatch.trials.files.plot import Picture, draw

    rows = scored.rows
    picture = Picture(
        title,
        at=rows.at,
        values=rows.values,
        expected=scored.expected,
        lower=scored.lower,
        upper=scored.upper,
        anomalies=high,
    )
    draw(path, picture)
