"""Asking error trackers for their issues: what is new, regressed or escalating there becomes alerts here."""

from tasks.feeds.feed_loop import Feeds

__all__ = ["Feeds"]
