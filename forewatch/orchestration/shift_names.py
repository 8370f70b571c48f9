"""The shifts there are. Apart from what watches them, so that a command can name them without importing the store."""

SHIFTS = ("check-health", "collect-metrics", "page-people")
