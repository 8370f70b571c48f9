"""All collectors together: what one cannot get is named and stops no other."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from sqlalchemy import insert

from forewatch.clock import micros
from forewatch.config.models import Check, Config, Metrics, ProcessTarget, Service
from forewatch.home import Home
from forewatch.store import inbox, schema
from forewatch.store.engine import Store
from forewatch.store.inbox import Mark
from forewatch.store.points import Point
from tasks.collect import Collector, host, own
from tasks.collect.gathering import Gathering
from tasks.collect.processes import Processes, targets_of

pytestmark = pytest.mark.unit

NOW = micros(1_767_225_600)
NO_HOST = Config(metrics=Metrics(host=False))


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("store"))
    Store.open(home, migrate=True).close()
    return home


@pytest.fixture
def store(migrated: Home, tmp_path: Path) -> Iterator[Store]:
    home = Home(tmp_path / "home")
    shutil.copytree(migrated.root, home.root)
    store = Store.open(home)
    yield store
    store.close()


def make(store: Store) -> Collector:
    return Collector(SimpleNamespace(home=store.home, store=store), root=os.getpid())  # type: ignore[arg-type]


def value(points: list[Point], metric: str, **labels: str) -> float:
    (found,) = [point for point in points if point.metric == metric and dict(point.labels) == labels]
    return found.value


def up(points: list[Point]) -> dict[str, float]:
    return {p.labels["collector"]: p.value for p in points if p.metric == "forewatch.collector.up"}


async def test_a_round_on_this_machine_works_and_all_points_bear_its_time(store: Store) -> None:
    found = await make(store).collect(Config(), NOW)
    assert {point.at for point in found} == {NOW}
    assert {"host", "forewatch"} == {point.service for point in found}
    assert up(found)["memory"] == up(found)["own"] == up(found)["queues"] == 1
    assert {"system.memory.utilization", "system.cpu.load_average.5m"} <= {point.metric for point in found}


async def test_without_host_metrics_forewatch_still_watches_itself(store: Store) -> None:
    found = await make(store).collect(NO_HOST, NOW)
    assert {point.service for point in found} == {"forewatch"}


async def test_a_collector_that_fails_is_named_and_the_others_go_on(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(into: Gathering) -> None:
        into.add("half.a.round", 1)
        raise RuntimeError("no such sensor")

    monkeypatch.setattr(host, "memory", broken)
    one = make(store)
    first = await one.collect(Config(), NOW)
    await one.collect(Config(), NOW + 1)
    assert up(first)["memory"] == 0
    assert up(first)["load"] == 1
    assert "half.a.round" not in {point.metric for point in first}
    assert one.reasons["memory"] == "RuntimeError: no such sensor"
    assert caplog.text.count("no such sensor") == 1
    monkeypatch.setattr(host, "memory", lambda into: None)
    assert up(await one.collect(Config(), NOW + 2))["memory"] == 1
    assert "memory" not in one.reasons


async def test_a_store_that_does_not_answer_is_a_failed_collector(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "queues", lambda into, store: 1 // 0)
    found = await make(store).collect(NO_HOST, NOW)
    assert up(found)["queues"] == 0
    assert up(found)["own"] == 1


async def test_ages_of_the_queues_and_sizes_of_the_files(store: Store) -> None:
    with store.decide() as conn:
        for number, (state, age) in enumerate((("due", 30), ("failed", 90), ("sent", 500), ("held", 700))):
            values: dict[str, Any] = {"id": f"NT-{number}", "kind": "page", "severity": "critical", "notifier": "x"}
            values |= {"state": state, "not_before": NOW - micros(age), "content": {}, "created_at": NOW}
            conn.execute(insert(schema.outbox).values(**values))
    found = await make(store).collect(NO_HOST, NOW)
    assert (
        value(
            found,
            "forewatch.outbox.oldest.age",
        )
        == 90
    )
    assert value(found, "forewatch.runs.oldest.age") == 0
    assert value(found, "forewatch.inbox.oldest.age") == 0
    assert value(found, "forewatch.store.size", file="decisions") > 4096
    assert value(found, "forewatch.ballast.held") == 0


async def test_the_age_of_what_others_sent_and_nobody_has_decided_upon(store: Store) -> None:
    rows = [{"at": NOW - micros(age), "source": "s", "kind": "events", "body": b"[]"} for age in (90, 40, 5)]
    with store.intake() as conn:
        inbox.add(conn, rows)
    assert value(await make(store).collect(NO_HOST, NOW), "forewatch.inbox.oldest.age") == 90
    with store.decide() as conn:
        inbox.put_mark(conn, Mark(2, 0))
    assert value(await make(store).collect(NO_HOST, NOW), "forewatch.inbox.oldest.age") == 40


async def test_own_cpu_and_memory_of_the_whole_tree(store: Store, sleeper: subprocess.Popen[bytes]) -> None:
    one = make(store)
    first = await one.collect(NO_HOST, NOW)
    second = await one.collect(NO_HOST, NOW + 1)
    assert value(first, "forewatch.process.count") >= 2
    assert value(first, "forewatch.memory.usage") > 1e6
    assert value(second, "forewatch.cpu.utilization") >= 0
    assert "forewatch.cpu.utilization" not in {point.metric for point in first}


def start() -> subprocess.Popen[bytes]:
    code = "import sys, time; print('.', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read(1)
    return process


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = start()
    yield process
    process.kill()
    process.wait()


def service(pidfile: Path) -> Config:
    return Config(services=[Service(name="web", processes=[ProcessTarget(pidfile=str(pidfile))])])


def look(processes: Processes, config: Config) -> Gathering:
    into = Gathering(NOW)
    processes(into, config)
    return into


def test_a_restart_is_counted_once_and_a_missing_process_is_a_count_of_0(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    pidfile, processes = tmp_path / "web.pid", Processes()
    config = service(pidfile)

    def seen(metric: str) -> float:
        return value(look(processes, config).points, metric, process="web.pid")

    assert seen("process.count") == 0
    pidfile.write_text(f"{sleeper.pid}\n")
    assert seen("process.count") == 1
    assert seen("process.restarts") == 0
    assert seen("process.memory.usage") > 1e6
    assert seen("process.thread.count") >= 1
    assert seen("process.uptime") < 60
    assert seen("process.cpu.utilization") < 1
    pidfile.unlink()
    assert seen("process.restarts") == 0
    other = start()
    try:
        pidfile.write_text(str(other.pid))
        assert [seen("process.restarts"), seen("process.restarts")] == [1, 1]
    finally:
        other.kill()
        other.wait()


def test_a_clock_that_is_set_is_no_restart(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    pidfile, processes = tmp_path / "web.pid", Processes()
    pidfile.write_text(str(sleeper.pid))
    look(processes, service(pidfile))
    boot, created = psutil.boot_time, psutil.Process.create_time
    monkeypatch.setattr(psutil, "boot_time", lambda: boot() + 3600)
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: created(self) + 3600)
    points = look(processes, service(pidfile)).points
    assert value(points, "process.restarts", process="web.pid") == 0


def test_a_pid_file_without_a_pid_is_named_and_others_are_measured(tmp_path: Path) -> None:
    (tmp_path / "bad.pid").write_text("hello")
    targets = [ProcessTarget(pidfile=str(tmp_path / "bad.pid")), ProcessTarget(name="surely-no-such-program")]
    into = look(Processes(), Config(services=[Service(name="web", processes=targets)]))
    assert into.problems == [f"web: process bad.pid: pid file {tmp_path / 'bad.pid'} holds no pid but 'hello'"]
    assert value(into.points, "process.count", process="surely-no-such-program") == 0


def test_processes_are_found_by_name_and_by_port(sleeper: subprocess.Popen[bytes]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        name = psutil.Process(sleeper.pid).name()
        targets = [ProcessTarget(name=name), ProcessTarget(port=port)]
        into = look(Processes(), Config(services=[Service(name="web", processes=targets)]))
    assert value(into.points, "process.count", process=name) >= 1
    assert value(into.points, "process.count", process=f"port {port}") == 1


def test_targets_of_checks_count_too_each_once() -> None:
    target = ProcessTarget(name="nginx")
    both = Service(
        name="web", processes=[target], checks=[Check(process=target), Check(process=ProcessTarget(port=80))]
    )
    assert targets_of(both) == [target, ProcessTarget(port=80)]
