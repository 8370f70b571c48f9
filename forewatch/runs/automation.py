"""Stopping all automation, and letting it act again: then what was refused meanwhile is asked again."""

from __future__ import annotations

from typing import Literal

from forewatch.bell import ring
from forewatch.deciding import decide_in
from forewatch.errors import NotFound
from forewatch.incidents.events import AutomationResumed
from forewatch.runtime import Runtime
from forewatch.store import switches


def turn_automation(runtime: Runtime, state: Literal["on", "off"], *, actor: str, reason: str) -> None:
    """Turn the switch, in one transaction with what follows from it. Nothing happens where it stands so already."""
    try:
        config = runtime.configuration.current()
    except NotFound:
        config = None  # nothing was ever watched, so nothing was refused
    with runtime.store.decide() as conn:
        now = runtime.clock.now()
        turned = switches.turn(conn, switches.AUTOMATION, state, actor=actor, reason=reason, now=now)
        if turned and state == "on" and config is not None:
            decide_in(conn, AutomationResumed(actor, now), config=config, now=now)
    ring(runtime.home, "page-people")
