"""Every private name of Prefect we lean on, in one place. `tests/unit/orchestration/test_prefect_contract.py` holds
each of them to what we need, so that an upgrade that moves one fails loudly there and not at 3 a.m.
"""

from __future__ import annotations

from prefect._internal import control_listener


def mark_cancelled() -> None:
    """Tell the flow engine in this process that the cancellation it is about to see was asked for by a person.

    The engine then ends the run as Cancelled; without it, a cancelled asyncio task is recorded as Crashed.
    """
    control_listener._set_intent("cancel")
