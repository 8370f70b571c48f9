"""What `forewatch` must start or call outside itself, by entry-point string, so that it imports none of it.

Loading is late: the CLI that only prints incidents does not pay for Prefect or the probes.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

ENTRY_POINTS = {
    "probe": "tasks.probes:probe",
    "probe_now": "tasks.probes.report:probe_now",
    "sender": "notifiers:sender_for",
    "test_notifier": "tasks.delivery:send_test",
    "send_alone": "tasks.delivery:send_alone",
    "watch": "flows.shifts:watch",
    "flows": "flows:all_flows",
    "carry_out": "flows.respond:carry_out",
    "runbooks": "runbooks:all_runbooks",
    "runbook": "runbooks:find",
    "runbook_flow": "runbooks:load",
}


def load(name: str) -> Any:
    """The object behind a name of `ENTRY_POINTS`. Raises KeyError for an unknown name, ImportError if it is broken."""
    module, _, attribute = ENTRY_POINTS[name].partition(":")
    return getattr(import_module(module), attribute)
