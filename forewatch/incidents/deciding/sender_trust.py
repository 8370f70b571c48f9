"""Whether the sender of an alert is known well enough for a remedy to act on its word."""

from __future__ import annotations

from forewatch.alerting.alert import Alert
from forewatch.config.models import Config
from forewatch.remedy.verdict import Refused


def not_vouched_for(config: Config, alert: Alert) -> Refused | None:
    """The refusal for an alert of a source that may start no remedy; None for all others, and for our own alerts.

    A source that has gone from the configuration since vouches for nobody.
    """
    if not alert.source:
        return None
    source = next((one for one in config.sources if one.name == alert.source), None)
    if source is not None and source.starts_remedies:
        return None
    if source is None:
        return Refused("source-removed", f"its source {alert.source} is not configured any more")
    if not source.is_open:
        return Refused("source-refused", f"its source {source.name} says `remedies: refused`")
    return Refused(
        "source-without-token",
        f"its source {source.name} has no token, so nobody knows who sent it; "
        "give the source a token, or write `remedies: allowed` there",
    )
