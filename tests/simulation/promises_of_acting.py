"""Nothing healthy is touched: no remedy acts for a check that passes, or for what a failing dependency explains."""

from __future__ import annotations

from collections.abc import Iterator

from chronicle import Chronicle, Run
from promises_of_naming import depends_on
from simulated_world import World

from forewatch.alerting.alert import Alert, at_least
from forewatch.checks import ALERT_NAME
from forewatch.clock import micros
from forewatch.incidents.deciding.withholding import SPREADS

FRESH = 1.0
"""Seconds: the age up to which a result says how a check stands now."""
PLAIN_FOR = 4.0
"""Seconds for which something has been so that a look before acting cannot have missed it."""
HANDS = ("check-health", "run ", "worker", "the store")
"""Where these are hindered, a look may have got no answer, or an old one."""


def acts_for_what_passes(world: World, told: Chronicle) -> Iterator[str]:
    """Runs for a failing check that began while that check passed."""
    for run in _for_checks(told):
        check = run.alert.labels["check"]
        last = world.services.last_result(run.service, check, run.at)
        if last is not None and last.ok and run.at - last.at <= FRESH:
            yield f"{run.id} acts on {run.service} at {run.at:.1f}, and {check} had passed at {last.at:.1f}"
        elif _looked(told, run) and world.services.passes_all_along(run.service, check, run.at - PLAIN_FOR, run.at):
            yield f"{run.id} acts on {run.service} at {run.at:.1f}, and {check} would have passed for {PLAIN_FOR:g} s"


def acts_for_another(world: World, told: Chronicle) -> Iterator[str]:
    """Runs for an alert that a failing dependency explains, by the alerts that fired or by how the services were."""
    for run in told.runs:
        config = told.configs.at(run.at)
        assert config is not None
        if run.alert.classification not in SPREADS:
            continue
        needed = depends_on(config, run.service)
        causes = [cause for cause in told.firing_of(needed, run.at) if _explains(cause, run, config.correlation.within)]
        if causes:
            yield f"{run.id} acts on {run.service} at {run.at:.1f}, and {causes[0].id} of {causes[0].service} fires"
        elif run.alert.name == ALERT_NAME and _looked(told, run) and (other := _culprit(world, run)):
            yield f"{run.id} acts on {run.service} at {run.at:.1f}, which is well: {other} fails"


def _explains(cause: Alert, run: Run, within: float) -> bool:
    return (
        cause.classification in SPREADS
        and at_least(cause.severity, run.alert.severity)
        and cause.starts_at <= run.alert.starts_at + micros(within)
    )


def _culprit(world: World, run: Run) -> str:
    """The service whose fault it has been for a while, and not that of the one that is acted on."""
    services, since = world.services, run.at - PLAIN_FOR
    if not services.well_all_along(run.service, run.alert.labels["check"], since, run.at):
        return ""
    return next(
        (
            other
            for other in sorted(services.standing_on(run.service))
            if services.fails_all_along(other, services.main_check(other), since, run.at)
        ),
        "",
    )


def _for_checks(told: Chronicle) -> list[Run]:
    return [run for run in told.runs if run.alert.name == ALERT_NAME]


def _looked(told: Chronicle, run: Run) -> bool:
    """Whether nothing kept it from looking before it acted."""
    return not told.hindered_between(HANDS, run.at - 2 * PLAIN_FOR, run.at)
