"""`forewatch doctor`: looks at everything an installation rests on, and says what is wrong and what to do."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version

import httpx

from forewatch import __version__
from forewatch.clock import SystemClock, iso, seconds
from forewatch.config import open_sources
from forewatch.config.models import Config
from forewatch.config.secrets import Secret
from forewatch.errors import ForewatchError, SecretError
from forewatch.home import Home
from forewatch.orchestration.readiness import assess
from forewatch.orchestration.settings import Settings
from forewatch.runtime import Runtime, open_runtime
from forewatch.store import components, growth
from forewatch.store.components import REFUSED_REQUESTS
from forewatch.store.revisions import REVISIONS
from forewatch.units import format_bytes, format_duration

TIMEOUT = 3.0
LEAST_FREE = 512 * 1024 * 1024
"""Bytes below which a disk is called short."""
MUCH_A_DAY = 500_000_000
"""Bytes of points a day that are worth a warning."""
RECENT = 86_400.0
"""Seconds for which a refused request is worth a warning."""
TRUSTED_SKEW = 2.0
"""Seconds that the clock of a server on this machine may differ before something is wrong."""


@dataclass(frozen=True)
class Finding:
    ok: bool
    what: str
    text: str
    warns: bool = False
    """It works, and a person should know."""

    @property
    def mark(self) -> str:
        return "BAD" if not self.ok else "warn" if self.warns else "ok"


def examine(home: Home) -> list[Finding]:
    """Every finding, good and bad. Never raises for what it examines: that is a finding."""
    findings: list[Finding] = []
    for part in (_versions, _folder, _ports, _prefect, _store):
        try:
            findings += part(home)
        except (ForewatchError, OSError, httpx.HTTPError) as error:
            findings.append(Finding(False, part.__name__.strip("_"), str(error)))
    return findings


def _versions(home: Home) -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding(sys.version_info >= (3, 11), "python", python)
    prefect = version("prefect")
    major, minor, patch = (int(part) for part in prefect.split(".")[:3])
    yield Finding((3, 8, 8) <= (major, minor, patch) < (4, 0, 0), "prefect", f"{prefect} (needs >=3.8.8, <4)")
    fastapi = tuple(int(part) for part in version("fastapi").split(".")[:2])
    yield Finding(fastapi < (0, 151), "fastapi", f"{version('fastapi')} (Prefect's server needs <0.151)")
    yield Finding(True, "forewatch", __version__)


def _folder(home: Home) -> Iterator[Finding]:
    if not home.root.exists():
        yield Finding(False, "state folder", f"{home.root} is not there; run: forewatch up")
        return
    mode = stat.S_IMODE(home.root.stat().st_mode)
    yield Finding(not mode & 0o077, "state folder", f"{home.root}, mode {mode:04o}" + _fix(mode, 0o077, home.root))
    yield Finding(os.access(home.root, os.W_OK), "state folder is writable", str(home.root))
    if home.keys.exists():
        mode = stat.S_IMODE(home.keys.stat().st_mode)
        yield Finding(not mode & 0o077, "keys", f"{home.keys}, mode {mode:04o}" + _fix(mode, 0o077, home.keys))
    free = shutil.disk_usage(home.root).free
    yield Finding(free > LEAST_FREE, "disk", f"{free / 1e9:.1f} GB free")


def _fix(mode: int, forbidden: int, path: object) -> str:
    return f"; others can read it: chmod go= {path}" if mode & forbidden else ""


def _ports(home: Home) -> Iterator[Finding]:
    settings = Settings.read(home)
    if settings is None:
        yield Finding(False, "running", "no Forewatch has run on this folder; run: forewatch up")
        return
    for name, port in (("pages", settings.port), ("prefect", settings.prefect_port)):
        with socket.socket() as wire:
            wire.settimeout(TIMEOUT)
            listens = wire.connect_ex(("127.0.0.1", port)) == 0
        yield Finding(listens, f"port {port} ({name})", "listens" if listens else "nothing listens; run: forewatch up")


def _prefect(home: Home) -> Iterator[Finding]:
    settings = Settings.read(home)
    if settings is None:
        return
    before = SystemClock().now()
    answer = httpx.get(f"{settings.prefect_url}/api/health", timeout=TIMEOUT, trust_env=False)
    took = seconds(SystemClock().now() - before)
    yield Finding(
        answer.status_code == 200, "prefect server", f"answers {answer.status_code} after {took * 1000:.0f} ms"
    )


def _store(home: Home) -> Iterator[Finding]:
    runtime = open_runtime(home)
    try:
        for file in REVISIONS:
            problems = runtime.store.integrity(file)
            yield Finding(not problems, f"{file}.db", "; ".join(problems) or "intact")
        readiness = assess(runtime)
        yield Finding(readiness.ready, "watch", "; ".join(readiness.problems) or "all shifts are on watch")
        number, config = runtime.configuration.current()
        yield Finding(True, "configuration", f"version {number}")
        for off in config.remedies_off:
            yield Finding(False, f"remedy {off.service}/{off.name}", f"it is off: {off.reason}")
        yield from _clock(runtime.clock.now)
        yield _growth(runtime, config)
        yield from _notifiers(config)
        for source, sentence in open_sources.warnings(config):
            yield Finding(True, f"source {source}", sentence, warns=True)
        yield _refused_requests(runtime)
    finally:
        runtime.store.close()


def _growth(runtime: Runtime, config: Config) -> Finding:
    with runtime.store.read_metrics() as conn:
        grows = growth.measured(conn, runtime.clock.now())
    kept = config.retention.points
    most = ", ".join(f"{metric} {count:,}" for metric, count in list(grows.by_metric.items())[:3])
    text = (
        f"{grows.series} series, {grows.points:,} points a day, at most {format_bytes(grows.bytes)} a day, "
        f"{format_bytes(grows.bytes * kept / 86_400)} in the {format_duration(kept)} they are kept"
    )
    return Finding(True, "metrics", f"{text}; most: {most}" if most else text, warns=grows.bytes > MUCH_A_DAY)


def _refused_requests(runtime: Runtime) -> Finding:
    with runtime.store.read() as conn:
        part = components.get(conn, REFUSED_REQUESTS)
    if part is None:
        return Finding(True, "refused requests", "none")
    counts = ", ".join(f"{reason} {count}" for reason, count in sorted(part.data["refused"].items()))
    text = f"{counts}; the last at {iso(part.at)}: {part.data['last']}"
    recent = seconds(runtime.clock.now() - part.at) < RECENT
    return Finding(True, "refused requests", text, warns=recent)


def _clock(now: Callable[[], int]) -> Iterator[Finding]:
    # A clock before this code was written is wrong for certain; more cannot be known from here.
    yield Finding(now() > 1_767_225_600_000_000, "clock", f"{iso(now())}")


def _notifiers(config: Config) -> Iterator[Finding]:
    for notifier in config.notifiers:
        kind = getattr(notifier, notifier.kind)
        for field in type(kind).model_fields:
            value = getattr(kind, field)
            if isinstance(value, Secret):
                try:
                    value.reveal()
                except SecretError as error:
                    yield Finding(False, f"notifier {notifier.name}", str(error))
                    break
        else:
            yield Finding(
                True, f"notifier {notifier.name}", f"{notifier.kind}; try it: forewatch notify test {notifier.name}"
            )
