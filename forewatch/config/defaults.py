"""What is there without being written: the services `host` and `forewatch`, and a way to tell people.

The rules that come built in are not part of the configuration; `forewatch.detection.starter.all_rules` adds them.
"""

from __future__ import annotations

from collections.abc import Iterator

from forewatch.config.models import Config, Console, Notifier, Route, Service

DEFAULT_NOTIFIER = "console"
ANOMALOUS = "Anomalous"
"""The alert of a service whose anomalies confirm each other."""
REGRESSION = "PerformanceRegression"
"""The alert of a service that has become slower under its load test."""
IMPLICIT_SERVICES = {
    "host": "This machine: CPU, memory, disks, load.",
    "forewatch": "Forewatch's own parts.",
}


def effective(config: Config) -> Config:
    """The configuration as it works, with what is implied; a service or notifier the user wrote stays as written."""
    named = {service.name for service in config.services}
    services = [
        *config.services,
        *(Service(name=name, description=text) for name, text in IMPLICIT_SERVICES.items() if name not in named),
    ]
    notifiers = list(config.notifiers)
    asked_for = DEFAULT_NOTIFIER in _named(config.routes)
    if not notifiers or (asked_for and config.notifier(DEFAULT_NOTIFIER) is None):
        notifiers.append(Notifier(name=DEFAULT_NOTIFIER, console=Console()))
    return config.model_copy(update={"services": services, "notifiers": notifiers})


def _named(routes: list[Route]) -> Iterator[str]:
    """The notifiers that routes name, at any depth."""
    for route in routes:
        yield from route.notify or ()
        yield from _named(route.routes)
