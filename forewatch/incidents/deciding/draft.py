"""An outcome in the making: what one decision has changed, ordered and given reasons for so far."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from forewatch.alerting.alert import Alert
from forewatch.alerting.suppression import Withheld
from forewatch.errors import TransitionRefused
from forewatch.incidents.incident import MAY_BECOME, Incident, Status
from forewatch.incidents.outcome import (
    AddEntry,
    Change,
    Effect,
    Letter,
    Outcome,
    PutAlert,
    PutIncident,
    PutRun,
    PutWithheld,
    Reason,
    SetTimer,
)
from forewatch.incidents.view import View
from forewatch.remedy.run import Run

if TYPE_CHECKING:
    from forewatch.incidents.deciding.sending import Post

Result = TypeVar("Result")

FOREWATCH = "forewatch"
"""The actor of what Forewatch does by itself."""


class Draft:
    """Collects an `Outcome`. No incident can be changed through it without leaving a line on its timeline."""

    def __init__(self, view: View, now: int) -> None:
        self.view = view
        self.now = now
        self._changes: list[Change] = []
        self._effects: list[Effect] = []
        self._reasons: list[Reason] = []
        self._looked_up: dict[Hashable, Any] = {}
        self._posts: list[Post] = []
        self._alerts: dict[str, Alert] = {}
        self._opened: set[str] = set()
        self._holds: set[tuple[str | None, int]] = set()

    def once(self, key: Hashable, look: Callable[[], Result]) -> Result:
        """What a look-up answers, asked once: nothing changes in the view while a decision is taken."""
        if key not in self._looked_up:
            self._looked_up[key] = look()
        found: Result = self._looked_up[key]
        return found

    def because(self, code: str, text: str, *subjects: str | None) -> None:
        """Give a reason: stable code, plain sentence, the ids it speaks of (None is left out)."""
        self._reasons.append(Reason(code, text, tuple(subject for subject in subjects if subject)))

    def order(self, *effects: Effect) -> None:
        self._effects.extend(effects)

    def alert_now(self, alert_id: str) -> Alert | None:
        """An alert as this decision leaves it so far."""
        return self._alerts.get(alert_id) or self.view.alert(alert_id)

    def put_alert(self, alert: Alert) -> None:
        self._alerts[alert.id] = alert
        self._changes.append(PutAlert(alert))

    def firing_put_in(self, incident_id: str) -> list[Alert]:
        """What fires of an incident as far as this decision has changed it."""
        return [one for one in self._alerts.values() if one.incident_id == incident_id and one.status == "firing"]

    def move_alert(self, alert: Alert, incident_id: str) -> None:
        """Put an alert into another incident. One that is over was not heard of by that: it ended when it did."""
        at = self.now if alert.status == "firing" else alert.updated_at
        self.put_alert(replace(alert, incident_id=incident_id, updated_at=at))

    def open_incident(self, incident: Incident, text: str) -> None:
        self._changes.append(PutIncident(incident))
        self._opened.add(incident.id)
        self.log(incident.id, "opened", text)

    def opened(self, incident_id: str) -> bool:
        """Whether this decision has opened the incident: nobody was told of it yet."""
        return incident_id in self._opened

    def change_incident(
        self, incident: Incident, kind: str, text: str, *, actor: str = FOREWATCH, **fields: Any
    ) -> Incident:
        """Replace fields of an incident, at its next revision, with a line on its timeline.

        Raises TransitionRefused for a status it may not take. One change of an incident a decision.
        """
        status: Status | None = fields.get("status")
        if status is not None and status not in MAY_BECOME[incident.status]:
            resolution = f" ({incident.resolution})" if incident.resolution else ""
            raise TransitionRefused(f"{incident.id} is {incident.status}{resolution} and cannot become {status}")
        changed = replace(incident, revision=incident.revision + 1, **fields)
        self._changes.append(PutIncident(changed))
        self.log(incident.id, kind, text, actor=actor)
        return changed

    def log(self, incident_id: str | None, kind: str, text: str, *, actor: str = FOREWATCH, **data: Any) -> None:
        """A line on an incident's timeline; nothing where there is no incident."""
        if incident_id is not None:
            self._changes.append(AddEntry(incident_id, kind, actor, text, data))

    def put_withheld(self, withheld: Withheld, incident_id: str | None) -> None:
        self._changes.append(PutWithheld(withheld, incident_id))

    def change(self, *changes: Change) -> None:
        """Changes that touch no incident."""
        self._changes.extend(changes)

    def new_run(self, run: Run) -> Run:
        self._changes.append(PutRun(run))
        return run

    def change_run(self, run: Run, **fields: Any) -> Run:
        """Replace fields of a run, if it still is in the state it was read in."""
        changed = replace(run, **fields)
        self._changes.append(PutRun(changed, expected=run.state))
        return changed

    def post(self, post: Post) -> None:
        """Have a letter sent at the end of the decision, with all else that it tells the same receiver."""
        self._posts.append(post)

    def take_back(self, notifier: str, alert_id: str) -> list[Letter]:
        """Letters to a notifier about an alert that are not to be sent after all."""
        taken = [post for post in self._posts if (post.letter.notifier, post.letter.alert_id) == (notifier, alert_id)]
        self._posts = [post for post in self._posts if post not in taken]
        return [post.letter for post in taken]

    def posted(self) -> list[Post]:
        return self._posts

    def hold_until(self, incident_id: str | None, until: int) -> None:
        """Something of an incident is held till then: look at it in that moment, once."""
        if incident_id is not None and (incident_id, until) not in self._holds:
            self._holds.add((incident_id, until))
            self.order(SetTimer("hold", incident_id, until))

    def outcome(self) -> Outcome:
        return Outcome(self._changes, self._effects, self._reasons)
