"""Diagnostics of the machine the tests run on."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil

from tasks import diagnostics
from tasks.act.processes import Identity
from tasks.act.records import Records, Started, key_of


async def test_all_parts_are_there_with_the_services_last_output(tmp_path: Path):
    records = Records(tmp_path / "started")
    output = tmp_path / "storefront.log"
    output.write_text("".join(f"line {number}\n" for number in range(200)))
    leader = Identity(4194304, "gone", ())
    records.put(key_of("storefront", None), Started("storefront", "RUN-1", ("x",), str(output), 1, leader))
    texts = await diagnostics.collect("storefront", records)
    assert list(texts) == ["machine", "processes", "sockets", "disks", "output of storefront (storefront.log)"]
    assert texts["machine"].startswith("load ")
    last = texts["output of storefront (storefront.log)"].splitlines()
    assert last[-1] == "line 199"
    assert len(last) == 50


async def test_the_busiest_process_of_the_sample_comes_first():
    long_ago_busy = {pid: 1e9 for pid in psutil.pids() if pid != os.getpid()}
    lines = diagnostics.processes(long_ago_busy, 0.1).splitlines()
    assert lines[0] == "busiest"
    assert lines[2].split()[0] == str(os.getpid())


async def test_who_listens_is_named():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert f"127.0.0.1:{port} pid {os.getpid()}" in diagnostics.sockets()


async def test_a_part_that_fails_says_so_and_hides_no_other(tmp_path: Path, monkeypatch):
    def denied(**_: object) -> list[object]:
        raise psutil.AccessDenied(1)

    monkeypatch.setattr(psutil, "net_connections", denied)
    texts = await diagnostics.collect(None, Records(tmp_path))
    assert texts["sockets"].startswith("not available: ")
    assert "busiest" in texts["processes"]
