"""A PostgreSQL of the tests' own: a new cluster on a free port of 127.0.0.1, gone afterwards."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "orders_reader"
PASSWORD = "c0rrect-horse"


def binaries() -> Path | None:
    """Where `initdb` and `postgres` lie; None where there is no PostgreSQL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class Cluster:
    """One that can be stopped and started. PostgreSQL refuses to run as root, so root starts it as `nobody`."""

    def __init__(self) -> None:
        self._own = Path(tempfile.mkdtemp(prefix="pg-"))
        self._user = "nobody" if os.geteuid() == 0 else None
        secret = self._own / "password"
        secret.write_text(PASSWORD)
        if self._user is not None:
            self._own.chmod(0o700)
            for path in (self._own, secret):
                os.chown(path, pwd.getpwnam(self._user).pw_uid, pwd.getpwnam(self._user).pw_gid)
        subprocess.run(
            [binaries() / "initdb", "-D", self._own / "data", "-U", USER, "-A", "scram-sha-256", "--pwfile", secret,
             "-N"],
            check=True, capture_output=True, timeout=60, **self._common,
        )  # fmt: skip
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    @property
    def _common(self):
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(self._own)}
        return {"user": self._user, "cwd": self._own, "env": environment}

    def start(self) -> None:
        """Returns once it takes connections."""
        self.process = subprocess.Popen(
            [binaries() / "postgres", "-D", self._own / "data", "-p", str(self.port), "-c",
             "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self._own}", "-c", "fsync=off"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self._common,
        )  # fmt: skip
        until = time.monotonic() + 30
        ready = [binaries() / "pg_isready", "-h", "127.0.0.1", "-p", str(self.port), "-q"]
        while subprocess.run(ready, timeout=10).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("PostgreSQL did not start")
            time.sleep(0.1)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)

    def remove(self) -> None:
        shutil.rmtree(self._own, ignore_errors=True)


@contextmanager
def running() -> Iterator[tuple[int, subprocess.Popen]]:
    """(port, process)."""
    cluster = Cluster()
    try:
        cluster.start()
        try:
            yield cluster.port, cluster.process
        finally:
            cluster.stop()
    finally:
        cluster.remove()
