"""A small company: a TLS front, an app, a database, a cache, uploads on a small disk and a nightly job.

Each part is a process of its own that is started, killed and broken as in real life. `real` takes nginx and
PostgreSQL, and checks at the pace the docs show; otherwise stand-ins of ours and a quicker pace.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from authority import Authority
from harness import free_port, wait_for
from pid_file import WithPidFile
from postgres import PASSWORD, USER, Cluster, binaries
from scene import HOOK_SECRET

SERVICE = Path(__file__).with_name("company_service.py")
HEARTBEAT = "00000000-0000-4000-8000-000000000001"

NGINX = """\
user root;
pid {folder}/run/front.pid;
error_log {folder}/run/front.err;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/run/nginx;
  proxy_temp_path {folder}/run/nginx;
  fastcgi_temp_path {folder}/run/nginx;
  uwsgi_temp_path {folder}/run/nginx;
  scgi_temp_path {folder}/run/nginx;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/tls/server.pem;
    ssl_certificate_key {folder}/tls/server.pem;
    location /static {{ return 200 "static"; }}
    location / {{ proxy_pass http://127.0.0.1:{app}; proxy_connect_timeout 1s; proxy_read_timeout 2s; }}
  }}
}}
"""

CLEAN_UPLOADS = '''\
from pathlib import Path

from forewatch.runbook import runbook, step


@step
async def empty(folder: str) -> int:
    """Remove every file below the folder; returns the bytes freed."""
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    freed = sum(path.stat().st_size for path in files)
    for path in files:
        path.unlink()
    return freed


@runbook(title="Clean uploads", timeout=60)
async def clean_uploads(folder: str) -> str:
    """Empty the folder of uploads."""
    return f"freed {await empty(folder)} bytes"
'''


@dataclass
class Part(WithPidFile):
    """A process of the company, known by its pid file."""

    name: str
    argv: Sequence[str]
    folder: Path
    port: int

    def start(self) -> None:
        """Returns once it takes connections."""
        with (self.folder / "run" / f"{self.name}.out").open("ab") as output:
            subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        wait_for(f"{self.name} to listen", lambda: self.alive and listens(self.port))

    @property
    def alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except (OSError, ValueError):
            return False
        return True

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        os.kill(self.pid, how)

    def stop(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.kill(signal.SIGTERM)


def listens(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


class SqliteFile:
    """A database that the `sql` check can reach anywhere: stopped, the file is not where it should be."""

    query = "SELECT count(*) FROM orders"

    def __init__(self, folder: Path) -> None:
        self.file = folder / "orders.db"
        self.url = f"sqlite:///{self.file}"
        self.seen_by_app = str(self.file)
        with contextlib.closing(sqlite3.connect(self.file)) as conn:
            conn.execute("CREATE TABLE orders (id INTEGER)")

    def start(self) -> None:
        away = self.file.with_suffix(".away")
        if away.exists():
            away.rename(self.file)

    def stop(self) -> None:
        if self.file.exists():
            self.file.rename(self.file.with_suffix(".away"))

    def refuse(self) -> None:
        """It is there and lets nobody in: what an encrypted file says to a wrong password."""
        self.stop()
        self.file.write_bytes(b"sealed" * 100)

    def accept(self) -> None:
        self.file.unlink()
        self.start()

    def remove(self) -> None:
        """Its folder goes with the test's."""


class PostgreSQL(Cluster):
    """A real one."""

    query = "SELECT 1"

    def __init__(self) -> None:
        super().__init__()
        self.url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/postgres"
        self.seen_by_app = str(self.port)

    def refuse(self) -> None:
        """Its password is changed, and those who use it do not know yet."""
        self._change_password(PASSWORD, "another")

    def accept(self) -> None:
        self._change_password("another", PASSWORD)

    def _change_password(self, now: str, then: str) -> None:
        change = [binaries() / "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", "postgres"]
        change += ["-c", f"ALTER ROLE {USER} PASSWORD '{then}'"]
        subprocess.run(change, check=True, capture_output=True, timeout=10, env={**os.environ, "PGPASSWORD": now})


@dataclass(frozen=True)
class Pace:
    """How often is checked, and how long a remedy rests."""

    every: str
    timeout: str
    slow: str
    cooldown: str
    metrics: str
    window: str
    hold: str
    """How long the page of a certificate waits for a restart, which does not renew it."""
    leaks_every: float
    """Seconds from one piece of memory that the leaking app keeps to the next."""


QUICK = Pace(
    every="1s", timeout="900ms", slow="1s", cooldown="1s", metrics="1s", window="20s", hold="8s", leaks_every=0.5
)  # fmt: skip
REAL = Pace(
    every="2s", timeout="1900ms", slow="10s", cooldown="5s", metrics="2s", window="40s", hold="30s", leaks_every=1.0
)  # fmt: skip


class SmallCompany:
    """All parts; `configuration` is what its operators wrote from the docs."""

    def __init__(self, folder: Path, *, real: bool) -> None:
        self.folder, self.real, self.pace = folder, real, REAL if real else QUICK
        for name in ("run", "tls", "uploads", "run/nginx"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.authority = Authority(folder / "tls", "ca")
        self.certify(days=300)
        self.database: SqliteFile | PostgreSQL = PostgreSQL() if real else SqliteFile(folder)
        self.cache = self._part("cache")
        self.app = self._part(
            "app", "--database", self.database.seen_by_app, "--cache", str(self.cache.port),
            "--leaks-every", str(self.pace.leaks_every),
        )  # fmt: skip
        self.front = self._part(
            "front", "--app", str(self.app.port), "--certificate", str(folder / "tls" / "server.pem")
        )
        if real:
            config = folder / "nginx.conf"
            config.write_text(NGINX.format(folder=folder, port=self.front.port, app=self.app.port))
            self.front.argv = ["nginx", "-c", str(config)]
        self.small_disk = self._mounted(folder / "uploads")
        (folder / "ops").mkdir()
        (folder / "ops" / "clean_uploads.py").write_text(CLEAN_UPLOADS, encoding="utf-8")

    def _part(self, role: str, *arguments: str) -> Part:
        port = free_port()
        pidfile = self.folder / "run" / f"{role}.pid"
        argv = [sys.executable, str(SERVICE), role, "--port", str(port), "--pidfile", str(pidfile), *arguments]
        return Part(role, argv, self.folder, port)

    @staticmethod
    def _mounted(where: Path) -> bool:
        """A disk of 8 MB, where this process may mount one."""
        if shutil.which("mount") is None:
            return False
        mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(where)]
        return subprocess.run(mount, capture_output=True, check=False, timeout=10).returncode == 0

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.cache, self.app, self.front

    def start(self) -> None:
        self.database.start()
        for part in self.parts:
            part.start()

    def stop(self) -> None:
        for part in self.parts:
            part.stop()
        self.database.start()
        self.database.stop()
        self.database.remove()
        if self.small_disk:
            subprocess.run(["umount", str(self.folder / "uploads")], check=False, timeout=10)

    def certify(self, days: float) -> None:
        """A new certificate of the front for so many days, below 0 expired; in force when the front starts anew."""
        self.authority.server("localhost", days=days)

    def take_certificate(self) -> None:
        """Have the front take its new certificate, as an administrator would."""
        if self.real:
            self.front.kill(signal.SIGHUP)
        else:
            self.front.kill()
            self.front.start()

    def break_app(self, fault: str) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.app.port}/fault/{fault}", timeout=5) as answer:
            answer.read()

    def fill_uploads(self) -> None:
        with contextlib.suppress(OSError), (self.folder / "uploads" / "big.bin").open("wb") as big:
            big.write(b"x" * 8_000_000)

    def configuration(self, hooks: str, *, app_labels: str = "team: backend", db_labels: str = "team: data") -> str:
        """`hooks`: the address of the receiver, to which each team's name is added."""
        pace = self.pace
        return f"""\
runbook_folders: [ops]
metrics: {{every: {pace.metrics}}}
services:
  - name: website
    owner: web
    labels: {{team: web}}
    depends_on: [app]
    checks:
      - {{name: home, http: "https://localhost:{self.front.port}/health", ca: tls/ca.pem, every: {pace.every},
         timeout: {pace.timeout}, fails_after: 2, expect: {{status: 200, body: ok}}}}
      - {{name: static, http: "https://localhost:{self.front.port}/static", ca: tls/ca.pem, every: {pace.every},
         timeout: {pace.timeout}, fails_after: 2}}
      - {{name: cert, tls: {{address: "localhost:{self.front.port}", ca: tls/ca.pem}}, every: {pace.slow},
         fails_after: 1, expect: {{certificate_days: 14}}}}
    remedies:
      - on: {{alertname: CheckFailing}}
        runbook: restart-service
        with: {{pidfile: run/front.pid, command: {self._command(self.front)}}}
        autonomy: auto
        limits: {{per_hour: 30, cooldown: {pace.cooldown}}}
  - name: app
    owner: backend
    labels: {{{app_labels}}}
    depends_on: [db, cache]
    checks:
      - {{http: "http://127.0.0.1:{self.app.port}/health", every: {pace.every}, timeout: {pace.timeout}, fails_after: 2,
         expect: {{status: 200, json: {{status: ok}}, latency: 800ms}}}}
      - {{name: alive, process: {{pidfile: run/app.pid}}, every: {pace.every}, fails_after: 2}}
    processes:
      - pidfile: run/app.pid
    remedies:
      - on: {{alertname: CheckFailing}}
        runbook: restart-service
        with: {{pidfile: run/app.pid, command: {self._command(self.app)}}}
        autonomy: auto
        limits: {{per_hour: 30, cooldown: {pace.cooldown}}}
      - on: {{alertname: AppLeak}}
        runbook: restart-service
        with: {{pidfile: run/app.pid, command: {self._command(self.app)}}}
        autonomy: auto
        limits: {{per_hour: 30, cooldown: {pace.cooldown}}}
  - name: db
    owner: data
    labels: {{{db_labels}}}
    checks:
      - {{sql: {{url: !secret env:APP_DB, query: {self.database.query}}}, every: {pace.every},
         timeout: {pace.timeout}, fails_after: 2}}
  - name: cache
    owner: data
    labels: {{team: data}}
    checks:
      - {{tcp: "127.0.0.1:{self.cache.port}", every: {pace.every}, fails_after: 2}}
  - name: uploads
    owner: web
    labels: {{team: web}}
    remedies:
      - on: {{alertname: UploadsFull}}
        runbook: clean-uploads
        with: {{folder: "{self.folder}/uploads"}}
        autonomy: auto
  - name: nightly
    owner: data
    labels: {{team: data}}
    checks:
      - name: backup
        every: {pace.slow}
        heartbeat: {{token: {HEARTBEAT}, period: {"1m" if self.real else "5s"}, grace: {"30s" if self.real else "4s"}}}
rules:
  - alert: UploadsFull
    metric: system.filesystem.utilization
    match: {{mountpoint: "{self.folder}/uploads"}}
    service: uploads
    statistic: last
    window: 30s
    above: 90%
    clear: 80%
    severity: critical
  - alert: AppLeak
    metric: process.memory.usage
    match: {{service: app}}
    window: {pace.window}
    limit: 256MB
    exhausted_within: {pace.window}
notifiers:
  - {{name: terminal, console: {{}}}}
  - {{name: web-team, webhook: {{url: "{hooks}/web", secret: !secret env:HOOK_SECRET}}}}
  - {{name: backend-team, webhook: {{url: "{hooks}/backend", secret: !secret env:HOOK_SECRET}}}}
  - {{name: data-team, webhook: {{url: "{hooks}/data", secret: !secret env:HOOK_SECRET}}}}
  - {{name: chat, webhook: {{url: "{hooks}/chat", secret: !secret env:HOOK_SECRET}}}}
routes:
  - {{match: {{team: web, check: cert}}, notify: [web-team, terminal], hold: {pace.hold}}}
  - {{match: {{team: web}}, notify: [web-team, terminal]}}
  - {{match: {{team: backend}}, notify: [backend-team, terminal]}}
  - {{match: {{team: data}}, notify: [data-team, terminal]}}
  - {{match: {{severity: critical}}, notify: [terminal, chat]}}
  - {{match: ['severity=~"warning|info"'], notify: [chat]}}
# More faults in an hour than any company's: what flaps is shown elsewhere.
flapping: {{after: 20}}
"""

    @staticmethod
    def _command(part: Part) -> str:
        return "[" + ", ".join(f'"{word}"' for word in part.argv) + "]"

    @property
    def environment(self) -> dict[str, str]:
        return {"HOOK_SECRET": HOOK_SECRET, "APP_DB": self.database.url}
