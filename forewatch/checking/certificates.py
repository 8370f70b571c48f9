"""Which certificate of a chain expires first, as a check's reason says it, and read from there. Pure."""

from __future__ import annotations

import re

_SAID = re.compile(
    r"that of its authority (?P<first>.+) expires first"
    r"|the certificate of its authority (?P<short>.+) (?:expires in|expired) .+, expected at least"
)


def expires_first(authority: str) -> str:
    """To be added to how long a chain is good for; empty where the server's own certificate is the first."""
    return f", as that of its authority {authority} expires first" if authority else ""


def whose(authority: str) -> str:
    """The certificate that is too short, as the subject of a sentence."""
    return f"the certificate of its authority {authority}" if authority else "certificate"


def authority_in(reason: str) -> str:
    """The authority whose certificate expires first; empty where that is the server's own."""
    found = _SAID.search(reason)
    return (found["first"] or found["short"]) if found else ""
