"""Remedies that are wrong: found among the problems of a configuration, and taken out of it while the rest works."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from forewatch.config.crosscheck_remedies import Place
from forewatch.config.models import Config, RemedyOff
from forewatch.config.spots import Problem, Spot

_PLACEHOLDER = {"on": {}, "runbook": "off"}
"""Stands for a remedy that cannot be read, so that the others keep their numbers until it is taken out."""


def of_remedies(problems: Iterable[Problem], data: Mapping[str, Any], top: Spot) -> dict[Place, list[Problem]]:
    """The problems that lie within remedies, by remedy; of a text that several share by aliases, each has them."""
    found: dict[Place, list[Problem]] = {}
    problems = list(problems)
    if not problems:
        return found
    services = data.get("services")
    for number, service in enumerate(services if isinstance(services, list) else ()):
        remedies = service.get("remedies") if isinstance(service, dict) else None
        for i in range(len(remedies) if isinstance(remedies, list) else 0):
            places = _places(top.at("services", number, "remedies", i))
            if within := [each for each in problems if (each.file, each.where) in places]:
                found[number, i] = within
    return found


def _places(spot: Spot) -> set[tuple[str, str]]:
    """The file and the way of a spot and of all below it."""
    found, left = set(), [spot]
    while left:
        one = left.pop()
        found.add((one.file, one.where))
        left += one.children.values()
    return found


def without(data: dict[str, Any], wrong: Iterable[Place]) -> dict[str, Any]:
    """The data with placeholders for some remedies. The original, which aliases may share, stays as it is."""
    by_service: dict[int, set[int]] = {}
    for number, i in wrong:
        by_service.setdefault(number, set()).add(i)
    if not by_service:
        return data
    services = list(data["services"])
    for number, those in by_service.items():
        written = services[number]["remedies"]
        kept = [_PLACEHOLDER if i in those else remedy for i, remedy in enumerate(written)]
        services[number] = {**services[number], "remedies": kept}
    return {**data, "services": services}


def switched_off(config: Config, off: Iterable[RemedyOff]) -> Config:
    """The configuration without these remedies, which it lists as off. Those it does not have are not listed."""
    by_service: dict[str, dict[int, RemedyOff]] = {}
    for one in off:
        by_service.setdefault(one.service, {}).setdefault(one.place, one)
    if not by_service:
        return config
    services, listed = [], []
    for service in config.services:
        those = by_service.get(service.name, {})
        if those:
            listed += [those[i] for i in range(len(service.remedies)) if i in those]
            kept = [remedy for i, remedy in enumerate(service.remedies) if i not in those]
            service = service.model_copy(update={"remedies": kept})
        services.append(service)
    return config.model_copy(update={"services": services, "remedies_off": listed})


def named_off(config: Config, top: Spot, wrong: Mapping[Place, list[Problem]]) -> list[RemedyOff]:
    """What to say of each remedy that is wrong: its first problem, and how many more there are."""
    found = []
    for (number, i), problems in sorted(wrong.items()):
        spot = top.at("services", number, "remedies", i)
        name = spot.children["runbook"].quote() if "runbook" in spot.children else f"number {i + 1}"
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        service = config.services[number].name
        found.append(RemedyOff(service=service, place=i, name=name, reason=f"{problems[0]}{more}"))
    return found
