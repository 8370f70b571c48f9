"""Jobs that must call in: what a call changes, and how a heartbeat stands. Pure; time and schedule are parameters.

Calls come in the form of healthchecks: `/start`, success, `/fail` or an exit code, `/log`. A heartbeat is `new` until
the first success or failure, `up`, in `grace` once its next call is due, and `down` when the grace is over, when a run
that said `/start` has not finished within the grace, or when it failed; the next success ends that.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from forewatch.clock import micros, seconds, to_datetime
from forewatch.config.cron import last_before, next_after, zone_of
from forewatch.config.targets import HeartbeatTarget
from forewatch.units import format_duration

Kind = Literal["success", "start", "fail", "log"]
Status = Literal["new", "up", "grace", "started", "down"]

PAIRED = 72 * 3600.0
"""Seconds after which a start has no finish any more."""
PER_MINUTE = 5
"""Calls of a job that are certain to be taken, of one with a short period more; of further ones only those that
matter."""
MOST_RUNS = 32
"""Runs of one job under way at once whose times are known."""
_LAST_LINES = 3
_LONGEST_WORDS = 300


def certain_a_minute(target: HeartbeatTarget) -> int:
    """Calls a minute that are certain to be taken: three in each period, for a start, a finish and a call too many."""
    return PER_MINUTE if target.period is None else max(PER_MINUTE, math.ceil(3 * 60 / target.period))


@dataclass(frozen=True, slots=True)
class Ping:
    """One call. `words` are the last lines it brought."""

    kind: Kind
    rid: str | None = None
    """Tells overlapping runs apart: a run's start and finish bear the same."""
    code: int | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What is known of one job. Instants in microseconds."""

    counts_from: int
    """Calls are expected from here on: when it was first configured, or when we heard again after we could not."""
    status: Literal["new", "up", "down"] = "new"
    """By the last success or failure, or by a deadline that had passed when the next run started."""
    last_at: int | None = None
    """Of the last success or failure."""
    started_at: int | None = None
    """Of the newest run, while it has not finished."""
    started_rid: str | None = None
    runs: Mapping[str, int] = field(default_factory=dict)
    """When each run under way began that has an id."""
    duration: float | None = None
    """Seconds the last run took whose start and finish came."""
    down_at: int | None = None
    why: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    status: Status
    reason: str
    deadline: int | None = None
    """When it will be down if nothing comes."""

    @property
    def failing(self) -> bool:
        return self.status == "down"


def key_of(token: str) -> str:
    """What the store knows a job by: who reads the store cannot call in its name."""
    return hashlib.sha256(token.lower().encode()).hexdigest()


def last_words(body: str) -> str:
    """The last lines of a call's body, on one line."""
    lines = [line.strip() for line in body.splitlines() if line.strip()]
    text = " / ".join(lines[-_LAST_LINES:])
    return text if len(text) <= _LONGEST_WORDS else f"…{text[1 - _LONGEST_WORDS :]}"


def receive(before: Heartbeat, schedule: HeartbeatTarget, ping: Ping, now: int) -> Heartbeat:
    """The state after a call."""
    if ping.kind == "log":
        return before
    runs = {rid: at for rid, at in before.runs.items() if now - at <= micros(PAIRED)}
    if ping.kind == "start":
        if ping.rid is not None:
            runs = dict([*runs.items(), (ping.rid, now)][-MOST_RUNS:])
        return replace(_settled(before, schedule, now), started_at=now, started_rid=ping.rid, runs=runs)
    began = runs.pop(ping.rid, None) if ping.rid is not None else before.started_at
    paired = ping.rid == before.started_rid
    if began is not None and now - began > micros(PAIRED):
        began = None
    # A success of another run says nothing of the newest one; a failure, or a finish without an id, ends the waiting.
    over = paired or ping.rid is None or ping.kind == "fail"
    failed = ping.kind == "fail"
    return replace(
        before,
        status="down" if failed else "up",
        last_at=now,
        started_at=None if over else before.started_at,
        started_rid=None if over else before.started_rid,
        runs=runs,
        duration=None if began is None else seconds(now - began),
        down_at=now if failed else None,
        why=("failed" if ping.code is None else f"failed with exit code {ping.code}") if failed else "",
        words=ping.words if failed else "",
    )


def judge(state: Heartbeat, schedule: HeartbeatTarget, now: int) -> Verdict:
    """How a heartbeat stands."""
    grace = micros(schedule.grace)
    if state.status == "down":
        words = f": {state.words}" if state.words else ""
        return Verdict("down", f"{state.why} {_ago(state.down_at or now, now)}{words}")
    overrun = None if state.started_at is None else state.started_at + grace
    if state.started_at is not None and overrun is not None and now >= overrun:
        allowed = format_duration(schedule.grace)
        return Verdict("down", f"started {_ago(state.started_at, now)} and has not finished (grace {allowed})")
    due = _due(state, schedule)
    deadline = due + grace if overrun is None else min(due + grace, overrun)
    if now >= due + grace:
        ahead = _too_early(state, schedule, due)
        return Verdict("down", f"{_last_call(state, now)}, expected {_expected(schedule, due)}{ahead}")
    if state.started_at is not None:
        return Verdict("started", f"started {_ago(state.started_at, now)}", deadline)
    if state.status == "new":
        return Verdict("new", f"has not called in yet, expected {_expected(schedule, due)}", deadline)
    took = "" if state.duration is None else f", took {format_duration(state.duration)}"
    status: Status = "grace" if now >= due else "up"
    return Verdict(status, f"{_last_call(state, now)}{took}{_ahead(state, schedule)}", deadline)


def matters(state: Heartbeat, schedule: HeartbeatTarget, ping: Ping, now: int) -> bool:
    """Whether a call may not be dropped, however many there are: a failure, or what ends a failure or a run."""
    if ping.kind == "fail":
        return True
    under_way = state.started_at is not None or ping.rid in state.runs
    return ping.kind == "success" and (under_way or judge(state, schedule, now).status not in ("up", "grace"))


def excused(state: Heartbeat, schedule: HeartbeatTarget, heard_until: int, now: int) -> Heartbeat:
    """The state after a time, from `heard_until` to now, in which no call could be heard.

    Where the next call (it may come the grace earlier or later) or the end of a run may have come then, the job gets
    its time once more. What was missing before stays missing; and a job whose call is not near is expected as before,
    or frequent restarts would keep a dead one from ever being noticed.
    """
    if judge(state, schedule, heard_until).failing:
        return state
    if state.started_at is None and _due(state, schedule) - micros(schedule.grace) >= now:
        return state
    return replace(state, counts_from=now, started_at=None, started_rid=None)


def clipped(state: Heartbeat, now: int) -> Heartbeat:
    """The state with no instant after `now`: a clock that was set back must not make a job waited for all the more."""

    def not_after(at: int | None) -> int | None:
        return None if at is None else min(at, now)

    runs = {rid: min(at, now) for rid, at in state.runs.items()}
    clipped = replace(
        state,
        counts_from=min(state.counts_from, now),
        last_at=not_after(state.last_at),
        started_at=not_after(state.started_at),
        runs=runs,
        down_at=not_after(state.down_at),
    )
    return state if clipped == state else clipped


def _settled(state: Heartbeat, schedule: HeartbeatTarget, now: int) -> Heartbeat:
    """A deadline that has passed stays passed until the next success, though a new run starts."""
    if state.status == "down" or not judge(state, schedule, now).failing:
        return state
    grace = micros(schedule.grace)
    overrun = state.started_at is not None and now >= state.started_at + grace
    why = "did not finish in time; that was noticed" if overrun else "did not call in in time; the next run began"
    return replace(state, status="down", down_at=now, why=why, words="")


def _due(state: Heartbeat, schedule: HeartbeatTarget) -> int:
    """When the next call is expected."""
    base = max(state.last_at or 0, state.counts_from)
    if schedule.period is not None:
        return base + micros(schedule.period)
    return next_after(schedule.cron or "", schedule.zone, max(base, _came_early_for(state, schedule) or 0))


def _came_early_for(state: Heartbeat, schedule: HeartbeatTarget) -> int | None:
    """The moment the last call came a little before, by a clock that is ahead of ours; None where it did not.

    A run counts from its start where that is known, so that one which takes nearly a period is not early for the next.
    """
    if schedule.cron is None or state.last_at is None:
        return None
    due = next_after(schedule.cron, schedule.zone, state.last_at)
    early = due - state.last_at + micros(state.duration or 0.0)
    if early > micros(schedule.early):
        return None
    before = last_before(schedule.cron, schedule.zone, due)
    return due if before is None or early <= (due - before) / 2 else None


def _last_call(state: Heartbeat, now: int) -> str:
    if state.last_at is None:
        return f"has never called in, {format_duration(seconds(now - state.counts_from))} after it was configured"
    away = ""
    if state.counts_from > state.last_at:
        away = f" (Forewatch could not hear it until {_ago(state.counts_from, now)})"
    return f"last called in {_ago(state.last_at, now)}{away}"


def _ahead(state: Heartbeat, schedule: HeartbeatTarget) -> str:
    due = _came_early_for(state, schedule)
    if due is None or state.last_at is None:
        return ""
    return f", {format_duration(seconds(due - state.last_at))} before it was due: its clock may be ahead"


def _too_early(state: Heartbeat, schedule: HeartbeatTarget, due: int) -> str:
    """Where what is missing may be a call that came, by a clock further ahead than is taken."""
    if schedule.cron is None or state.last_at is None or not 0 < due - state.last_at <= micros(schedule.grace):
        return ""
    early = format_duration(seconds(due - state.last_at))
    return f"; that was {early} before it was due: if its clock is ahead, put it right or set `early`"


def _expected(schedule: HeartbeatTarget, due: int) -> str:
    grace = format_duration(schedule.grace)
    if schedule.period is not None:
        return f"every {format_duration(schedule.period)} (grace {grace})"
    local = to_datetime(due).astimezone(zone_of(schedule.zone))
    return f'at {local:%Y-%m-%d %H:%M} {schedule.zone} by "{schedule.cron}" (grace {grace})'


def _ago(at: int, now: int) -> str:
    passed = seconds(now - at)
    return f"{format_duration(passed)} ago" if passed >= 1 else "just now"
