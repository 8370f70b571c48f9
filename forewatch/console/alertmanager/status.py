"""What the API says of Forewatch itself: its version, its routes and receivers as an Alertmanager would have them."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from typing import Any

from forewatch import __version__
from forewatch.alerting.matchers import parse_matchers
from forewatch.clock import iso
from forewatch.config.models import Config, Route


def status(config: Config, started_at: int) -> dict[str, Any]:
    return {
        "cluster": {"name": "forewatch", "status": "disabled", "peers": []},
        "config": {"original": json.dumps(_as_alertmanager(config), indent=2)},
        "uptime": iso(started_at),
        "versionInfo": {
            "version": __version__,
            "revision": "",
            "branch": "",
            "buildUser": "",
            "buildDate": "",
            "goVersion": f"python{platform.python_version()}",
        },
    }


def receivers(config: Config) -> list[str]:
    return sorted({notifier.name for notifier in config.notifiers} or {"console"})


def _as_alertmanager(config: Config) -> dict[str, Any]:
    """The routing tree in Alertmanager's words, for `amtool config routes`; of senders and receivers the names alone,
    since there may be secrets in the rest."""
    everyone = receivers(config)
    tree = {"receiver": _joined(everyone), "routes": [_route(route, everyone) for route in config.routes]}
    names = {_joined(everyone), *_names(tree["routes"])}
    return {"route": tree, "receivers": [{"name": name} for name in sorted(names)]}


def _route(route: Route, inherited: list[str]) -> dict[str, Any]:
    told = list(route.notify) if route.notify is not None else inherited
    return {
        "receiver": _joined(told),
        "matchers": [str(matcher) for matcher in parse_matchers(route.match)],
        "continue": route.continue_,
        **({"group_by": route.group_by} if route.group_by is not None else {}),
        "routes": [_route(child, told) for child in route.routes],
    }


def _names(routes: Any) -> Iterable[str]:
    for route in routes:
        yield route["receiver"]
        yield from _names(route["routes"])


def _joined(names: Iterable[str]) -> str:
    """An Alertmanager's route has one receiver: where we tell several, they are one that is called by all."""
    return " and ".join(names)
