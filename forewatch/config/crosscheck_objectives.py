"""Cross-checks of objectives: what they are measured by exists, and each goes by a name of its own."""

from __future__ import annotations

from collections.abc import Iterator

from forewatch.config.models import Config, Service
from forewatch.config.references import dangling
from forewatch.config.spots import Problem, Spot


def check_objectives(config: Config, top: Spot) -> Iterator[Problem]:
    """Every problem found; `top` is the spot of the configuration."""
    for index, service in enumerate(config.services):
        spot = top.at("services", index, "objectives")
        if service.objectives and not service.checks:
            yield spot.problem("an objective is measured by a check, and the service has none; add one under checks:")
            continue
        checks = {check.label: check.label for check in service.checks}
        for i, objective in enumerate(service.objectives):
            if objective.check is not None:
                yield from dangling("check", objective.check, spot.at(i, "check"), checks)
        yield from _same_objectives(service, spot)


def _same_objectives(service: Service, spot: Spot) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, objective in enumerate(service.objectives):
        first = seen.setdefault(objective.label, index)
        if first == index:
            continue
        if objective.name is None:
            yield spot.at(index).problem(
                f"objectives[{first}] goes by the name {objective.label} already; add name: to tell them apart"
            )
        else:
            yield spot.at(index, "name").problem(
                f"objectives[{first}] goes by the same name {spot.at(index, 'name').quote()}"
            )
