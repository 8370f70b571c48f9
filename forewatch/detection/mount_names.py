"""What a file system is called in sentences: by its mount, and by the others that share its room."""

from __future__ import annotations

from collections.abc import Mapping

MOUNTS = "mounts"
"""The label that names all mounts of one file system, where it has several."""


def named(labels: Mapping[str, str]) -> Mapping[str, str]:
    """The labels as a sentence fills them in: `/` becomes `/ (with /home, /var/log)`."""
    first, every = labels.get("mountpoint"), labels.get(MOUNTS)
    if first is None or not every:
        return labels
    others = ", ".join(name for name in every.split(", ") if name != first)
    return {**labels, "mountpoint": f"{first} (with {others})"}
