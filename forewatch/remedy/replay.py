"""How a run that is resumed goes on: what its receipts say about the step it is about to take.

A runbook is plain Python, resumed from its top. Each step it comes to is told apart by name, ordinal and a hash of its
inputs, and answered from its receipt where there is one, so that nothing is done twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from forewatch.errors import RunbookError, SequenceChanged

Kind = Literal["act", "observe"]


@dataclass(frozen=True)
class Call:
    """A step as the runbook comes to it. `ordinal` counts from 1 in the order of the calls."""

    ordinal: int
    name: str
    kind: Kind
    input_hash: str


class Receipt(Protocol):
    """What is known of one step of a run. `intent`: it was about to begin; whether it did, nobody wrote down."""

    @property
    def run_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def input_hash(self) -> str: ...
    @property
    def state(self) -> Literal["intent", "done", "failed"]: ...
    @property
    def result(self) -> Any: ...
    @property
    def error(self) -> str | None: ...


@dataclass(frozen=True)
class Perform:
    """Take the step. `intended`: its intent is written already, by an earlier attempt that may have begun."""

    intended: bool = False


@dataclass(frozen=True)
class Recorded:
    """It is done: return this."""

    result: Any


@dataclass(frozen=True)
class Failed:
    """It failed before, and the runbook went its way from there: fail again with the same words."""

    error: str


@dataclass(frozen=True)
class Unclear:
    """A step that acts was under way when its process died: only its probe or a person can tell if it took effect."""


Move = Perform | Recorded | Failed | Unclear


def next_move(receipts: Mapping[int, Receipt], call: Call) -> Move:
    """What to do about `call`, given the run's receipts by ordinal. Raises SequenceChanged for another step."""
    receipt = receipts.get(call.ordinal)
    if receipt is None:
        return Perform()
    if (receipt.name, receipt.kind, receipt.input_hash) != (call.name, call.kind, call.input_hash):
        other = "with other inputs" if receipt.name == call.name else f"where {receipt.name} was taken before"
        raise SequenceChanged(
            f"step {call.ordinal} of the resumed {receipt.run_id} is {call.name} {other}: its runbook or what it reads "
            "outside steps has changed meanwhile; look at what was done and start a new run"
        )
    if receipt.state == "done":
        return Recorded(receipt.result)
    if receipt.state == "failed":
        return Failed(receipt.error or "it failed")
    return Unclear() if receipt.kind == "act" else Perform(intended=True)


def as_json(value: Any, what: str) -> Any:
    """`value` as it is after a round through JSON, so that a replay sees the very same. Raises RunbookError."""
    try:
        return json.loads(_canonical(value))
    except (TypeError, ValueError) as error:
        raise RunbookError(
            f"{what} is not plain JSON ({error}); steps take and return text, numbers, lists and mappings"
        ) from error


def input_hash(inputs: Mapping[str, Any]) -> str:
    """What tells two sets of JSON inputs apart, however their keys are ordered."""
    return hashlib.sha256(_canonical(inputs).encode()).hexdigest()[:32]


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
