import asyncio
import sys
import time

import psutil
import pytest


def script(tmp_path, text: str, name: str = "check.sh") -> list[str]:
    file = tmp_path / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return [f"./{name}"]


async def test_exit_code_and_output_are_judged(ask, tmp_path):
    argv = script(tmp_path, "echo all well; exit ${1:-0}")
    assert (await ask(command=argv, expect={"output": "well"})).reason == "exit 0"
    assert (await ask(command=[*argv, "3"])).reason == "exit 3, expected 0: all well"
    assert (await ask(command=[*argv, "3"], expect={"exit": 3})).ok
    assert (await ask(command=argv, expect={"output": "ready"})).reason == 'output lacks "ready"'


async def test_arguments_never_meet_a_shell(ask, tmp_path):
    argv = script(tmp_path, 'printf "%s" "$1"')
    hostile = "; touch owned $(touch owned) `touch owned`"
    assert (await ask(command=[*argv, hostile], expect={"output": hostile})).ok
    assert not (tmp_path / "owned").exists()


async def test_the_environment_holds_no_secrets_of_ours(ask, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", "s3cret")
    monkeypatch.setenv("TZ", "Europe/Oslo")
    result = await ask(command=["env"])
    assert "TZ=Europe/Oslo" in result.details["output"]
    assert "HOOK_SECRET" not in result.details["output"]


async def test_a_command_that_hangs_is_killed_with_all_it_started(ask, tmp_path):
    argv = script(tmp_path, "sleep 61.25 & sleep 61.25")
    began = time.monotonic()
    result = await ask(command=argv, timeout="400ms")
    assert result.reason == "no end within 400 ms"
    assert time.monotonic() - began < 1
    await asyncio.sleep(0.2)
    assert not left("61.25")


async def test_what_a_finished_command_left_running_is_ended_too(ask, tmp_path):
    argv = script(tmp_path, "sleep 62.25 & echo ok")
    began = time.monotonic()
    result = await ask(command=argv, expect={"output": "ok"})
    assert result.ok
    assert time.monotonic() - began < 1
    await asyncio.sleep(0.2)
    assert not left("62.25")


async def test_endless_output_ends_at_the_cap(ask):
    began = time.monotonic()
    result = await ask(command=["yes"], timeout="5s")
    assert result.reason == "output larger than 1 MiB"
    assert time.monotonic() - began < 3


async def test_a_crash_names_the_signal(ask, tmp_path):
    assert (await ask(command=script(tmp_path, "kill -SEGV $$"))).reason == "killed by SIGSEGV"


async def test_what_cannot_be_started_is_told(ask, tmp_path):
    (tmp_path / "plain.txt").write_text("no program")
    (tmp_path / "noexec.sh").write_text("#!/no/such/interpreter\n")
    assert (await ask(command=["./no-such-program"])).reason == "no such program: ./no-such-program"
    assert (await ask(command=["./plain.txt"])).reason == "./plain.txt may not be executed"


async def test_the_output_of_a_fast_command_is_complete(ask):
    argv = [sys.executable, "-c", "print('x' * 900_000 + 'end')"]
    results = [await ask(command=argv, expect={"output": "xend"}, timeout="5s") for _ in range(5)]
    assert [result.reason for result in results] == ["exit 0"] * 5


@pytest.mark.parametrize("argv", [["{address}"], ["echo", "{address}"]])
async def test_the_address_needs_an_instance(ask, argv):
    assert "needs an instance" in (await ask(command=argv)).reason


def left(argument: str) -> list[int]:
    return [process.pid for process in psutil.process_iter(["cmdline"]) if argument in (process.info["cmdline"] or [])]
