"""What works and is hardly meant so: said as warnings, since the configuration comes into force all the same.

Unlike the problems these look beyond the configuration: at files, at this process's environment, at what is measured.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from forewatch.alerting.matchers import Matcher, parse_matchers
from forewatch.checking.results import ADDRESS
from forewatch.config.base import Matchers
from forewatch.config.crosscheck_matchers import contradictions, doubtful_severities, read_classically
from forewatch.config.crosscheck_remedies import Bound, Place, remedies
from forewatch.config.known_alerts import KnownAlerts
from forewatch.config.known_metrics import METRICS, Writers, needs
from forewatch.config.models import Config
from forewatch.config.problems import near
from forewatch.config.spots import Problem, Spot
from forewatch.detection.quick import FEWEST, SAMPLES, SPAN, enough, shortest_window
from forewatch.units import format_duration

RESTARTS = "restart-service"
OWN_SERVICE = "forewatch"


def doubts(config: Config, top: Spot, off: Collection[Place] = ()) -> Iterator[Problem]:
    """Every warning; `top` is the spot of the configuration, `off` names remedies that are wrong as it is."""
    bound = [each for each in remedies(config, top) if each[0] not in off]
    yield from _commands(config, top, bound)
    yield from _secrets(top, Path(config.folder))
    yield from _certificate(config, top)
    yield from _alert_names(config, bound)
    yield from _metrics(config, top)
    yield from _leaks(config, top)
    yield from doubtful_severities(config, top)
    yield from contradictions(config, top, bound)
    yield from read_classically(config, top, bound)


def _commands(config: Config, top: Spot, bound: Sequence[Bound]) -> Iterator[Problem]:
    folder = Path(config.folder)
    for number, service in enumerate(config.services):
        for i, check in enumerate(service.checks):
            if check.command:
                yield from _program(check.command[0], top.at("services", number, "checks", i, "command", 0), folder)
    for _, remedy, spot in bound:
        command = remedy.inputs.get("command")
        if remedy.runbook == RESTARTS and isinstance(command, list) and command and isinstance(command[0], str):
            yield from _program(command[0], spot.at("with", "command", 0), folder)


def _program(program: str, spot: Spot, folder: Path) -> Iterator[Problem]:
    if os.sep not in program:
        if shutil.which(program) is None:
            yield spot.warning(f"there is no program {spot.quote()} on the PATH")
        return
    path = folder / program
    if ADDRESS in program:  # another one for each instance
        return
    if not path.is_file():
        yield spot.warning(f"there is no program {spot.quote()} (relative paths start at {folder})")
    elif not os.access(path, os.X_OK):
        yield spot.warning(f"{spot.quote()} is not executable (chmod +x)")


def _secrets(top: Spot, folder: Path) -> Iterator[Problem]:
    seen: set[int] = set()
    left = [top]
    while left:
        spot = left.pop()
        # Aliases lead to one spot from several places.
        if id(spot) in seen:
            continue
        seen.add(id(spot))
        left += spot.children.values()
        scheme, _, name = (spot.text or "").partition(":")
        if not spot.secret:
            continue
        if scheme == "env" and name not in os.environ:
            yield spot.warning(f"the environment variable {name} of this secret is not set here")
        elif scheme == "file" and not os.access(folder / name, os.R_OK):
            yield spot.warning(f"the file of this secret cannot be read here: {name}")


def _certificate(config: Config, top: Spot) -> Iterator[Problem]:
    for name in ("certificate", "key"):
        file = getattr(config.tls, name, None)
        if file is not None and not os.access(Path(config.folder) / file, os.R_OK):
            yield top.at("tls", name).warning(f"the file cannot be read here: {file}")


def _alert_names(config: Config, bound: Sequence[Bound]) -> Iterator[Problem]:
    if config.sources:  # whose alerts may have any name, and be of any service
        return
    raised = KnownAlerts(config)
    known = {service.name: raised.of(service) for service in config.services if service.remedies}
    for (number, _), remedy, spot in bound:
        service = config.services[number].name
        asked = [one for one in _parsed(remedy.on) if one.name == "alertname"]
        fitting = (name for name in known[service] if all(one.matches({"alertname": name}) for one in asked))
        if service == OWN_SERVICE or not asked or any(fitting):
            continue
        place = spot.at("on", "alertname") if isinstance(remedy.on, dict) else spot.at("on")
        name = asked[0].value
        if (other := raised.named_by_rule(name)) is not None:
            hint = f" (the rule {name} raises it of {other})"
        else:
            hint = near(name, known[service]) or f" (there are {', '.join(sorted(known[service]))})"
        shown = place.quote() if place.expanded else name
        yield place.warning(f"nothing raises an alert {shown} of {service}{hint}")


def _metrics(config: Config, top: Spot) -> Iterator[Problem]:
    writers = Writers(config)
    looked_at: list[tuple[str | None, Matchers, Spot]] = []
    for index, rule in enumerate(config.rules):
        spot = top.at("rules", index)
        looked_at += [(rule.metric, rule.match, spot.at("metric")), (rule.per, rule.match, spot.at("per"))]
    for index, capacity in enumerate(config.capacities):
        spot = top.at("capacities", index)
        looked_at.append((capacity.metric, capacity.match, spot.at("metric")))
        looked_at.append((capacity.limit_metric, capacity.match, spot.at("limit_metric")))
    for metric, match, spot in looked_at:
        if metric is None:
            continue
        needed, service = needs(metric), _service_in(match)
        if needed is None:
            yield spot.warning(f"nothing writes a metric {spot.quote()}{near(spot.quote(), METRICS)}")
        elif not writers.written(metric, service):
            of = f" of {service}" if service is not None else ""
            how = f": it comes with {needed}" if needed else ""
            yield spot.warning(f"nothing writes {spot.quote()}{of}{how}")


def _leaks(config: Config, top: Spot) -> Iterator[Problem]:
    writers = Writers(config)
    for index, rule in enumerate(config.rules):
        if rule.exhausted_within is None or needs(rule.metric) is None:
            continue
        every = writers.cadence(rule.metric, _service_in(rule.match) or rule.service)
        count = int(rule.window / every)
        if not enough(count, (count - 1) * every):
            yield top.at("rules", index, "window").warning(
                f"a window of {format_duration(rule.window)} holds {count} samples of {rule.metric} (one every "
                f"{format_duration(every)}), and a trend needs {SAMPLES}, or {FEWEST} over {format_duration(SPAN)}: "
                f"make it at least {format_duration(shortest_window(every)).replace(' ', '')}"
            )


def _service_in(matchers: Matchers) -> str | None:
    """The one service that series must be of."""
    return next((one.value for one in _parsed(matchers) if one.name == "service" and one.operator == "="), None)


def _parsed(matchers: Matchers) -> tuple[Matcher, ...]:
    """None of what cannot be parsed, which is said as a problem."""
    try:
        return parse_matchers(matchers)
    except ValueError:
        return ()
