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

PASSWORD = "c0rrect-horse"


def binaries() -> Path | None:
    """Where `initdb` and `postgres` lie; None where there is no PostgreSQL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@contextmanager
def running(folder: Path) -> Iterator[tuple[int, subprocess.Popen]]:
    """(port, process). PostgreSQL refuses to run as root, so root starts it as `nobody`."""
    own = Path(tempfile.mkdtemp(prefix="pg-"))
    user = "nobody" if os.geteuid() == 0 else None
    if user is not None:
        own.chmod(0o700)
        os.chown(own, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    password = folder / "password"
    password.write_text(PASSWORD)
    common = {"user": user, "cwd": own, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(own)}}
    secret = own / "password"
    shutil.copy(password, secret)
    if user is not None:
        os.chown(secret, pwd.getpwnam(user).pw_uid, -1)
    bin_folder = binaries()
    data = own / "data"
    subprocess.run(
        [bin_folder / "initdb", "-D", data, "-U", "orders_reader", "-A", "scram-sha-256", "--pwfile", secret, "-N"],
        check=True, capture_output=True, timeout=60, **common,
    )  # fmt: skip
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [bin_folder / "postgres", "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1",
         "-c", f"unix_socket_directories={own}", "-c", "fsync=off"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **common,
    )  # fmt: skip
    try:
        until = time.monotonic() + 30
        ready = [bin_folder / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-q"]
        while subprocess.run(ready, timeout=10).returncode != 0:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("PostgreSQL did not start")
            time.sleep(0.1)
        yield port, process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        shutil.rmtree(own, ignore_errors=True)
