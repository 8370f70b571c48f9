"""How a decision of a replay differs from the stored one, in plain sentences, or why that cannot be told."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from forewatch.clock import iso
from forewatch.incidents.outcome import Outcome, PutGroup, PutNotice, PutSilence
from forewatch.incidents.why import happening
from forewatch.store import decision_log
from forewatch.store.decision_log import DecisionRecord
from forewatch.store.engine import to_json
from forewatch.store.history import Extent
from forewatch.store.observations import Observation

_IDS = re.compile(r"\b(?:AL|INC|NT|RUN)-\d+\b")
_UUIDS = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_INSTANTS = re.compile(r"(?<![\w.\-])\d{16}(?![\w.])")
_LONGEST = 240


class Judge:
    """Compares decision by decision; knows what began within the history. Everything else began before it."""

    def __init__(self, known: Extent) -> None:
        self._known = known
        self._made: set[str] = set()
        self._told: set[str] = set()
        self._receivers: set[str] = set()

    def verdict(
        self, observation: Observation, outcome: Outcome | None, trouble: str, record: DecisionRecord | None
    ) -> str:
        """`same`, `before` (part of it lies before the history), or how the two differ, as text."""
        now = None if outcome is None else _as_stored(outcome)
        then = None if record is None else {name: getattr(record, name) for name in ("reasons", "changes", "effects")}
        self._note(observation, outcome)
        if not self._known.whole and self._reaches_back(observation, then):
            return self._before(now, then)
        if now == then and now is not None:
            # Only where both told the same at the same time is it known what a receiver waits for.
            self._receivers |= _receivers(now, "receiver")
            return "same"
        if not self._known.whole and (self._untold_group(then) or _receivers(then) - self._receivers):
            return self._before(now, then)
        where = f"Observation {observation.seq} ({iso(observation.at)}, {happening(observation.event)})"
        return f"{where}: {_difference(now, then, trouble)}"

    def _before(self, now: dict[str, Any] | None, then: dict[str, Any] | None) -> str:
        """It lies before the history in part; whom it told something may from now on wait for another time."""
        self._receivers -= _receivers(now) | _receivers(then)
        return "before"

    def _note(self, observation: Observation, outcome: Outcome | None) -> None:
        for prefix, (first, last) in observation.facts.get("ids", {}).items():
            self._made.update(f"{prefix}-{number}" for number in range(first, last + 1))
        for change in outcome.changes if outcome is not None else ():
            match change:
                case PutSilence(silence):
                    self._made.add(silence.id)
                case PutGroup(group):
                    self._made.add(group.key)
                case PutNotice(key):
                    self._told.add(key)
                case _:
                    pass

    def _reaches_back(self, observation: Observation, then: dict[str, Any] | None) -> bool:
        text = to_json([observation.event, then])
        spoken = {*_IDS.findall(text), *_UUIDS.findall(text)}
        if spoken - self._made:
            return True
        return any(int(at) < self._known.begins for at in _INSTANTS.findall(text) if int(at) > 10**15)

    def _untold_group(self, then: dict[str, Any] | None) -> bool:
        """Whether it is about a group that may have been told of something before the history."""
        keys = {change["group"] for change in (then or {}).get("changes", ()) if isinstance(change.get("group"), str)}
        return bool(keys - self._told)


def _receivers(decision: dict[str, Any] | None, *names: str) -> set[str]:
    """The notifiers a decision tells something or keeps something for; by the parts `names` alone where given."""
    parts = [*(decision or {}).get("changes", ()), *(decision or {}).get("effects", ())]
    found = {part[name]["notifier"] for part in parts for name in names or ("letter", "receiver") if name in part}
    return found if names else found | {part["notifier"] for part in parts if isinstance(part.get("notifier"), str)}


def _as_stored(outcome: Outcome) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads(to_json(decision_log.plain(outcome)))
    return stored


def _difference(now: dict[str, Any] | None, then: dict[str, Any] | None, trouble: str) -> str:
    if now is None:
        return f"it cannot be decided now: {trouble}."
    if then is None:
        return "no decision about it is stored, so there is nothing to compare."
    lost, gained = _apart([one["text"] for one in now["reasons"]], [one["text"] for one in then["reasons"]])
    said = []
    if lost:
        said.append("then " + " / ".join(map(_short, lost)))
    if gained:
        said.append("now " + " / ".join(map(_short, gained)))
    for name in ("changes", "effects"):
        if now[name] != then[name] and not said:
            said.append(_first(name, now[name], then[name]))
    return "; ".join(said) or "the same reasons in another order."


def _apart(now: Sequence[str], then: Sequence[str]) -> tuple[list[str], list[str]]:
    return [text for text in then if text not in now], [text for text in now if text not in then]


def _first(name: str, now: Sequence[dict[str, Any]], then: Sequence[dict[str, Any]]) -> str:
    """The first change or effect that is another."""
    number, one, other = next(
        (number, one, other) for number, (one, other) in enumerate(zip_longest(now, then), start=1) if one != other
    )
    what = f"{name[:-1]} {number}"
    if one is None or other is None:
        there = one or other or {}
        return f"{what}, {there.get('type')}, is {'only there now' if other is None else 'missing now'}"
    if one.get("type") != other.get("type"):
        return f"{what} was {other.get('type')} and is {one.get('type')} now"
    fields = sorted(key for key in {*one, *other} if one.get(key) != other.get(key))
    key = fields[0]
    return f"{what} ({one['type']}) has another {key}: then {_short(other.get(key))}, now {_short(one.get(key))}"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else to_json(value)
    return f'"{text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."}"'
