"""What if: the stored observations under another configuration, and what would have been different.

    history ─┬─ as it was (`replaying`) ────────────────┐
             └─ origins ─> world, with timers of its own ┴─> pairs ─> difference

What depended on the old configuration and was not written down (what another check would have seen, how a remedy that
never ran would have ended) is not guessed: it is listed as what the history cannot tell.
"""
