"""What is news in an error tracker since the last look. Pure: what was seen, what is there now, what follows.

An issue is news when it is new, has regressed or escalates; it is over when it is resolved, archived, muted or gone,
or when Sentry calls it ongoing, which is no news any more. What was there when the source was first asked is not news:
only what was first seen since, or has come back since.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from forewatch.clock import seconds
from forewatch.config.sources import Source
from forewatch.incidents.events import Event
from forewatch.intake.issues import IGNORED, NEWS, ONGOING, OPEN, Issue, issue_cleared, issue_raised

MOST_REMEMBERED = 2_000
"""Issues of a source. Those whose alert fires are never forgotten."""
SHORTEST_SPAN = 60.0
"""Seconds: a rate over less would make much of single events."""
_NO_NEWS_ANY_MORE = [(ONGOING, state) for state in NEWS]
"""An issue that was ongoing all the while fires by a rule of the tracker, which does not end it."""


@dataclass(frozen=True)
class SeenIssue:
    """An issue as it was at `at`. `firing`: its alert fires, whoever raised it."""

    state: str
    events: int
    at: int
    last_seen: int
    firing: bool = False


@dataclass(frozen=True)
class Seen:
    """What is remembered of a source: since when it is asked, when it last answered, its issues by id."""

    since: int
    read_at: int | None = None
    """None before the first answer: what it holds was there before."""
    issues: Mapping[str, SeenIssue] = field(default_factory=dict)

    @property
    def firing(self) -> list[str]:
        return [issue_id for issue_id, issue in self.issues.items() if issue.firing]


@dataclass(frozen=True)
class Look:
    """What a tracker answered."""

    issues: Sequence[Issue]
    gone: Collection[str] = ()
    """Ids of issues that are there no more."""
    complete: bool = False
    """These are all that are not over: one that is not among them is over, or quiet for long."""


def news(seen: Seen, issue: Issue) -> str | None:
    """Why an alert of this issue is to be raised now, or again: new, regressed or escalating. None where it is not."""
    before = seen.issues.get(issue.id)
    if issue.over or seen.read_at is None:
        return None
    if before is None:
        if issue.state in ("regressed", "escalating"):
            return issue.state
        return "new" if issue.first_seen >= seen.since and issue.state != ONGOING else None
    if before.state == issue.state:
        return None
    if issue.state in NEWS:
        return issue.state
    if issue.state == OPEN and not before.firing:
        # A tracker that knows no more than open: it was over, and is not any more.
        return "escalating" if before.state == IGNORED else "regressed"
    return None


def changes(source: Source, seen: Seen, look: Look, now: int) -> tuple[Seen, list[Event]]:
    """What is remembered after a look, and the events it makes."""
    known = dict(seen.issues)
    events: list[Event] = []
    for issue in look.issues:
        before = known.get(issue.id)
        why = news(replace(seen, issues=known), issue)
        firing = before is not None and before.firing
        if why is not None:
            rate = _per_minute(issue, before, now)
            events.append(
                issue_raised(
                    source,
                    issue,
                    now,
                    why,
                    {"event_rate": f"{rate:.3g} a minute"},
                    values={"events_per_minute": round(rate, 3)},
                )
            )
            firing = True
        elif before is not None and before.firing and (issue.over or (issue.state, before.state) in _NO_NEWS_ANY_MORE):
            how = f"it is {issue.state} there" if issue.over else "it is no news any more"
            events.append(issue_cleared(source.name, issue.id, now, how))
            firing = False
        known[issue.id] = SeenIssue(issue.state, issue.events, now, issue.last_seen, firing)
    for issue_id in look.gone:
        forgotten = known.pop(issue_id, None)
        if forgotten is not None and forgotten.firing:
            events.append(issue_cleared(source.name, issue_id, now, "it is deleted there"))
    if look.complete:
        there = {issue.id for issue in look.issues}
        # When it comes back it must not look as if nothing had changed.
        known = {issue_id: issue for issue_id, issue in known.items() if issue.firing or issue_id in there}
    return _bounded(Seen(seen.since, now, known)), events


def _per_minute(issue: Issue, before: SeenIssue | None, now: int) -> float:
    """Events a minute since the last look; of an issue not seen before, since it was first seen."""
    since, had = (before.at, before.events) if before is not None else (issue.first_seen, 0)
    return max(0, issue.events - had) / max(SHORTEST_SPAN, seconds(now - since)) * 60


def _bounded(seen: Seen) -> Seen:
    """Without the issues that were quiet longest. None of those counts as new when it is seen again."""
    quiet = sorted((issue.last_seen, issue_id) for issue_id, issue in seen.issues.items() if not issue.firing)
    drop = quiet[: max(0, len(seen.issues) - MOST_REMEMBERED)]
    if not drop:
        return seen
    dropped = {issue_id for _, issue_id in drop}
    kept = {issue_id: issue for issue_id, issue in seen.issues.items() if issue_id not in dropped}
    return Seen(max(seen.since, drop[-1][0] + 1), seen.read_at, kept)
