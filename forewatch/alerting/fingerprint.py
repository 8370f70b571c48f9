"""The fingerprint of a label set: what makes two episodes the same alert, here and in every tool of the field."""

from __future__ import annotations

from forewatch.alerting.alert import Labels

OFFSET_BASIS = 0xCBF29CE484222325
PRIME = 0x100000001B3
_SEPARATOR = b"\xff"


def fingerprint(labels: Labels) -> str:
    """FNV-1a, 64 bit, over the labels sorted by name, as 16 hexadecimal digits.

    Each name and each value is followed by the byte 0xFF, which UTF-8 never uses, so no two label sets read alike.
    Source: `LabelSet.Fingerprint` of Prometheus' common model.
    """
    state = OFFSET_BASIS
    for name in sorted(labels):
        for byte in name.encode() + _SEPARATOR + labels[name].encode() + _SEPARATOR:
            state = (state ^ byte) * PRIME & 0xFFFF_FFFF_FFFF_FFFF
    return f"{state:016x}"
