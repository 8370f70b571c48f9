"""The fingerprint of a label set: what makes two episodes the same alert, here and in every tool of the field."""

from __future__ import annotations

from functools import lru_cache

from forewatch.alerting.alert import Labels

OFFSET_BASIS = 0xCBF29CE484222325
PRIME = 0x100000001B3
_MASK = 0xFFFF_FFFF_FFFF_FFFF
_LONGEST_KEPT = 256


def fingerprint(labels: Labels) -> str:
    """FNV-1a, 64 bit, over the labels sorted by name, as 16 hexadecimal digits.

    Each name and each value is followed by the byte 0xFF, which UTF-8 never uses, so no two label sets read alike.
    Source: `LabelSet.Fingerprint` of Prometheus' common model.
    """
    state = OFFSET_BASIS
    for name in sorted(labels):
        value = labels[name]
        # Alerts are sent again and again and begin alike, and a byte at a time is slow: what is known so far is kept.
        take = _taken if len(name) + len(value) <= _LONGEST_KEPT else _take
        state = take(state, name, value)
    return f"{state:016x}"


def _take(state: int, name: str, value: str) -> int:
    prime, mask = PRIME, _MASK
    for byte in b"\xff".join((name.encode(), value.encode(), b"")):
        state = (state ^ byte) * prime & mask
    return state


_taken = lru_cache(maxsize=65_536)(_take)
