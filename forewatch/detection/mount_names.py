"""What a file system is called: by its mount, and by the others that share its room."""

from __future__ import annotations

from collections.abc import Mapping

from forewatch.alerting.matchers import Matcher, matches

MOUNTS = "mounts"
"""The label that names all mounts of one file system, where it has several."""


def named(labels: Mapping[str, str]) -> Mapping[str, str]:
    """The labels as a sentence fills them in: `/` becomes `/ (with /home, /var/log)`."""
    first, every = labels.get("mountpoint"), labels.get(MOUNTS)
    if first is None or not every:
        return labels
    others = ", ".join(name for name in every.split(", ") if name != first)
    return {**labels, "mountpoint": f"{first} (with {others})"}


def fits(matchers: tuple[Matcher, ...], labels: Mapping[str, str]) -> bool:
    """Whether matchers mean a series: a file system with several mounts is meant by any of them."""
    if matches(matchers, labels):
        return True
    if MOUNTS not in labels or not any(one.name == "mountpoint" and one.operator in ("=", "=~") for one in matchers):
        return False
    return any(matches(matchers, {**labels, "mountpoint": name}) for name in labels[MOUNTS].split(", "))
