"""The signature of a webhook: HMAC-SHA256 with the shared secret over `<timestamp>.<raw body>`, in hex.

The timestamp (Unix seconds) is signed too, so that a receiver can refuse a request somebody recorded and sends again.
"""

from __future__ import annotations

import hashlib
import hmac


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The value of `X-Forewatch-Signature`: `sha256=<64 hex digits>`."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
