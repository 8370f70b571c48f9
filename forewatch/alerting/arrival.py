"""When an alert that was sent again is over (`Alert.Merge` of Alertmanager)."""

from __future__ import annotations


def merged_end(known: int | None, known_timeout: bool, news: int | None, news_timeout: bool) -> tuple[int | None, bool]:
    """The end, microseconds UTC, of a firing alert known to end at `known` of which `news` say another; None is never.

    What came last counts, unless a sender named a later end before: our own patience (`timeout`) does not shorten it.
    """
    if known is not None and not known_timeout and news is not None and known > news:
        return known, known_timeout
    return news, news_timeout
