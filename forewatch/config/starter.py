"""The configuration a first start writes: short, commented, and in force as it is."""

from __future__ import annotations

STARTER = """\
# What Forewatch watches. A saved change is in force within seconds; `forewatch check` says what is wrong with it.
#
# As it stands this watches two things, by rules that come built in: this machine (service "host": CPU, memory, disks,
# load) and Forewatch's own parts (service "forewatch").

metrics:
  every: 15s
  host: true
  starter_rules: true

# Who is told. A webhook's secret is named here, never written:
#   - name: ops-hook
#     webhook: {url: "https://ops.example/hook", secret: !secret env:HOOK_SECRET}
notifiers:
  - name: terminal
    console: {}

# The first route that matches an alert says who is notified.
routes:
  - match: {}
    notify: [terminal]

# A service of yours: take away the "# " of each line below, and change it. Relative paths start at this file's folder.
# services:
#   - name: storefront
#     checks:
#       - http: http://127.0.0.1:8001/health
#         every: 10s
#         timeout: 2s
#         expect: {status: 200}
#     remedies:
#       - on: {alertname: CheckFailing}
#         runbook: restart-service
#         with: {pidfile: run/storefront.pid, command: [./start.sh]}
#         autonomy: shadow    # says what it would do; auto does it
#         limits: {per_hour: 3, cooldown: 1m}
#         verify: {within: 30s}

# A rule of yours:
# rules:
#   - alert: DiskFilling
#     metric: system.filesystem.utilization
#     match: {mountpoint: /}
#     statistic: max
#     window: 5m
#     above: 90%
#     for: 5m
"""
