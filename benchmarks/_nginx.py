"""nginx as a target: one port on every loopback address, a small page for every path."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from benchmarks._processes import answering

_CONFIGURATION = """\
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  server {{ listen {port} backlog=4096; location / {{ return 200 "ok"; }} }}
}}
"""


def installed() -> bool:
    return shutil.which("nginx") is not None


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[int, list[psutil.Process]]]:
    """A running nginx: its port on every 127.x.y.z, and its processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "nginx.conf")
        file.write_text(_CONFIGURATION.format(folder=folder, port=port))
        Path(folder).chmod(0o755)
        process = await asyncio.create_subprocess_exec("nginx", "-p", folder, "-c", str(file))
        try:
            await answering(port, "nginx")
            master = psutil.Process(process.pid)
            yield port, [master, *master.children()]
        finally:
            process.terminate()
            await asyncio.wait_for(process.wait(), 10)
