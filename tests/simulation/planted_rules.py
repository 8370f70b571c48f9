"""Rules that were once the product's own and cost pages, restarts and trust, planted again: each must be found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from forewatch.alerting.alert import at_least
from forewatch.clock import micros
from forewatch.incidents.deciding import alert_response, alerts, automation, correlation, remedy_retry

Plant = Callable[[], Any]


@dataclass(frozen=True)
class Recipe:
    """`promise` names the one that must find it, in histories of these kinds of happenings alone; `plant` puts the rule
    in place while its context lasts."""

    promise: str
    among: tuple[str, ...]
    plant: Plant


PLANTED_RULES: dict[str, Recipe] = {}


def planted(name: str, *, breaks: str, among: tuple[str, ...] = ("falls ill",)) -> Callable[[Plant], Plant]:
    def keep(plant: Plant) -> Plant:
        PLANTED_RULES[name] = Recipe(breaks, among, contextmanager(plant))
        return plant

    return keep


def instead(module: Any, **others: Any) -> Any:
    return mock.patch.multiple(module, **others)


@planted("who was told of the incident counts as told of its alerts", breaks="named")
def _told_by_incident() -> Iterator[None]:
    with instead(alert_response, tell_of_trouble=_only_who_knows_nothing(lambda incident: True)):
        yield


@planted("what joins an acknowledged incident is told to nobody", breaks="named", among=("falls ill", "acknowledges"))
def _swallowed() -> Iterator[None]:
    with instead(alert_response, tell_of_trouble=_only_who_knows_nothing(lambda one: one.status == "acknowledged")):
        yield


def _only_who_knows_nothing(applies: Callable[[Any], bool]) -> Any:
    real = alert_response.tell_of_trouble

    def tell(draft: Any, incident: Any, alert: Any, routes: Any, said: Any, **more: Any) -> None:
        heard = draft.view.heard(incident.id, alert) if applies(incident) and not draft.opened(incident.id) else {}
        knows = {notifier for notifier, one in heard.items() if at_least(one.worst, alert.severity)}
        routes = [replace(one, notify=tuple(name for name in one.notify if name not in knows)) for one in routes]
        real(draft, incident, alert, routes, said, **more)

    return tell


@planted(
    "a new label resolves the alert of a check that fails on", breaks="resolved", among=("falls ill", "is configured")
)
def _resolved_by_a_label() -> Iterator[None]:
    def relabel(draft: Any, firing: Any, mark: str, event: Any) -> None:
        alerts._end(draft, firing, draft.now, "")

    with instead(alerts, _relabel=relabel):
        yield


@planted(
    "a dependant that is well again is restarted for a look too few",
    breaks="acts for what fails",
    among=("falls ill", "comes and goes"),
)
def _healthy_dependant() -> Iterator[None]:
    with (
        instead(automation, passed_meanwhile=lambda draft, alert, seen: None),
        instead(remedy_retry, passed_meanwhile=lambda draft, alert, seen: None),
    ):
        yield


@planted("the service that is seen to fail first is restarted first", breaks="acts at the cause")
def _wrong_service() -> Iterator[None]:
    with instead(automation, dependency_unclear=lambda draft, alert, seen: None):
        yield


@planted("a refused remedy is not asked again", breaks="asked again")
def _refused_for_good() -> Iterator[None]:
    with instead(automation, ask_later=lambda draft, alert, refused: None):
        yield


@planted("an open incident of a neighbour takes whatever comes for five minutes", breaks="together")
def _glued() -> Iterator[None]:
    with instead(correlation, micros=lambda seconds: micros(300.0)):
        yield


@planted(
    "an alert that flaps keeps the incident of another service open",
    breaks="open",
    among=("falls ill", "comes and goes"),
)
def _kept_open() -> Iterator[None]:
    with mock.patch.object(alerts, "all", return_value=False, create=True):
        yield
