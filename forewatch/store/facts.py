"""What a decision saw that no decision made, kept with its observation so that it can be decided again.

Nearly all a decision looks at was put there by decisions before it. The rest is small, and recorded as it is read:

    ids                  the first and last number taken of each counter: what took those before may be deleted
    automation_stopped   what people and parts of our own had to say, where it was asked
    automation_down
    undelivered          of the notifications looked at, how those stood that were not sent: the delivery moves them on
    held                 which were still held of an incident that was looked at: one too old leaves by itself
    runs                 of the runs looked at, what the worker and the run itself write: OUTSIDE, in this order

`RecordingView` writes them down; `PlaybackView` shows them again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, bindparam, update

from forewatch.alerting.notification import Notification
from forewatch.config.models import Config
from forewatch.remedy.run import Run
from forewatch.store import schema
from forewatch.store.view import StoreView

Facts = Mapping[str, Any]

OUTSIDE = ("state", "attempts", "flow_run_id", "started_at", "acted_at")
"""The fields of a run that change without a decision."""

_SET_STATE = update(schema.outbox).where(schema.outbox.c.id == bindparam("of")).values(state=bindparam("now"))
_SET_RUN = (
    update(schema.runs)
    .where(schema.runs.c.id == bindparam("of"))
    .values({name: bindparam(f"seen_{name}") for name in OUTSIDE})
)


class RecordingView(StoreView):
    """The store as a decision sees it, with `facts` growing as it looks."""

    def __init__(self, conn: Connection, config: Config) -> None:
        super().__init__(conn, config)
        self.facts: dict[str, Any] = {}

    def new_id(self, prefix: str) -> str:
        taken = super().new_id(prefix)
        number = int(taken.rpartition("-")[2])
        self._under("ids").setdefault(prefix, [number, number])[1] = number
        return taken

    def run(self, run_id: str) -> Run | None:
        found = super().run(run_id)
        self._saw_runs([found] if found is not None else [])
        return found

    def runs_of(self, incident_id: str) -> list[Run]:
        return self._saw_runs(super().runs_of(incident_id))

    def runs_counted(self, remedy: str, since: int) -> list[Run]:
        return self._saw_runs(super().runs_counted(remedy, since))

    def runs_at_work(self, services: Collection[str]) -> list[Run]:
        return self._saw_runs(super().runs_at_work(services))

    def notifications_of(self, incident_id: str) -> list[Notification]:
        found = super().notifications_of(incident_id)
        if waiting := {one.id: one.state for one in found if one.state != "sent"}:
            self._under("undelivered").update(waiting)
        return found

    def held_in(self, incident_id: str) -> list[Notification]:
        found = super().held_in(incident_id)
        self._under("held")[incident_id] = [one.id for one in found]
        return found

    def automation_stopped(self) -> str | None:
        self.facts["automation_stopped"] = found = super().automation_stopped()
        return found

    def automation_down(self) -> str | None:
        self.facts["automation_down"] = found = super().automation_down()
        return found

    def _saw_runs(self, found: list[Run]) -> list[Run]:
        for run in found:
            self._under("runs")[run.id] = [getattr(run, name) for name in OUTSIDE]
        return found

    def _under(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.facts.setdefault(name, {})
        return found


class PlaybackView(StoreView):
    """A store in which decisions are taken again, with the facts of the observation that is processed."""

    def __init__(self, conn: Connection, config: Config, facts: Facts) -> None:
        super().__init__(conn, config)
        self._facts = facts
        self._ids = {prefix: list(range(first, last + 1)) for prefix, (first, last) in facts.get("ids", {}).items()}
        seen: Mapping[str, list[Any]] = facts.get("runs", {})
        for run_id, values in seen.items():
            set_outside(conn, run_id, values)

    def new_id(self, prefix: str) -> str:
        """The one that was taken then; where none was, one that no history can have."""
        if left := self._ids.get(prefix):
            return f"{prefix}-{left.pop(0)}"
        return f"{prefix}-new{super().new_id(prefix).rpartition('-')[2]}"

    def notifications_of(self, incident_id: str) -> list[Notification]:
        found = super().notifications_of(incident_id)
        undelivered = self._facts.get("undelivered", {})
        return show(self._conn, [(one, undelivered.get(one.id, "sent")) for one in found])

    def held_in(self, incident_id: str) -> list[Notification]:
        found = super().held_in(incident_id)
        held = self._facts.get("held", {}).get(incident_id, [])
        shown = show(self._conn, [(one, "held" if one.id in held else "sent") for one in found])
        return [one for one in shown if one.state == "held"]

    def automation_stopped(self) -> str | None:
        said: str | None = self._facts.get("automation_stopped")
        return said

    def automation_down(self) -> str | None:
        said: str | None = self._facts.get("automation_down")
        return said


def show(conn: Connection, stood: Iterable[tuple[Notification, Any]]) -> list[Notification]:
    """Let each notification stand as it is said to, here and in the store."""
    shown = []
    for notification, state in stood:
        if notification.state != state:
            conn.execute(_SET_STATE, {"of": notification.id, "now": state})
        shown.append(replace(notification, state=state))
    return shown


def set_outside(conn: Connection, run_id: str, values: Sequence[Any]) -> None:
    """Let a run stand as it was seen: the fields OUTSIDE, in that order."""
    seen = {f"seen_{name}": value for name, value in zip(OUTSIDE, values, strict=True)}
    conn.execute(_SET_RUN, {"of": run_id, **seen})
