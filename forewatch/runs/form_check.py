"""Asking whether the inputs of remedies fit their runbooks' forms, without loading any runbook here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from forewatch.config.crosscheck_remedies import Asked, Verdicts
from forewatch.config.files import fingerprint_of
from forewatch.config.runbook_names import files_of
from forewatch.errors import RunbookError
from forewatch.runs.form_process import WITH_PREFECT

TIMEOUT = 30.0
"""Seconds one look at the runbooks may take: a second, with Prefect five, much longer on a busy machine. `forewatch up`
waits for it, so a file that never ends must not keep the watch from beginning."""
_LAST_WORDS = 200


class RunbookCheck:
    """Judges remedies by the runbooks as they are on the disk. The same question about the same files is asked once.

    `environment`: of the process that loads them; default this one's.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = environment
        self._known: tuple[str, Verdicts] | None = None

    def __call__(self, folders: Sequence[str], asked: Sequence[Asked]) -> Verdicts:
        """What is wrong with each of `asked`; see `Verdicts`. Never raises: that they could not be judged is said."""
        if not asked and not folders:
            return Verdicts([], [])
        question = json.dumps({"folders": list(folders), "asked": asked})
        key = question + _digest(folders)
        if self._known is None or self._known[0] != key:
            found = self._ask(question)
            if found.problems or any(way == ("runbook",) for verdict in found.of for way, _ in verdict):
                # It looked broken where much is only stood in for: the real thing decides.
                found = self._ask(question, WITH_PREFECT)
            if found.trouble is not None:
                return found
            self._known = key, found
        return self._known[1]

    def about(self, folders: Sequence[str]) -> tuple[dict[str, str], list[str]]:
        """What each runbook does, by name, and what is wrong with files, one sentence each.

        Raises RunbookError where they cannot be looked at.
        """
        question = json.dumps({"folders": list(folders), "asked": []})
        answer = self._answer(question)
        if isinstance(answer, dict) and answer["problems"]:
            answer = self._answer(question, WITH_PREFECT)
        if isinstance(answer, str):
            raise RunbookError(answer)
        return answer["about"], answer["problems"]

    def _ask(self, question: str, *options: str) -> Verdicts:
        answer = self._answer(question, *options)
        if isinstance(answer, str):
            return Verdicts([], [], answer)
        of = [[(tuple(way), what) for way, what in verdict] for verdict in answer["verdicts"]]
        return Verdicts(of, answer["problems"])

    def _answer(self, question: str, *options: str) -> dict[str, Any] | str:
        """What the process says, or a sentence on why it says nothing."""
        try:
            done = subprocess.run(
                [sys.executable, "-m", "forewatch.runs.form_process", *options],
                input=question,
                capture_output=True,
                text=True,
                env=self._environment,
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"the runbooks were not loaded within {TIMEOUT:.0f} s"
        except OSError as error:
            return f"no process could be started to load the runbooks: {error.strerror}"
        if done.returncode != 0:
            last = done.stderr.strip().rpartition("\n")[2][:_LAST_WORDS]
            return f"loading the runbooks ended with exit code {done.returncode}: {last}"
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


def _digest(folders: Sequence[str]) -> str:
    return "".join(fingerprint_of(str(path)) for folder in folders for path in files_of(Path(folder)))
