"""The word a message begins with, and what stands beside its title: one shape for every channel.

CRITICAL website is down: home refused by localhost:8491 (INC-3, since 16:49:01 UTC)
restart-service is trying to fix it (RUN-2).
http://127.0.0.1:4280/incidents/INC-3
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WORDS = {"update": "UPDATE", "failure": "FAILED", "test": "TEST"}


def word_of(kind: str, severity: str, content: Mapping[str, Any]) -> str:
    """`CRITICAL`, `UPDATE`, `FIXED`, `RESOLVED`, `ENDED` ...: what kind of message this is, for people."""
    if kind == "page":
        return "UPDATE" if content.get("update") else severity.upper()
    if kind == "resolved":
        return "RESOLVED" if content.get("ended", "resolved") == "resolved" else "ENDED"
    if kind == "report":
        return "FIXED" if content.get("fixed") else "INFO"
    return _WORDS.get(kind, kind.upper())


def aside_of(content: Mapping[str, Any]) -> str:
    """`INC-3, since 16:49:01 UTC`: which incident, and since when where that is not over."""
    parts = [str(content["incident_id"])] if content.get("incident_id") else []
    since = content.get("since")
    if since:
        parts.append(f"since {str(since)[11:19]} UTC")
    return ", ".join(parts)
