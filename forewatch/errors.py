"""Every error Forewatch raises on purpose.

ForewatchError                 permanent says whether trying again can help
├── ConfigError                the configuration is wrong; carries every problem found
├── SecretError                a secret reference cannot be resolved
├── StoreError
│   ├── StoreTooNew            written by a newer Forewatch; permanent
│   ├── StoreUnavailable       locked, disk full, read-only; may pass
│   └── Fenced                 another holder has a later term; permanent for this holder
├── HomeInUse                  another `forewatch up` has this state folder
├── HomeNotOurs                the state folder belongs to another user
├── PortTaken                  an address we must listen on is in use
├── NotFound                   no such incident, alert, notification, run, service, runbook
├── TransitionRefused          the state machine does not allow this step
├── RunbookError
│   ├── StepFailed             a step did what it could and it was not enough
│   ├── StepUnknown            a step was under way when its process died; a person must look
│   ├── SequenceChanged        a resumed runbook takes other steps than the receipts say
│   └── ActionRefused          limits, stop switch, autonomy: the step may not act
│       └── Interrupted        this process is to end; another goes on from the receipts
├── StateUnreadable            a stored model is damaged or of another version; it is fitted anew
└── DeliveryFailed             a notifier could not hand a notification over
"""

from __future__ import annotations


class ForewatchError(Exception):
    """One plain sentence naming the thing, the place and the remedy."""

    permanent = True

    def __init__(self, message: str, *, permanent: bool | None = None) -> None:
        super().__init__(message)
        if permanent is not None:
            self.permanent = permanent


class ConfigError(ForewatchError):
    """The configuration is wrong. `problems` holds one line each, `file:line:column: where: what`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class SecretError(ForewatchError):
    pass


class StoreError(ForewatchError):
    pass


class StoreTooNew(StoreError):
    pass


class StoreUnavailable(StoreError):
    permanent = False


class StoreBusy(StoreUnavailable):
    """Others hold its lock: space would not help."""


class Fenced(StoreError):
    pass


class HomeInUse(ForewatchError):
    pass


class HomeNotOurs(ForewatchError):
    pass


class PortTaken(ForewatchError):
    pass


class NotFound(ForewatchError):
    pass


class TransitionRefused(ForewatchError):
    pass


class RunbookError(ForewatchError):
    pass


class StepFailed(RunbookError):
    pass


class StepUnknown(RunbookError):
    pass


class SequenceChanged(RunbookError):
    pass


class ActionRefused(RunbookError):
    pass


class TakenOver(ActionRefused):
    """The run is another flow run's by now, or waits for one: how it ends is not this one's to say."""


class Interrupted(ActionRefused):
    permanent = False


class DeliveryFailed(ForewatchError):
    """`permanent` says that the receiver will never take it; `retry_after`: seconds it asked us to wait."""

    def __init__(self, message: str, *, permanent: bool | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, permanent=permanent)
        self.retry_after = retry_after


class StateUnreadable(ForewatchError):
    """A stored model is damaged or of another version: it is to be fitted anew."""
