"""Nothing healthy is touched: no remedy acts for a check that passes, or for what a failing dependency explains."""

from __future__ import annotations

from collections.abc import Iterator

from chronicle import Chronicle, Run, instant
from ledger import Ledger
from promises_of_naming import depends_on
from simulated_world import World

from forewatch.alerting.alert import Alert, at_least
from forewatch.checking.results import ALERT_NAME
from forewatch.clock import micros
from forewatch.incidents.deciding.dependencies import SPREADS
from forewatch.remedy.choose import choose

FRESH = 1.0
"""Seconds: the age up to which a result says how a check stands now."""
PLAIN_FOR = FRESH + 0.5
"""Seconds for which something has been so that a look before acting cannot have missed it."""
TIME_OUT = 2.0
"""Seconds a look waits for a check that gets no answer."""
ACTORS = ("check-health", "run ", "worker", "the store")
"""While these are hindered a look gets no answer, and an answer gets older."""
BEFORE = 20.0
"""Seconds before acting in which that matters."""
LOOK_TAKES = 3.0
"""Seconds from asking for a look to acting, at most."""
WATCHES_AGAIN_WITHIN = 20.0
"""Seconds from the end of what kept the watch from it until somebody stands it and has probed."""
REFUSED_FOR_NOW = frozenset({"cooldown", "run-under-way", "automation-stopped"})
ANSWERS = REFUSED_FOR_NOW | {
    "remedy-sent", "limit-per-hour", "breaker", "shadow", "no-remedy", "approval-missing", "not-firing",
    "observer-late",
    "dependency", "dependency-at-work", "dependency-fails", "dependency-unclear", "passed-meanwhile", "passes-now",
    "acknowledged", "maintenance", "automation-down", "incident-over", "source-without-token",
}  # fmt: skip
"""What automation may say about an alert."""
ASKED_WITHIN = 20.0
"""Seconds after a refusal's reason is over in which the remedy has been asked again."""


def acts_for_what_passes(world: World, told: Chronicle) -> Iterator[str]:
    """Runs for a failing check that began while that check passed."""
    for run in _for_checks(told):
        check = run.alert.labels["check"]
        last = world.services.last_result(run.service, check, run.at)
        known = last is not None and last.ok and run.at - last.at <= FRESH and not _hindered(told, last.at, run.at)
        if known and not _waited_in_vain(world, run, check):
            yield f"{run.id} acts on {run.service} at {run.at:.1f}, and {check} had passed at {last.at:.1f}"
        since = _looks_from(told, run)
        if not _unseen(told, run, run.service, check) and world.services.passes_all_along(
            run.service, check, since, run.at
        ):
            yield f"{run.id} acts on {run.service} at {run.at:.1f}, and {check} would have passed since {since:.1f}"


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
        elif run.alert.name == ALERT_NAME and (other := _culprit(world, told, run)):
            yield f"{run.id} acts on {run.service} at {run.at:.1f}, which is well: {other} fails"


def never_asked_again(told: Chronicle, ledger: Ledger) -> Iterator[str]:
    """Firing alerts whose remedy was refused for now, and not asked again though the reason is long over."""
    for alert_id, course in told.alerts.items():
        alert = course.values[-1]
        incident = ledger.incidents.get(str(alert.incident_id))
        if alert.status != "firing" or incident is None or not incident.open or incident.status == "acknowledged":
            continue
        refused = _last_answer(told, ledger, alert_id)
        if refused is None:
            continue
        code, at = refused
        free = _free_again(told, ledger, alert, code, at)
        if free is not None and told.now - free > ASKED_WITHIN:
            yield f"the remedy of {alert_id} ({alert.service}) was refused ({code}) at {at:.1f}, free since {free:.1f}"


def _explains(cause: Alert, run: Run, within: float) -> bool:
    return (
        cause.classification in SPREADS
        and at_least(cause.severity, run.alert.severity)
        and cause.starts_at <= run.alert.starts_at + micros(within)
    )


def _culprit(world: World, told: Chronicle, run: Run) -> str:
    """The service whose fault it has been for a while, and not that of the one that is acted on. For the verdict of one
    that has failed once a remedy waits once, and not each time that it comes and goes."""
    if any(at < run.at for at in told.unclear[run.alert.id]):
        return ""
    services, since, check = world.services, _looks_from(told, run), run.alert.labels["check"]
    if not services.well_all_along(run.service, check, since, run.at):
        return ""
    if services.slow(run.service, check, run.at) or services.slow(run.service, check, since):
        since -= 2 * TIME_OUT
    for other in sorted(services.standing_on(run.service)):
        main = services.main_check(other)
        if _unseen(told, run, other, main):
            continue
        waits = 2 * TIME_OUT if services.slow(other, main, run.at) or services.slow(other, main, since) else 0.0
        if services.fails_all_along(other, main, since - waits, run.at):
            return other
    return ""


def _for_checks(told: Chronicle) -> list[Run]:
    return [run for run in told.runs if run.alert.name == ALERT_NAME]


def _hindered(told: Chronicle, since: float, until: float) -> bool:
    """Whether what was seen at one instant may be unknown at another: who saw it died before telling."""
    return any(one.what.startswith(ACTORS) and one.since <= until and one.until >= since for one in told.hindrances)


def _unseen(told: Chronicle, run: Run, service: str, check: str) -> bool:
    """Whether the look before acting had no answer of a check, because something kept who answers from it. Unknown
    stops nothing, as it is written."""
    return run.saw.get((service, check)) is None and _hindered(told, run.at - LOOK_TAKES - WATCHES_AGAIN_WITHIN, run.at)


def _waited_in_vain(world: World, run: Run, check: str) -> bool:
    """Whether slow checks, its own or of what it stands on, took all the time of the look before acting, so that it had
    no answer: the check passed only afterwards."""
    services, began = world.services, run.at - LOOK_TAKES
    asked = [(run.service, check), *((one, services.main_check(one)) for one in services.standing_on(run.service))]
    slow = any(services.slow(*one, at) for one in asked for at in (began, began + FRESH, run.at - FRESH))
    return run.saw.get((run.service, check)) is None and slow


def _looks_from(told: Chronicle, run: Run) -> float:
    """Since when whatever is so is seen by a look before acting: longer ago where something kept it from looking."""
    lost = sum(
        min(one.until, run.at) - max(one.since, run.at - BEFORE)
        for one in told.hindrances
        if one.what.startswith(ACTORS) and one.since < run.at and one.until > run.at - BEFORE
    )
    return run.at - PLAIN_FOR - lost


def _last_answer(told: Chronicle, ledger: Ledger, alert_id: str) -> tuple[str, float] | None:
    """The last thing automation said about an alert, where that is a refusal for now."""
    for decision in reversed(ledger.decisions):
        for reason in reversed(decision.reasons):
            if alert_id in reason["subjects"] and reason["code"] in ANSWERS:
                if any(ledger.runs[one].alert_id == alert_id for one in reason["subjects"] if one in ledger.runs):
                    return None  # its own remedy is at work, or was
                at = instant(decision.at)
                return (reason["code"], at) if reason["code"] in REFUSED_FOR_NOW else None
    return None


def _free_again(told: Chronicle, ledger: Ledger, alert: Alert, code: str, refused: float) -> float | None:
    """Since when what spoke against it speaks no more; None while it does."""
    config = told.configs.values[-1]
    remedy = choose(config, alert)
    if remedy is None or remedy.autonomy != "auto":
        return None
    runs = [run for run in ledger.runs.values() if run.service == alert.service or run.incident_id == alert.incident_id]
    if any(run.finished_at is None for run in runs) or ledger.stopped_until is None:
        return None
    ends = [instant(run.finished_at) for run in runs if run.finished_at is not None]
    rests = [end + remedy.limits.cooldown for end in ends]
    return max([refused, *rests, ledger.stopped_until and instant(ledger.stopped_until), told.configs.times[-1]])
