"""Matchers that are hardly meant so: severities nobody has, conditions that contradict each other, and texts that only
Alertmanager's classic parser takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import get_args

from forewatch.alerting.matchers import Matcher, parse_matchers, remark
from forewatch.config.base import Matchers, Severity
from forewatch.config.crosscheck_alerts import all_routes
from forewatch.config.crosscheck_remedies import Bound
from forewatch.config.models import Config, Route
from forewatch.config.problems import near
from forewatch.config.spots import Problem, Spot

SEVERITIES = get_args(Severity)
_SEVERITY = "severity"

Placed = tuple[Matcher, Spot]


def unknown_severities(config: Config, top: Spot) -> Iterator[Problem]:
    """A problem at each severity of a route or an inhibition that no alert has. Senders may have others than ours."""
    if config.sources:
        return
    for place, written in _strange_severities(config, top):
        hint = near(written, SEVERITIES) or f" (there are {', '.join(SEVERITIES)})"
        yield place.problem(f"there is no severity {written}{hint}")


def doubtful_severities(config: Config, top: Spot) -> Iterator[Problem]:
    """A warning at each that a sender may have, and that looks like one of ours misspelled."""
    if config.sources:
        for place, written in _strange_severities(config, top):
            if hint := near(written, SEVERITIES):
                yield place.warning(f"no alert of Forewatch's own has the severity {written}{hint}")


def _strange_severities(config: Config, top: Spot) -> Iterator[tuple[Spot, str]]:
    lists = [(route.match, spot.at("match")) for route, spot in all_routes(config.routes, top.at("routes"))]
    for index, inhibition in enumerate(config.inhibitions):
        lists.append((inhibition.source, top.at("inhibitions", index, "source")))
        lists.append((inhibition.target, top.at("inhibitions", index, "target")))
    for matchers, spot in lists:
        for matcher, place in _placed(matchers, spot):
            if matcher.name == _SEVERITY and matcher.operator == "=" and matcher.value not in ("", *SEVERITIES):
                yield place, place.quote() if place.expanded else matcher.value


def contradictions(config: Config, top: Spot, bound: Iterable[Bound]) -> Iterator[Problem]:
    """A warning at each list of matchers of which no alert, and no series, can match all."""
    yield from _of_routes(config.routes, top.at("routes"), [])
    for index, inhibition in enumerate(config.inhibitions):
        yield from _never(_placed(inhibition.source, top.at("inhibitions", index, "source")))
        yield from _never(_placed(inhibition.target, top.at("inhibitions", index, "target")))
    for (number, _), remedy, spot in bound:
        service = top.at("services", number, "name")
        yield from _never(
            [(Matcher("service", "=", config.services[number].name), service), *_placed(remedy.on, spot.at("on"))]
        )
    for index, rule in enumerate(config.rules):
        yield from _never(_placed(rule.match, top.at("rules", index, "match")))
    for index, capacity in enumerate(config.capacities):
        yield from _never(_placed(capacity.match, top.at("capacities", index, "match")))


def read_classically(config: Config, top: Spot, bound: Iterable[Bound]) -> Iterator[Problem]:
    """A warning at each text that Alertmanager's two parsers do not read alike, with one that they do."""
    lists = [(route.match, spot.at("match")) for route, spot in all_routes(config.routes, top.at("routes"))]
    for index, inhibition in enumerate(config.inhibitions):
        lists.append((inhibition.source, top.at("inhibitions", index, "source")))
        lists.append((inhibition.target, top.at("inhibitions", index, "target")))
    lists += [(remedy.on, spot.at("on")) for _, remedy, spot in bound]
    lists += [(rule.match, top.at("rules", index, "match")) for index, rule in enumerate(config.rules)]
    lists += [(one.match, top.at("capacities", index, "match")) for index, one in enumerate(config.capacities)]
    for matchers, spot in lists:
        for index, text in enumerate(() if isinstance(matchers, dict) else matchers):
            place = spot.at(index)
            if said := remark(text):
                yield place.warning(
                    f"{place.quote()} is read by Alertmanager's classic parser" if place.expanded else said
                )


def _of_routes(routes: Sequence[Route], spot: Spot, above: list[Placed]) -> Iterator[Problem]:
    """An alert reaches a route only through the ones above it."""
    for index, route in enumerate(routes):
        place = spot.at(index)
        own = [*above, *_placed(route.match, place.at("match"))]
        found = list(_never(own))
        yield from found
        if not found:  # what stands below would only say it again
            yield from _of_routes(route.routes, place.at("routes"), own)


def _placed(matchers: Matchers, spot: Spot) -> list[Placed]:
    """Each matcher with its place; none of a text that is no matcher, which is said elsewhere."""
    if isinstance(matchers, dict):
        return [(Matcher(name, "=", value), spot.at(name)) for name, value in matchers.items()]
    found = []
    for index, text in enumerate(matchers):
        try:
            found += [(one, spot.at(index)) for one in parse_matchers([text])]
        except ValueError:
            continue
    return found


def _never(placed: Sequence[Placed]) -> Iterator[Problem]:
    """The first condition that a value asked for by another one cannot fulfil."""
    wanted = {matcher.name: matcher for matcher, _ in reversed(placed) if matcher.operator == "="}
    for matcher, place in placed:
        value = wanted.get(matcher.name)
        if value is None or matcher is value or matcher.matches({value.name: value.value}):
            continue
        if place.expanded:
            yield place.warning(f"{place.quote()} contradicts another condition here, so this never matches")
        else:
            yield place.warning(f"{matcher} contradicts {value}, so this never matches")
        return
