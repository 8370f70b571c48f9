"""The settings a history may play in: what is configured there, and what stands on what."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import simulated_company
import simulated_groups

from forewatch.config.defaults import effective
from forewatch.config.models import Config


@dataclass(frozen=True)
class Setting:
    """`document` gives the configuration of a variant; a check of `through` fails where what it needs does."""

    document: Callable[[int], dict[str, Any]]
    variants: int
    through: frozenset[tuple[str, str]]
    severities: dict[str, str]
    """Of posted alerts, by their names."""

    def main_checks(self) -> dict[str, str]:
        return {one["name"]: one["checks"][0]["name"] for one in self.document(0)["services"]}

    def depends_on(self) -> dict[str, tuple[str, ...]]:
        return {one["name"]: tuple(one.get("depends_on", ())) for one in self.document(0)["services"]}


SETTINGS = {
    "groups": Setting(simulated_groups.document, 3, frozenset(), simulated_groups.SEVERITIES),
    "company": Setting(
        simulated_company.document, simulated_company.VARIANTS, simulated_company.THROUGH, simulated_company.SEVERITIES
    ),
}


@cache
def configuration(setting: str, variant: int) -> Config:
    return effective(Config.model_validate(SETTINGS[setting].document(variant)))


@cache
def files(setting: str, variant: int) -> list[tuple[str, str]]:
    """As the store keeps it. JSON is YAML."""
    return [("/etc/forewatch/forewatch.yaml", json.dumps(SETTINGS[setting].document(variant)))]
