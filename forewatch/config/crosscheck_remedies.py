"""What is wrong with remedies. None of it keeps the rest of a configuration from coming into force."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from forewatch.config.models import Config, Remedy
from forewatch.config.references import bad_matchers, dangling, secrets_below
from forewatch.config.spots import Problem, Spot

Way = tuple[str | int, ...]
Place = tuple[int, int]
"""Of a remedy: the service's and its own number, as they are written."""
Bound = tuple[Place, Remedy, Spot]
"""A remedy, with where it stands."""
Asked = tuple[str, Mapping[str, Any]]
"""A remedy's runbook and inputs."""


class Verdicts(NamedTuple):
    """What is wrong, by the runbooks themselves."""

    of: Sequence[Sequence[tuple[Way, str]]]
    """Of each remedy that was asked about: where below it, and what."""
    problems: Sequence[str]
    """With runbook files that none of those remedies needs, one sentence each."""
    trouble: str | None = None
    """Why nothing could be found out; the others are empty then."""


RunbookJudge = Callable[[Sequence[str], Sequence[Asked]], Verdicts]
"""What knows the runbooks in some folders (absolute) beside those that come with Forewatch."""


def check_remedies(
    config: Config, top: Spot, known_runbooks: Collection[str] | None, skip: Collection[Place]
) -> dict[Place, list[Problem]]:
    """What is wrong with each remedy by the configuration alone. `known_runbooks` None leaves the names unchecked."""
    found = {}
    for place, remedy, spot in remedies(config, top):
        if place not in skip and (problems := list(_wrong(remedy, spot, known_runbooks))):
            found[place] = problems
    return found


def judge_inputs(
    config: Config, top: Spot, judge: RunbookJudge, skip: Collection[Place]
) -> tuple[dict[Place, list[Problem]], list[Problem]]:
    """What is wrong with each remedy by its runbook, and with runbooks that none of them needs."""
    bound = [(place, remedy, spot) for place, remedy, spot in remedies(config, top) if place not in skip]
    verdicts = judge(config.runbook_folders, [(remedy.runbook, remedy.inputs) for _, remedy, _ in bound])
    if verdicts.trouble is not None:
        return {}, [top.warning(f"the inputs of remedies could not be checked: {verdicts.trouble}")]
    found = {
        place: [spot.at(*way).problem(_at(way, spot, what)) for way, what in wrong]
        for (place, _, spot), wrong in zip(bound, verdicts.of, strict=True)
        if wrong
    }
    folders = top.at("runbook_folders")

    def spot_of(file: str) -> Spot:
        named = (folders.at(i) for i, folder in enumerate(config.runbook_folders) if file.startswith(folder))
        return next(named, folders)

    return found, [spot_of(what).problem(what) for what in verdicts.problems]


def remedies(config: Config, top: Spot) -> Iterator[Bound]:
    """Every remedy, in order."""
    for number, service in enumerate(config.services):
        spot = top.at("services", number, "remedies")
        for i, remedy in enumerate(service.remedies):
            yield (number, i), remedy, spot.at(i)


def _at(way: Way, spot: Spot, what: str) -> str:
    """`what` with the part of its way that does not stand in the file: a parameter that is missing, say."""
    depth = 0
    for step in way:
        if step not in spot.children:
            break
        spot, depth = spot.children[step], depth + 1
    left = ".".join(map(str, way[depth:]))
    if not left:
        return what
    return f"{left} {what}" if what.startswith("is ") else f"{left}: {what}"


def _wrong(remedy: Remedy, place: Spot, known_runbooks: Collection[str] | None) -> Iterator[Problem]:
    yield from bad_matchers(remedy.on, place.at("on"))
    if known_runbooks is not None:
        yield from dangling("runbook", remedy.runbook, place.at("runbook"), {n: n for n in known_runbooks})
    if remedy.autonomy == "approve":
        yield place.at("autonomy").problem(
            "approve does not exist yet; use shadow (only says what it would do) or auto (acts on its own)"
        )
    if secrets_below(place, "with", expanded=True):
        yield place.at("with").problem(
            "a runbook's inputs are stored and shown as plain text, so neither a secret nor a ${VARIABLE} may "
            "stand here; let the runbook read it"
        )
