"""Sources that nothing vouches for: what a person is told about them."""

from __future__ import annotations

from forewatch.config.models import Config


def warnings(config: Config) -> list[tuple[str, str]]:
    """(source, sentence) of each one without a token."""
    return [
        (
            source.name,
            "has no token: every program on this machine may send as it, "
            + ("and its alerts start remedies" if source.starts_remedies else "and its alerts start no remedy")
            + "; add `token: !secret env:NAME`",
        )
        for source in config.sources
        if source.is_open
    ]
