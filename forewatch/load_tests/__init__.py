"""Putting a load on a service and measuring it: open loop, so that a service that stalls cannot hide it."""
