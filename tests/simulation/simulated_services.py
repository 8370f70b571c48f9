"""What ails the services of a simulated world, and what their checks see of it: now, and at any instant before.

A fault is of a service or of one of its checks, for a time. A check that goes through to the services its own stands
on fails with the main check of any of them; all fail while their service is being restarted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

SAYS = {"refused": "connection refused", "time-out": "no answer in time", "status": "answers 500"}
"""Kinds of faults -> what a check says of them."""


@dataclass
class Fault:
    """`check` is empty where all of the service fail. Instants in seconds."""

    service: str
    check: str
    since: float
    until: float
    kind: str = "refused"


@dataclass(frozen=True)
class Result:
    """What a check saw. Instants in seconds."""

    at: float
    ok: bool


class Services:
    """`depends_on` by service; `main` names the check of each by which those that need it fare; `through` are the
    checks that fail where a service theirs stands on does."""

    def __init__(
        self,
        depends_on: Mapping[str, tuple[str, ...]],
        main: Mapping[str, str],
        through: frozenset[tuple[str, str]],
        now: Callable[[], float],
    ) -> None:
        self.depends_on = depends_on
        self.faults: list[Fault] = []
        self.restarts: list[Fault] = []
        self.results: defaultdict[tuple[str, str], list[Result]] = defaultdict(list)
        """(service, check) -> what was probed, oldest first."""
        self._main = main
        self._through = through
        self._now = now

    def fall_ill(self, service: str, check: str, lasts: float, kind: str = "refused") -> None:
        self.faults.append(Fault(service, check, self._now(), self._now() + lasts, kind))

    def restart(self, service: str, takes: float, *, heals: bool) -> None:
        """It is away while it restarts; if it `heals`, its own faults are gone with that."""
        now = self._now()
        self.restarts.append(Fault(service, "", now, now + takes))
        if heals:
            for fault in self.faults:
                if fault.service == service and fault.until > now:
                    fault.until = now

    def trouble(self, service: str, check: str, at: float | None = None) -> str:
        """Why a check fails, in words; empty where it passes."""
        at = self._now() if at is None else at
        own = self.own_trouble(service, check, at)
        if own or (service, check) not in self._through:
            return own
        for other in self.depends_on.get(service, ()):
            if self.trouble(other, self._main[other], at):
                return f"answers 503: no answer from {other}"
        return ""

    def own_trouble(self, service: str, check: str, at: float) -> str:
        """As `trouble`, of what lies with the service itself."""
        for fault in (*self.faults, *self.restarts):
            if fault.service == service and fault.check in ("", check) and fault.since <= at < fault.until:
                return SAYS[fault.kind]
        return ""

    def slow(self, service: str, check: str, at: float | None = None) -> bool:
        """Whether a check gets no answer at all and waits for its time-out."""
        return self.trouble(service, check, at) == SAYS["time-out"]

    def fails_all_along(self, service: str, check: str, since: float, until: float) -> bool:
        return all(self.trouble(service, check, at) for at in self._instants(since, until))

    def passes_all_along(self, service: str, check: str, since: float, until: float) -> bool:
        return not any(self.trouble(service, check, at) for at in self._instants(since, until))

    def well_all_along(self, service: str, check: str, since: float, until: float) -> bool:
        """Nothing is wrong with the service itself, as far as this check goes."""
        return not any(self.own_trouble(service, check, at) for at in self._instants(since, until))

    def last_result(self, service: str, check: str, at: float) -> Result | None:
        """The newest result at an instant."""
        return next((one for one in reversed(self.results[service, check]) if one.at <= at), None)

    def main_check(self, service: str) -> str:
        return self._main[service]

    def standing_on(self, service: str) -> set[str]:
        """The services it depends on, any steps away."""
        found: set[str] = set()
        new = {*self.depends_on.get(service, ())}
        while new:
            found |= new
            new = {more for one in new for more in self.depends_on.get(one, ())} - found
        return found

    def _instants(self, since: float, until: float) -> list[float]:
        """Instants at which anything may have changed between two, and both of them."""
        edges = {edge for fault in (*self.faults, *self.restarts) for edge in (fault.since, fault.until)}
        return [since, *sorted(edge for edge in edges if since < edge <= until), until]
