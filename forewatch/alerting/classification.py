"""What kind of trouble an alert is: a label of its own if it has one, else the words it is named with.

| classification | such words in the alert's name, its metric or its summary (the whole list is below) |
|---|---|
| data | backup, snapshot, replication, lag, consistency, corruption, heartbeat, stale |
| deployment | deploy, rollout, rollback, crash, crash loop, image pull |
| security | tls, ssl, certificate, auth, login, unauthorized, forbidden, cve, vulnerability, intrusion |
| latency | latency, duration, slow, response time |
| errors | error, exception, 5xx, 4xx, panic, sentry, bugsink |
| availability | CheckFailing, down, unreachable, unavailable, absent, outage, offline, load balancer |
| saturation | cpu, memory, disk, filesystem, load, connections, queue, utilization, full, throttled |

From the top; the first row with a word that occurs decides, and the name decides before the metric, the metric before
the summary. What no row knows is availability.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import Literal, get_args

from forewatch.alerting.alert import Alert, Labels

Classification = Literal["availability", "latency", "errors", "saturation", "security", "data", "deployment"]
CLASSIFICATIONS: tuple[Classification, ...] = get_args(Classification)
LABEL = "classification"

_WORDS: dict[Classification, str] = {
    "data": """
        backup backups snapshot snapshots replication replica replicas replicating lag lagging consistency inconsistent
        inconsistency corruption corrupt corrupted heartbeat heartbeats stale staleness freshness""",
    "deployment": """
        deploy deploys deployment deployments rollout rollouts rollback crash crashes crashed crashing crashloop
        crashlooping imagepull""",
    "security": """
        tls ssl x509 cert certs certificate certificates auth authentication authorization login logins unauthorized
        forbidden cve vulnerability vulnerabilities vulnerable intrusion malware""",
    "latency": "latency latencies duration slow slower slowness responsetime apdex",
    "errors": "error errors exception exceptions 5xx 4xx panic panics sentry bugsink",
    "availability": "checkfailing down unreachable unavailable absent outage offline dead loadbalancer",
    "saturation": """
        cpu memory mem oom swap paging disk disks filesystem filesystems inode inodes volume storage load connection
        connections pool queue queues backlog utilization saturation saturated full filling capacity quota throttled
        throttling threads descriptors fd fds bandwidth""",
}
_TABLE = tuple((kind, frozenset(words.split())) for kind, words in _WORDS.items())
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+(?:\d+(?![a-z\d]))?|[A-Z]+|\d+[a-z]*")


def classify(labels: Labels, annotations: Labels, metric: str | None = None) -> Classification:
    """The classification of an alert; `metric` is what its rule looks at, where there is one."""
    said = labels.get(LABEL, "")
    if said in CLASSIFICATIONS:
        return said
    for text in (labels.get("alertname", ""), metric or "", annotations.get("summary", "")):
        found = _by_words(text)
        if found is not None:
            return found
    return "availability"


def labels_for_routing(alert: Alert) -> dict[str, str]:
    """The labels routes, silences and inhibitions look at: its own, and what it counts as where they do not say."""
    return {**alert.labels, "service": alert.service, "severity": alert.severity, LABEL: alert.classification}


@lru_cache(maxsize=4096)
def _by_words(text: str) -> Classification | None:
    words = [word.lower() for word in _WORD.findall(text)]
    # `CrashLoop` and `crash_loop` are the one word `crashloop`.
    said = {*words, *(first + second for first, second in pairwise(words))}
    return next((kind for kind, known in _TABLE if not said.isdisjoint(known)), None)
