"""Alertmanager's v2 API: what Prometheus, amtool and all that speak to an Alertmanager find here, word for word."""
