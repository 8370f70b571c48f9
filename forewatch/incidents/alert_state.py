"""How an alert of an incident stands, as people read it: firing, resolved, or withheld from somebody and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from forewatch.alerting.alert import Alert
from forewatch.alerting.suppression import Withheld


@dataclass(frozen=True)
class AlertState:
    name: Literal["firing", "withheld", "resolved"]
    why: str = ""
    """Of a withheld one: a clause."""


def state_of(alert: Alert, withheld: Sequence[Withheld]) -> AlertState:
    """`withheld`: the routes on which nobody is notified; what holds for all routes is not said again for one."""
    if alert.status == "resolved":
        return AlertState("resolved")
    said: list[str] = []
    for one in sorted(withheld, key=lambda each: each.route):
        texts = [reason.text for reason in one.reasons if reason.text not in said]
        # A reason of the route's own calendar names it already.
        if texts and one.route and not texts[0].startswith(one.route):
            texts[0] = f"{one.route} notifies nobody: {texts[0]}"
        said += texts
    return AlertState("withheld", "; ".join(said)) if said else AlertState("firing")
