"""What a configuration says that only makes sense together: names that must exist, be unique, or not form a circle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from urllib.parse import urlsplit

from forewatch.config.crosscheck_alerts import check_alerts
from forewatch.config.crosscheck_matchers import unknown_severities
from forewatch.config.crosscheck_objectives import check_objectives
from forewatch.config.days_off import check_holidays
from forewatch.config.defaults import ANOMALOUS, IMPLICIT_SERVICES
from forewatch.config.models import Check, Config, Rule, Service
from forewatch.config.references import bad_matchers, dangling, prefect_secrets, secrets_below, twice
from forewatch.config.secrets import Secret
from forewatch.config.spots import Problem, Spot
from forewatch.config.targets import is_token, name_server

ADDRESS = "{address}"
"""Stands in a check's URL for the address of each of the service's instances."""

_MOST_CYCLES = 20
_EXPECTED_OF = {"answers": "dns", "value": "sql", "rows": "sql", "state": "systemd"}


def cross_check(config: Config, top: Spot) -> list[Problem]:
    """Every problem found, but for those of remedies; `top` is the spot of the configuration."""
    return [
        *_duplicates(config, top),
        *_cycles(config, top),
        *_services(config, top),
        *_rules(config, top),
        *_capacities(config, top),
        *check_alerts(config, top),
        *unknown_severities(config, top),
        *check_objectives(config, top),
        *check_holidays(config, top),
        *prefect_secrets(top, "heartbeat", "the heartbeat, which must leave without Prefect"),
        *_addresses(config, top),
    ]


def _duplicates(config: Config, top: Spot) -> Iterator[Problem]:
    services = top.at("services")
    yield from twice("service", [(each.name, services.at(i, "name")) for i, each in enumerate(config.services)])
    notifiers = top.at("notifiers")
    yield from twice("notifier", [(each.name, notifiers.at(i, "name")) for i, each in enumerate(config.notifiers)])
    rules = top.at("rules")
    alerts = [((each.alert, each.service), rules.at(i, "alert")) for i, each in enumerate(config.rules)]
    yield from twice("rule", alerts, ", for the same service; put the difference in the alert's name")
    for index, service in enumerate(config.services):
        spot = services.at(index)
        yield from twice(
            "instance", [(each.name, spot.at("instances", i, "name")) for i, each in enumerate(service.instances)]
        )
        yield from twice(
            "benchmark", [(each.name, spot.at("benchmarks", i, "name")) for i, each in enumerate(service.benchmarks)]
        )
        yield from _same_checks(service, spot.at("checks"))
    yield from _same_tokens(config, services)


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


def _same_tokens(config: Config, services: Spot) -> Iterator[Problem]:
    """Two jobs that call by the same token could not be told apart."""
    seen: dict[str | Secret, Spot] = {}
    for index, service in enumerate(config.services):
        for i, check in enumerate(service.checks):
            if check.heartbeat is None:
                continue
            token = check.heartbeat.token
            spot = services.at(index, "checks", i, "heartbeat", "token")
            first = seen.setdefault(token.lower() if isinstance(token, str) else token, spot)
            if first is not spot:
                yield spot.problem(f"another heartbeat has the same token, in {first.file}:{first.line}")


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


def _services(config: Config, top: Spot) -> Iterator[Problem]:
    services = _service_names(config, top)
    for index, service in enumerate(config.services):
        spot = top.at("services", index)
        for i, name in enumerate(service.depends_on):
            yield from dangling("service", name, spot.at("depends_on", i), services)
        yield from prefect_secrets(spot, "benchmarks", "benchmarks, which a terminal may run too")
        for i, check in enumerate(service.checks):
            yield from _check(check, spot.at("checks", i))


def _check(check: Check, spot: Spot) -> Iterator[Problem]:
    if check.timeout > check.every:
        every = spot.at("every").quote() if "every" in spot.children else f"{check.every:g}s"
        yield spot.at("timeout").problem(
            f"{spot.at('timeout').quote()} is longer than every ({every}): a check must end before its next one begins"
        )
    if secrets_below(spot, "expect"):
        yield spot.at("expect").problem(
            "what is expected of an answer is shown to people, so no secret may be used here"
        )
    for key, kind in _EXPECTED_OF.items():
        if key in spot.at("expect").children and check.kind != kind:
            yield spot.at("expect", key).problem(f"{key} is expected of {kind} checks, and this is one of {check.kind}")
    if check.sql is not None and isinstance(check.sql.url, str) and "://" not in check.sql.url:
        yield spot.at("sql", "url").problem(
            "a database is written as SQLAlchemy does (try postgresql://USER@HOST/DATABASE)"
        )
    if check.heartbeat is not None and isinstance(check.heartbeat.token, str) and not is_token(check.heartbeat.token):
        yield spot.at("heartbeat", "token").problem("the token is not a UUID (uuidgen makes one)")


def _rules(config: Config, top: Spot) -> Iterator[Problem]:
    services = _service_names(config, top)
    for index, rule in enumerate(config.rules):
        spot = top.at("rules", index)
        if rule.service is not None:
            yield from dangling("service", rule.service, spot.at("service"), services)
        yield from bad_matchers(rule.match, spot.at("match"))
        if rule.alert == ANOMALOUS:
            yield spot.at("alert").problem(f"{ANOMALOUS} is the alert of confirmed anomalies; choose another name")
        if rule.anomaly is not None:
            yield from _asks_for_anomalies(config, rule, spot)


def _asks_for_anomalies(config: Config, rule: Rule, spot: Spot) -> Iterator[Problem]:
    place = spot.at("anomaly")
    ignored = next((one for one in config.anomalies.ignore if fnmatchcase(rule.metric, one)), None)
    if not config.anomalies.enabled:
        yield place.problem("nothing is looked at for anomalies (anomalies.enabled: false), so this would never fire")
    elif ignored is not None:
        yield place.problem(f"{rule.metric} is not looked at (anomalies.ignore: {ignored}), so this would never fire")
    if rule.per is not None:
        yield spot.at("per").problem("anomalies are of a metric itself, not of a ratio of two")


def _capacities(config: Config, top: Spot) -> Iterator[Problem]:
    services = _service_names(config, top)
    places = top.at("capacities")
    yield from twice("capacity", [(each.name, places.at(i, "name")) for i, each in enumerate(config.capacities)])
    for index, capacity in enumerate(config.capacities):
        spot = places.at(index)
        if capacity.service is not None:
            yield from dangling("service", capacity.service, spot.at("service"), services)
        yield from bad_matchers(capacity.match, spot.at("match"))
        if capacity.limit_metric == capacity.metric:
            yield spot.at("limit_metric").problem(
                f"{spot.at('limit_metric').quote()} is the metric itself; name the one that holds its limit"
            )


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
            if check.tls is not None:
                target = check.tls if isinstance(check.tls, str) else check.tls.address
                place = spot.at("tls") if isinstance(check.tls, str) else spot.at("tls", "address")
                yield from _each_address(target, service, place, instances, _is_host_and_port, "HOST:PORT")
            if check.dns is not None and check.dns.server is not None:
                place = spot.at("dns", "server")
                yield from _each_address(check.dns.server, service, place, instances, _is_name_server, "IP[:PORT]")
    plain: list[tuple[str | Secret | None, Spot]] = [
        (config.public_url, top.at("public_url")),
        (config.prefect_url, top.at("prefect_url")),
        (config.heartbeat.url if config.heartbeat else None, top.at("heartbeat", "url")),
    ]
    for index, service in enumerate(config.services):
        for i, benchmark in enumerate(service.benchmarks):
            plain.append((benchmark.url, top.at("services", index, "benchmarks", i, "url")))
    for index, notifier in enumerate(config.notifiers):
        if notifier.webhook is not None:
            plain.append((notifier.webhook.url, top.at("notifiers", index, "webhook", "url")))
    for index, source in enumerate(config.sources):
        if source.sentry is not None and source.sentry.api is not None:
            plain.append((source.sentry.api.url, top.at("sources", index, "sentry", "api", "url")))
        if source.bugsink is not None:
            plain.append((source.bugsink.url, top.at("sources", index, "bugsink", "url")))
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


def _is_name_server(text: str) -> bool:
    try:
        name_server(text)
    except ValueError:
        return False
    return True


def _service_names(config: Config, top: Spot) -> dict[str, str | Spot]:
    names: dict[str, str | Spot] = {name: name for name in IMPLICIT_SERVICES}
    return names | {each.name: top.at("services", i, "name") for i, each in enumerate(config.services)}
