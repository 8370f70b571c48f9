"""What a configuration says that only makes sense together: names that must exist, be unique, or not form a circle."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from urllib.parse import urlsplit

from forewatch.alerting.matchers import parse_matchers
from forewatch.config.defaults import DEFAULT_NOTIFIER, IMPLICIT_SERVICES
from forewatch.config.models import Check, Config, Matchers, Service
from forewatch.config.problems import near
from forewatch.config.secrets import Secret
from forewatch.config.spots import Problem, Spot

ADDRESS = "{address}"
"""Stands in a check's URL for the address of each of the service's instances."""

_MOST_CYCLES = 20


def cross_check(config: Config, top: Spot, known_runbooks: Collection[str] | None = None) -> list[Problem]:
    """Every problem found; `top` is the spot of the configuration. `known_runbooks` None leaves those unchecked."""
    return [
        *_duplicates(config, top),
        *_cycles(config, top),
        *_services(config, top, known_runbooks),
        *_rules(config, top),
        *_notifying(config, top),
        *_addresses(config, top),
    ]


def _duplicates(config: Config, top: Spot) -> Iterator[Problem]:
    services = top.at("services")
    yield from _twice("service", [(each.name, services.at(i, "name")) for i, each in enumerate(config.services)])
    notifiers = top.at("notifiers")
    yield from _twice("notifier", [(each.name, notifiers.at(i, "name")) for i, each in enumerate(config.notifiers)])
    rules = top.at("rules")
    alerts = [((each.alert, each.service), rules.at(i, "alert")) for i, each in enumerate(config.rules)]
    yield from _twice("rule", alerts, ", for the same service; put the difference in the alert's name")
    for index, service in enumerate(config.services):
        spot = services.at(index)
        yield from _twice(
            "instance", [(each.name, spot.at("instances", i, "name")) for i, each in enumerate(service.instances)]
        )
        yield from _same_checks(service, spot.at("checks"))


def _twice(noun: str, named: Sequence[tuple[object, Spot]], more: str = "") -> Iterator[Problem]:
    seen: dict[object, Spot] = {}
    for name, spot in named:
        first = seen.setdefault(name, spot)
        if first is not spot:
            where = f"{first.file}:{first.line}"
            yield spot.problem(f"there is a {noun} {spot.quote()} already, in {where}{more}")


def _same_checks(service: Service, spot: Spot) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, check in enumerate(service.checks):
        first = seen.setdefault(check.label, index)
        if first == index:
            continue
        if check.name is None:
            yield spot.at(index).problem(f"another {check.kind} check without a name; add name: to tell them apart")
        else:
            yield spot.at(index, "name").problem(
                f"checks[{first}] goes by the same name {spot.at(index, 'name').quote()}"
            )


def _cycles(config: Config, top: Spot) -> Iterator[Problem]:
    graph: dict[str, dict[str, None]] = {}
    for service in config.services:
        graph.setdefault(service.name, {}).update(dict.fromkeys(service.depends_on))
    places = {service.name: top.at("services", index) for index, service in enumerate(config.services)}
    for _ in range(_MOST_CYCLES):
        try:
            TopologicalSorter(graph).prepare()
            return
        except CycleError as error:
            # graphlib names each node before the one that depends on it.
            circle: list[str] = error.args[1][::-1]
        start = min(range(len(circle) - 1), key=lambda i: (places[circle[i]].line, places[circle[i]].column))
        circle = circle[start:-1] + circle[: start + 1]
        names = " -> ".join(places[name].at("name").quote() for name in circle)
        yield places[circle[0]].at("depends_on").problem(f"services depend on each other in a circle: {names}")
        del graph[circle[0]][circle[1]]


def _services(config: Config, top: Spot, known_runbooks: Collection[str] | None) -> Iterator[Problem]:
    services = _service_names(config, top)
    for index, service in enumerate(config.services):
        spot = top.at("services", index)
        for i, name in enumerate(service.depends_on):
            yield from _dangling("service", name, spot.at("depends_on", i), services)
        for i, check in enumerate(service.checks):
            yield from _check(check, spot.at("checks", i))
        for i, remedy in enumerate(service.remedies):
            place = spot.at("remedies", i)
            yield from _matchers(remedy.on, place.at("on"))
            if known_runbooks is not None:
                yield from _dangling("runbook", remedy.runbook, place.at("runbook"), {n: n for n in known_runbooks})
            if remedy.autonomy == "approve":
                yield place.at("autonomy").problem(
                    "approve does not exist yet; use shadow (only says what it would do) or auto (acts on its own)"
                )
            if _secrets(place, "with", expanded=True):
                yield place.at("with").problem(
                    "a runbook's inputs are stored and shown as plain text, so neither a secret nor a ${VARIABLE} may "
                    "stand here; let the runbook read it"
                )


def _check(check: Check, spot: Spot) -> Iterator[Problem]:
    if check.timeout > check.every:
        every = spot.at("every").quote() if "every" in spot.children else f"{check.every:g}s"
        yield spot.at("timeout").problem(
            f"{spot.at('timeout').quote()} is longer than every ({every}): a check must end before its next one begins"
        )
    if _secrets(spot, "expect"):
        yield spot.at("expect").problem("what is expected of an answer is shown to people, so no secret may stand here")


def _rules(config: Config, top: Spot) -> Iterator[Problem]:
    services = _service_names(config, top)
    for index, rule in enumerate(config.rules):
        spot = top.at("rules", index)
        if rule.service is not None:
            yield from _dangling("service", rule.service, spot.at("service"), services)
        yield from _matchers(rule.match, spot.at("match"))


def _notifying(config: Config, top: Spot) -> Iterator[Problem]:
    notifiers = {DEFAULT_NOTIFIER: DEFAULT_NOTIFIER}
    for index, notifier in enumerate(config.notifiers):
        spot = top.at("notifiers", index)
        notifiers[notifier.name] = spot.at("name").quote()
        for place in _secrets(top.at("notifiers"), index):
            if (place.text or "").startswith("prefect:"):
                yield place.problem("prefect: secrets are not for notifiers, since a page must leave without Prefect")
    for index, route in enumerate(config.routes):
        spot = top.at("routes", index)
        yield from _matchers(route.match, spot.at("match"))
        if not route.notify:
            yield spot.at("notify").problem("names no notifier, so nobody would be told; name at least one")
        for i, name in enumerate(route.notify):
            yield from _dangling("notifier", name, spot.at("notify", i), notifiers)
    for place in _secrets(top, "heartbeat"):
        if (place.text or "").startswith("prefect:"):
            yield place.problem("prefect: secrets are not for the heartbeat, which must leave without Prefect")


def _addresses(config: Config, top: Spot) -> Iterator[Problem]:
    for index, service in enumerate(config.services):
        instances = top.at("services", index, "instances")
        for i, check in enumerate(service.checks):
            spot = top.at("services", index, "checks", i)
            if check.http is not None:
                yield from _each_address(
                    check.http, service, spot.at("http"), instances, _is_url, "http://HOST[:PORT]/PATH"
                )
            if check.tcp is not None:
                yield from _each_address(check.tcp, service, spot.at("tcp"), instances, _is_host_and_port, "HOST:PORT")
    plain: list[tuple[str | Secret | None, Spot]] = [
        (config.public_url, top.at("public_url")),
        (config.prefect_url, top.at("prefect_url")),
        (config.heartbeat.url if config.heartbeat else None, top.at("heartbeat", "url")),
    ]
    for index, notifier in enumerate(config.notifiers):
        if notifier.webhook is not None:
            plain.append((notifier.webhook.url, top.at("notifiers", index, "webhook", "url")))
    for url, spot in plain:
        if isinstance(url, str) and not _is_url(url):
            yield spot.problem(f"{spot.quote()} is not a URL (try http://HOST[:PORT]/PATH)")


def _each_address(
    text: str, service: Service, spot: Spot, instances: Spot, valid: Callable[[str], bool], example: str
) -> Iterator[Problem]:
    if ADDRESS not in text:
        if not valid(text):
            yield spot.problem(f"{spot.quote()} is not an address to probe (try {example})")
        return
    if not service.instances:
        yield spot.problem(f"{ADDRESS} stands for each instance's address, and the service has no instances")
    for index, instance in enumerate(service.instances):
        name = instances.at(index, "name").quote()
        if instance.address is None:
            yield spot.problem(f"{ADDRESS} stands for each instance's address, and {name} has none")
        elif not valid(text.replace(ADDRESS, instance.address)):
            yield spot.problem(f"{spot.quote()} with the address of {name} is not {example}")


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # a port that is no number, a bracket without its partner
        return False
    blank = any(character.isspace() for character in text)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0 and not blank


def _is_host_and_port(text: str) -> bool:
    return "/" not in text and "@" not in text and text.rpartition(":")[2].isdecimal() and _is_url(f"http://{text}")


def _dangling(noun: str, name: str, spot: Spot, known: Mapping[str, str]) -> Iterator[Problem]:
    """`known`: each name there is, with how it is written."""
    if name not in known:
        written = spot.quote()
        yield spot.problem(f"there is no {noun} {written}{near(written, known.values())}")


def _service_names(config: Config, top: Spot) -> dict[str, str]:
    names = {name: name for name in IMPLICIT_SERVICES}
    return names | {each.name: top.at("services", i, "name").quote() for i, each in enumerate(config.services)}


def _matchers(matchers: Matchers, spot: Spot) -> Iterator[Problem]:
    if isinstance(matchers, dict):
        return  # equality only: nothing to parse
    for index, text in enumerate(matchers):
        place = spot.at(index)
        try:
            parse_matchers([text])
        except ValueError as error:
            yield place.problem(f"{place.quote()} is not a matcher" if place.expanded else f"not a matcher: {error}")


def _secrets(parent: Spot, key: str | int, *, expanded: bool = False) -> list[Spot]:
    """Every `!secret` at or below a key; with `expanded`, every `${VARIABLE}` too, which may be one."""
    found, left = [], [parent.children[key]] if key in parent.children else []
    while left:
        spot = left.pop()
        if spot.secret or (expanded and spot.expanded and "${" in (spot.text or "")):
            found.append(spot)
        left += spot.children.values()
    return found
