"""Cross-checks of the way alerts take: the sources they come from, inhibitions, times, routes, notifiers."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from forewatch.alerting import times
from forewatch.alerting.grouping import ALL_LABELS
from forewatch.config.crosscheck_templates import bad_templates
from forewatch.config.defaults import DEFAULT_NOTIFIER, IMPLICIT_SERVICES
from forewatch.config.models import Config, Route
from forewatch.config.references import bad_matchers, dangling, prefect_secrets, twice
from forewatch.config.secrets import Secret
from forewatch.config.spots import Problem, Spot


def check_alerts(config: Config, top: Spot) -> Iterator[Problem]:
    """Every problem found; `top` is the spot of the configuration."""
    yield from _sources(config, top)
    yield from _times(config, top)
    for index, inhibition in enumerate(config.inhibitions):
        yield from bad_matchers(inhibition.source, top.at("inhibitions", index, "source"))
        yield from bad_matchers(inhibition.target, top.at("inhibitions", index, "target"))
    yield from _telling(config, top)


def _sources(config: Config, top: Spot) -> Iterator[Problem]:
    spots = [top.at("sources", index) for index in range(len(config.sources))]
    yield from twice("source", [(each.name, spot.at("name")) for each, spot in zip(config.sources, spots, strict=True)])
    services: dict[str, str | Spot] = {name: name for name in IMPLICIT_SERVICES}
    services |= {each.name: top.at("services", i, "name") for i, each in enumerate(config.services)}
    tokens: dict[tuple[str, str | Secret], Spot] = {}
    for index, (source, spot) in enumerate(zip(config.sources, spots, strict=True)):
        yield from dangling("service", source.default_service, spot.at("default_service"), services)
        yield from bad_templates(source, spot)
        yield from prefect_secrets(
            top.at("sources"), index, "sources, since an alert must get in even where Prefect is down"
        )
        if not source.token:
            if source.is_open and not _is_this_machine(config.listen):
                yield spot.at("name").problem(
                    f"without a token anybody who reaches {top.at('listen').quote()} could send alerts; "
                    "add token: !secret env:NAME, or listen on 127.0.0.1"
                )
            continue
        place = spot.at("token")
        first = tokens.setdefault((source.kind, source.token), place)
        if first is not place:
            yield place.problem(f"another {source.kind} source has the same token, in {first.file}:{first.line}")


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:  # a name, which may mean any machine
        return False


def _times(config: Config, top: Spot) -> Iterator[Problem]:
    spots = [top.at("times", index) for index in range(len(config.times))]
    yield from twice("times", [(each.name, spot.at("name")) for each, spot in zip(config.times, spots, strict=True)])
    for each, spot in zip(config.times, spots, strict=True):
        for way, what in times.problems(each):
            place = spot.at(*way)
            yield place.problem(f"{place.quote()} does not stand for a valid value" if place.expanded else what)
    known = _known_times(config, top)
    for index, service in enumerate(config.services):
        for i, name in enumerate(service.maintenance):
            yield from dangling("times", name, top.at("services", index, "maintenance", i), known)


def _telling(config: Config, top: Spot) -> Iterator[Problem]:
    notifiers = {DEFAULT_NOTIFIER: DEFAULT_NOTIFIER}
    for index, notifier in enumerate(config.notifiers):
        notifiers[notifier.name] = top.at("notifiers", index, "name").quote()
        yield from prefect_secrets(top.at("notifiers"), index, "notifiers, since a page must leave without Prefect")
    known = _known_times(config, top)
    for route, spot in all_routes(config.routes, top.at("routes")):
        yield from bad_matchers(route.match, spot.at("match"))
        if route.notify is not None and not route.notify:
            yield spot.at("notify").problem(
                "names no notifier, so nobody would be notified; name at least one, or leave notify out for the default"
            )
        for i, name in enumerate(route.notify or ()):
            yield from dangling("notifier", name, spot.at("notify", i), notifiers)
        for key, names in (("mute", route.mute), ("active", route.active)):
            for i, name in enumerate(names):
                yield from dangling("times", name, spot.at(key, i), known)
        if ALL_LABELS in (route.group_by or ()) and len(route.group_by or ()) > 1:
            yield spot.at("group_by").problem(f"{ALL_LABELS} is every label; it must be the only one")


def all_routes(routes: list[Route], spot: Spot) -> Iterator[tuple[Route, Spot]]:
    """Every route of the tree, with its place."""
    for index, route in enumerate(routes):
        place = spot.at(index)
        yield route, place
        yield from all_routes(route.routes, place.at("routes"))


def _known_times(config: Config, top: Spot) -> dict[str, str]:
    return {each.name: top.at("times", index, "name").quote() for index, each in enumerate(config.times)}
