"""The rules everybody gets: this machine, Forewatch's own parts, every http check.

`metrics.starter_rules: false` turns them off; a rule of the user's own with the same alert name replaces one.
"""

from __future__ import annotations

from forewatch.config.models import Config, Rule, Service
from forewatch.detection.rules import HOST

OWN = "forewatch"
"""The service that alerts about Forewatch's own parts belong to."""

_MINUTE = 60.0
# Images and snaps are always full; that is no news.
_REAL_DISKS = ['device!~"/dev/loop.*"']


def starter_rules(config: Config) -> list[Rule]:
    """The rules that come with this configuration, without the ones the user replaced."""
    if not config.metrics.starter_rules:
        return []
    rules = [rule for service in config.services for rule in _check_rules(service)]
    rules += OWN_RULES
    if config.metrics.host:
        rules += HOST_RULES
    replaced = {rule.alert for rule in config.rules}
    return [rule for rule in rules if rule.alert not in replaced]


def all_rules(config: Config) -> list[Rule]:
    """Every rule in force: the user's own first."""
    return [*config.rules, *starter_rules(config)]


HOST_RULES = [
    Rule(
        alert="HostCpuBusy",
        metric="system.cpu.utilization",
        window=5 * _MINUTE,
        above=0.95,
        clear=0.90,
        for_=10 * _MINUTE,
        service=HOST,
    ),
    Rule(
        alert="HostLoadHigh",
        metric="system.cpu.load_average.1m",
        per="system.cpu.logical.count",
        statistic="ratio",
        window=5 * _MINUTE,
        above=4.0,
        clear=3.0,
        for_=10 * _MINUTE,
        service=HOST,
    ),
    Rule(
        alert="HostMemoryLow",
        metric="system.memory.utilization",
        window=5 * _MINUTE,
        above=0.92,
        clear=0.90,
        for_=5 * _MINUTE,
        service=HOST,
    ),
    Rule(
        alert="HostSwapFull",
        metric="system.paging.utilization",
        window=5 * _MINUTE,
        above=0.80,
        clear=0.75,
        for_=10 * _MINUTE,
        service=HOST,
    ),
    Rule(
        alert="HostDiskFilling",
        metric="system.filesystem.utilization",
        match=_REAL_DISKS,
        statistic="min",
        window=5 * _MINUTE,
        above=0.90,
        clear=0.89,
        for_=5 * _MINUTE,
        service=HOST,
    ),
    Rule(
        alert="HostDiskFull",
        metric="system.filesystem.utilization",
        match=_REAL_DISKS,
        statistic="last",
        window=5 * _MINUTE,
        above=0.97,
        clear=0.96,
        for_=_MINUTE,
        severity="critical",
        service=HOST,
    ),
    Rule(
        alert="HostDiskReadOnly",
        metric="system.filesystem.readonly",
        match=_REAL_DISKS,
        statistic="last",
        window=5 * _MINUTE,
        above=0.5,
        severity="critical",
        service=HOST,
    ),
    Rule(
        alert="HostInodesLow",
        metric="system.filesystem.inodes.utilization",
        statistic="min",
        window=5 * _MINUTE,
        above=0.90,
        clear=0.89,
        for_=5 * _MINUTE,
        service=HOST,
    ),
]

OWN_RULES = [
    Rule(
        alert="ForewatchCpuBusy",
        metric="forewatch.cpu.utilization",
        window=5 * _MINUTE,
        above=0.5,
        clear=0.4,
        for_=10 * _MINUTE,
        service=OWN,
    ),
    Rule(
        alert="ForewatchMemoryHigh",
        metric="forewatch.memory.usage",
        window=5 * _MINUTE,
        above=1.5e9,
        clear=1.4e9,
        for_=10 * _MINUTE,
        service=OWN,
    ),
    Rule(
        alert="ForewatchLate",
        metric="forewatch.tick.lag",
        statistic="p95",
        window=5 * _MINUTE,
        above=1.0,
        clear=0.5,
        for_=2 * _MINUTE,
        service=OWN,
    ),
    Rule(
        alert="ForewatchPagesStuck",
        metric="forewatch.outbox.oldest.age",
        statistic="last",
        window=_MINUTE,
        above=60.0,
        for_=30.0,
        severity="critical",
        service=OWN,
    ),
    Rule(
        alert="ForewatchInboxStuck",
        metric="forewatch.inbox.oldest.age",
        statistic="last",
        window=_MINUTE,
        above=60.0,
        for_=30.0,
        severity="critical",
        service=OWN,
    ),
    Rule(
        alert="ForewatchRunsStuck",
        metric="forewatch.runs.oldest.age",
        statistic="last",
        window=_MINUTE,
        above=30.0,
        for_=30.0,
        service=OWN,
    ),
    Rule(
        alert="ForewatchCollectorDown",
        metric="forewatch.collector.up",
        # Not up once in five minutes: a single failed reading is no trouble.
        statistic="max",
        window=5 * _MINUTE,
        below=1.0,
        for_=_MINUTE,
        service=OWN,
    ),
]


def _check_rules(service: Service) -> list[Rule]:
    """Error ratio over 1 % (said as: less than 99 % of the answers are good) and p95 over 500 ms, per http check.

    An outage of some minutes leaves a five-minute window bad for five minutes more; only trouble that lasts longer
    than that is news here, since the outage itself has been `CheckFailing`.
    """
    return [
        rule
        for check in service.checks
        if check.http is not None
        for rule in (
            Rule(
                alert="HttpErrorRatio",
                metric="check.up",
                match={"service": service.name, "check": check.label},
                window=5 * _MINUTE,
                below=0.99,
                for_=10 * _MINUTE,
                service=service.name,
            ),
            Rule(
                alert="HttpSlow",
                metric="check.duration",
                match={"service": service.name, "check": check.label},
                statistic="p95",
                window=5 * _MINUTE,
                above=0.5,
                clear=0.45,
                for_=5 * _MINUTE,
                service=service.name,
            ),
        )
    ]
