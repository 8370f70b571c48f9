"""Whether the work in this process should end, and why. Set by the child that runs it, read by whatever works in it."""

from __future__ import annotations

from collections.abc import Callable

_reason: str | None = None
_worker_gone = False
_tell_beat: Callable[[str], None] | None = None


def stop(reason: str) -> None:
    """Ask all work in this process to end after its current step; the first reason stays."""
    global _reason
    _reason = _reason or reason


def worker_gone() -> None:
    """The worker that started us is gone: shifts go on, runbooks stop after their current step."""
    global _worker_gone
    _worker_gone = True


def asked_to_stop() -> str | None:
    """For a shift: why it should end, None while it may go on."""
    return _reason


def without_worker() -> bool:
    """Whether nobody is at the other end of the pipe any more."""
    return _worker_gone


def runbook_should_stop() -> str | None:
    """For a runbook, between two steps: why it should end, None while it may go on."""
    return _reason or ("the worker that ran it is gone" if _worker_gone else None)


def beat_bell(shift: str) -> str:
    """The bell that a holder rings with every beat once the worker that started it is gone, for a later one to hear."""
    return f"beat-{shift}"


def carry_beats(tell: Callable[[str], None]) -> None:
    """How this process's shifts show life to the worker without the store."""
    global _tell_beat
    _tell_beat = tell


def tell_beat(shift: str) -> None:
    """Show life for a shift; nothing where nobody listens."""
    if _tell_beat is not None:
        _tell_beat(shift)
