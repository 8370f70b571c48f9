"""What cross-checks are made of: names that are there or not, texts that can be read, places of secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from forewatch.alerting.matchers import parse_matchers
from forewatch.config.base import Matchers
from forewatch.config.problems import near
from forewatch.config.spots import Problem, Spot


def twice(noun: str, named: Sequence[tuple[object, Spot]], more: str = "") -> Iterator[Problem]:
    """A problem at each name that stands there already."""
    seen: dict[object, Spot] = {}
    for name, spot in named:
        first = seen.setdefault(name, spot)
        if first is not spot:
            where = f"{first.file}:{first.line}"
            yield spot.problem(f"there is a {noun} {spot.quote()} already, in {where}{more}")


def dangling(noun: str, name: str, spot: Spot, known: Mapping[str, str | Spot]) -> Iterator[Problem]:
    """A problem where there is no such name. `known`: each name there is, with where or how it is written."""
    if name not in known:
        written = spot.quote()
        there = (one.quote() if isinstance(one, Spot) else one for one in known.values())
        yield spot.problem(f"there is no {noun} {written}{near(written, there)}")


def bad_matchers(matchers: Matchers, spot: Spot) -> Iterator[Problem]:
    """A problem at each text that is no matcher."""
    if isinstance(matchers, dict):
        return  # equality only: nothing to parse
    for index, text in enumerate(matchers):
        place = spot.at(index)
        try:
            parse_matchers([text])
        except ValueError as error:
            yield place.problem(f"{place.quote()} is not a matcher" if place.expanded else f"not a matcher: {error}")


def secrets_below(parent: Spot, key: str | int, *, expanded: bool = False) -> list[Spot]:
    """Every `!secret` at or below a key; with `expanded`, every `${VARIABLE}` too, which may be one."""
    found, left = [], [parent.children[key]] if key in parent.children else []
    while left:
        spot = left.pop()
        if spot.secret or (expanded and spot.expanded and "${" in (spot.text or "")):
            found.append(spot)
        left += spot.children.values()
    return found


def prefect_secrets(parent: Spot, key: str | int, why: str) -> Iterator[Problem]:
    """A problem at each `!secret prefect:` at or below a key."""
    for place in secrets_below(parent, key):
        if (place.text or "").startswith("prefect:"):
            yield place.problem(f"prefect: secrets are not for {why}")
