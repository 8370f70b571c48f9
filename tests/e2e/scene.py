"""The configuration around the services of a test: one signed webhook hears of everything."""

from __future__ import annotations

from receiver import Receiver

HOOK_SECRET = "tell-nobody-but-the-receiver"

# One victim fails in every test of a file: it is not to count as flapping for that, nor a page to wait for another
# test's. `test_small_company.py` has digests as they are by default.
COMMON = """\
services:
{services}
metrics: {{every: 5s, starter_rules: false}}
notifiers:
  - name: hook
    webhook: {{url: "{url}", secret: !secret env:HOOK_SECRET, timeout: 3s}}
routes:
  - match: {{}}
    notify: [hook]
    hold: {hold}
shifts: {{length: {length}, spares: 2}}
flapping: {{after: 1000}}
digest: {{within: 0s}}
"""


def configuration_of(services: str, receiver: Receiver, *, hold: str = "30s", length: str = "5m") -> str:
    """A whole configuration around the entries of some services."""
    return COMMON.format(services=services.rstrip("\n"), url=receiver.url, hold=hold, length=length)
