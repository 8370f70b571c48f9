import asyncio
import os
import shutil
import subprocess
import sys

import psutil
import pytest
from servers import saying, serving


@pytest.fixture
def sleeper():
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


async def test_the_process_of_a_pid_file_runs(ask, tmp_path, sleeper):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/app.pid").write_text(f"{sleeper.pid}\nmore lines\n")
    result = await ask(process={"pidfile": "run/app.pid"})
    assert (result.ok, result.reason) == (True, f"process {sleeper.pid} (sleep) runs")


async def test_a_missing_an_empty_and_a_garbled_pid_file_are_told_apart(ask, tmp_path):
    for name, text in (("empty", ""), ("garbled", "not a pid"), ("zero", "0"), ("binary", "\udcff")):
        (tmp_path / name).write_bytes(text.encode(errors="surrogateescape"))
    assert (await ask(process={"pidfile": "none"})).reason == "pid file none is missing"
    assert (await ask(process={"pidfile": "empty"})).reason == "pid file empty is empty"
    assert (await ask(process={"pidfile": "garbled"})).reason == 'pid file garbled holds no pid but "not a pid"'
    assert (await ask(process={"pidfile": "zero"})).reason == 'pid file zero holds no pid but "0"'
    assert "holds no pid" in (await ask(process={"pidfile": "binary"})).reason


async def test_a_stale_pid_file_is_told(ask, tmp_path, sleeper):
    (tmp_path / "app.pid").write_text(str(sleeper.pid))
    sleeper.kill()
    sleeper.wait()
    assert (
        await ask(process={"pidfile": "app.pid"})
    ).reason == f"pid file app.pid is stale: process {sleeper.pid} is gone"


async def test_a_recycled_pid_is_told_with_the_program_that_has_it_now(ask, tmp_path, sleeper):
    file = tmp_path / "app.pid"
    file.write_text(str(sleeper.pid))
    long_ago = psutil.Process(sleeper.pid).create_time() - 3 * 3600 - 60
    os.utime(file, (long_ago, long_ago))
    assert (await ask(process={"pidfile": "app.pid"})).reason == (
        f"pid file app.pid is stale: process {sleeper.pid} is now sleep, started 3 hours after the file was written"
    )


async def test_a_zombie_does_not_count_as_running(ask, tmp_path, sleeper):
    (tmp_path / "app.pid").write_text(str(sleeper.pid))
    sleeper.kill()
    for _ in range(100):
        if psutil.Process(sleeper.pid).status() == psutil.STATUS_ZOMBIE:
            break
        await asyncio.sleep(0.01)
    result = await ask(process={"pidfile": "app.pid"})
    assert result.reason == f"process {sleeper.pid} (sleep) has ended and waits for its parent"


async def test_a_process_is_found_by_its_name(ask, sleeper):
    found = await ask(process={"name": "sleep"})
    assert found.ok
    assert sleeper.pid in found.details["pids"]
    assert (await ask(process={"name": "no-such-program"})).reason == "no process named no-such-program"


@pytest.mark.parametrize("interpreter", ["/usr/bin/env python3", sys.executable, f"{sys.executable} -u", "/bin/sh"])
async def test_a_script_is_found_by_its_whole_name_whatever_runs_it(ask, tmp_path, interpreter):
    script = tmp_path / "very-long-daemon-name-here"
    wait = "import time; time.sleep(60)" if "python" in interpreter else "sleep 60; exit"
    script.write_text(f"#!{interpreter}\n{wait}\n")
    script.chmod(0o755)
    with subprocess.Popen([script], start_new_session=True) as process:
        try:
            found = await _soon(ask, "very-long-daemon-name-here")
            assert (found.ok, found.details.get("pids")) == (True, [process.pid]), found.reason
            assert not (await ask(process={"name": "very-long-daemon-name-there"})).ok
        finally:
            os.killpg(process.pid, 9)


async def test_a_program_is_found_by_its_whole_name_and_by_the_one_the_kernel_keeps(ask, tmp_path):
    program = tmp_path / "very-long-daemon-name-here"
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "60"]) as process:
        for name in ("very-long-daemon-name-here", "very-long-daemo"):
            assert (await _soon(ask, name)).details["pids"] == [process.pid]
        process.kill()


async def _soon(ask, name):
    """What the check says once the program has been executed; the process exists a moment before."""
    for _ in range(40):
        found = await ask(process={"name": name})
        if found.ok:
            break
        await asyncio.sleep(0.1)
    return found


async def test_the_owner_of_a_port_is_found(ask):
    async with serving(saying()) as port:
        found = await ask(process={"port": port})
    assert found.reason == f"process {os.getpid()} listens on port {port}"
    assert (await ask(process={"port": 1})).reason == "no process listens on port 1"
