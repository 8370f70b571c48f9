"""One sentence a cause: the numbers that speak for it, and the way from the alarm down to it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from forewatch.incidents.causes.deepest import Depth
from forewatch.incidents.causes.excess import LIKELY_Z, Attribution
from forewatch.incidents.causes.graph import Graph, path_to
from forewatch.incidents.causes.ranking import Kind
from forewatch.incidents.causes.telemetry import Telemetry
from forewatch.units import format_duration

LONGEST_PATH = 6
"""Services of a path that are named; of a longer one those in the middle are counted."""

TOO_LITTLE = "too little is known of how it usually is to say anything"


def of(graph: Graph, during: Telemetry, found: Attribution | Depth, service: int) -> str:
    """Why a service stands where it does."""
    if not math.isfinite(during.measure(found.kind)[service, found.bucket]):
        return f"{graph.services[service]}: its {found.kind} was not measured then"
    if isinstance(found, Depth):
        return _of_depth(graph, during, found, service)
    return _of_excess(graph, during, found, service)


def speaks(during: Telemetry, found: Attribution | Depth, service: int) -> bool:
    """Whether a service was measured to be worse than is usual for it."""
    measured = math.isfinite(during.measure(found.kind)[service, found.bucket])
    return bool(measured and found.known[service] and found.z[service] >= LIKELY_Z)


def _of_excess(graph: Graph, during: Telemetry, found: Attribution, service: int) -> str:
    name, top = graph.services[service], graph.services[found.top]
    if not found.known[service]:
        return f"{name}: {TOO_LITTLE}"
    now = _now(during, service, found)
    if found.z[service] < LIKELY_Z:
        return f"{name}: {now}, within what is usual ({_deviations(found.z[service])})"
    calls = len(graph.below[service])
    without = f", with the {_services(calls)} it calls taken out," if calls else ""
    if found.own[service] <= 0.01 * found.excess[service]:
        return f"{name}: {now}, but the {_services(calls)} it calls explain{'s' if calls == 1 else ''} that"
    amount = _amount(found.own[service] * found.requests, found.kind)
    return (
        f"{name}: {now}; its own part{without} rose by {amount} a bucket, "
        f"{found.share[service]:.0%} of the rise at {top} ({_deviations(found.own_z[service])})"
        f"{_way(graph, found, service)}"
    )


def _of_depth(graph: Graph, during: Telemetry, found: Depth, service: int) -> str:
    name = graph.services[service]
    if not found.known[service]:
        return f"{name}: {TOO_LITTLE}"
    now = _now(during, service, found)
    if found.z[service] < LIKELY_Z:
        return f"{name}: {now}, within what is usual ({_deviations(found.z[service])})"
    worse = [callee for callee in graph.below[service] if found.z[callee] >= LIKELY_Z]
    below = (
        f"so {'is' if len(worse) == 1 else 'are'} {len(worse)} of the services it calls"
        if worse
        else "nothing it calls is"
        if graph.below[service]
        else "it calls nothing"
    )
    return f"{name}: {now}, {_deviations(found.z[service])} worse than usual; {below}{_way(graph, found, service)}"


def of_other_kind(graph: Graph, caller: int, kind: Kind, text: str) -> str:
    """Why a service is blamed for another kind of trouble than it has itself; `text` speaks of its own."""
    trouble = "failures" if kind == "availability" else "latency"
    return f"{text}; this came with the {trouble} of {graph.services[caller]}, which depends on it"


def _way(graph: Graph, found: Attribution | Depth, service: int) -> str:
    if service == found.top:
        return ""
    path = path_to(found.before, service)
    if path[0] != found.top:
        return f"; no declared dependency leads to it from {graph.services[found.top]}"
    names = [graph.services[one] for one in path]
    if len(names) > LONGEST_PATH:
        left_out = len(names) - LONGEST_PATH + 1
        names[LONGEST_PATH // 2 : LONGEST_PATH // 2 + left_out] = [f"{left_out} more"]
    guessed = found.guessed & set(itertools.pairwise(path)) if isinstance(found, Attribution) else ()
    doubt = "".join(
        f"; that {graph.services[caller]} calls {graph.services[callee]} is not declared, their rises tell"
        for caller, callee in sorted(guessed)
    )
    return f"; by way of {' -> '.join(names)}{doubt}"


def _now(during: Telemetry, service: int, found: Attribution | Depth) -> str:
    now = float(during.measure(found.kind)[service, found.bucket])
    usual = float(found.usual[service])
    if found.kind == "latency":
        return f"latency {format_duration(usual)} -> {format_duration(now)}"
    return f"availability {_percent(1 - usual)} -> {_percent(1 - now)}"


def _percent(ratio: float) -> str:
    return f"{ratio * 100:.4g}%"


def _amount(load: float, kind: Kind) -> str:
    return f"{format_duration(load)} of waiting" if kind == "latency" else f"{load:.3g} failed requests"


def _deviations(z: float) -> str:
    return f"{max(-1e6, min(1e6, z)):.1f} usual deviations"


def _services(count: int) -> str:
    return "service" if count == 1 else f"{count} services"


def note_on_caller(graph: Graph, service: int) -> str:
    """What to keep in mind where a caller stands first; empty for a leaf."""
    calls: Sequence[int] = graph.below[service]
    if not calls:
        return ""
    return (
        f"{graph.services[service]} calls {_services(len(calls))}; "
        "if it also calls one that is not declared, that one may be the cause"
    )
