"""The adapter to libcurl: transfers end when they should, at once and wholly."""

import asyncio
import os
import resource
import time
from contextlib import suppress

import pycurl
import pytest
from servers import saying, serving

from forewatch.config.models import Check
from tasks.probes import ProbeContext, probe
from tasks.probes.curl import CurlError, Transfers


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def until(true, within=2.0):
    async with asyncio.timeout(within):
        while not true():
            await asyncio.sleep(0.01)


@pytest.fixture
async def silent():
    """A server that never answers: (port, the readers of its open connections)."""
    open_now = set()

    async def hold(reader, writer):
        open_now.add(reader)
        await reader.read()  # until the peer is gone
        open_now.discard(reader)
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], open_now
    server.close()


async def test_a_cancelled_transfer_ends_at_once_and_its_connection_with_it(silent):
    port, open_now = silent
    transfers = Transfers()
    before = descriptors()
    handle = transfers.handle()
    handle.setopt(pycurl.URL, f"http://127.0.0.1:{port}/")
    task = asyncio.create_task(transfers.perform(handle))
    await until(lambda: open_now)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    handle.close()
    await until(lambda: not open_now)
    await until(lambda: descriptors() == before)
    transfers.close()


async def test_a_hundred_time_outs_leave_nothing_behind(silent, tmp_path):
    port, open_now = silent
    check = Check(http=f"http://127.0.0.1:{port}/", timeout=0.2)
    async with ProbeContext(tmp_path) as context:
        await probe(check, None, context)
        await until(lambda: not open_now)
        before = descriptors()
        results = await asyncio.gather(*(probe(check, None, context) for _ in range(100)))
        assert {one.reason for one in results} == {"no answer within 200 ms"}
        await until(lambda: not open_now)
        await until(lambda: descriptors() == before)


async def test_what_is_under_way_ends_when_the_context_is_closed(silent, tmp_path):
    port, open_now = silent
    before = descriptors()
    context = ProbeContext(tmp_path)
    task = asyncio.create_task(probe(Check(http=f"http://127.0.0.1:{port}/"), None, context))
    await until(lambda: open_now)
    await context.close()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not open_now)
    await until(lambda: descriptors() <= before + 1)  # the server's side may linger


async def test_many_at_once_hold_up_neither_each_other_nor_the_loop(ask, silent):
    port, _ = silent
    async with serving(saying()) as healthy:
        hanging = [asyncio.create_task(ask(http=f"http://127.0.0.1:{port}/", timeout="1s")) for _ in range(200)]
        await asyncio.sleep(0.1)
        began = time.monotonic()
        assert (await ask(http=f"http://127.0.0.1:{healthy}/")).ok
        assert time.monotonic() - began < 0.5
        await asyncio.gather(*hanging)


async def test_every_check_connects_anew(ask):
    peers = []

    async def note(head, writer):
        peers.append(writer.get_extra_info("peername"))
        await saying()(head, writer)

    async with serving(note) as port:
        for _ in range(3):
            await ask(http=f"http://127.0.0.1:{port}/")
    assert len(set(peers)) == 3


async def test_an_error_of_libcurl_comes_with_its_code():
    transfers = Transfers()
    handle = transfers.handle()
    handle.setopt(pycurl.URL, "http://127.0.0.1:1/")
    with pytest.raises(CurlError) as caught:
        await transfers.perform(handle)
    assert caught.value.code == pycurl.E_COULDNT_CONNECT
    handle.close()
    transfers.close()


async def test_a_machine_without_a_descriptor_left_is_not_taken_for_a_dead_target(ask):
    async with serving(saying()) as port:
        await ask(http=f"http://127.0.0.1:{port}/")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        # The lowest that are open stay so; there is none left above them.
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))), hard))
        full: list[int] = []
        try:
            with suppress(OSError):
                while True:
                    full.append(os.open("/dev/null", os.O_RDONLY))
            result = await ask(http=f"http://127.0.0.1:{port}/")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for one in full:
            os.close(one)
    assert result.reason == "could not be checked: this machine has no file descriptor left for it"


async def test_the_phases_of_an_answer_are_told(ask):
    async def late(head, writer):
        await asyncio.sleep(0.1)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        await asyncio.sleep(0.05)
        writer.write(b"ok")

    async with serving(late) as port:
        by_address = await ask(http=f"http://127.0.0.1:{port}/")
        by_name = await ask(http=f"http://localhost:{port}/")
    phases = by_address.details["phases"]
    assert set(phases) == {"connect", "first_byte", "transfer"}
    assert set(by_name.details["phases"]) == {"dns", "connect", "first_byte", "transfer"}
    assert 0.09 < phases["first_byte"] < 0.5
    assert 0.04 < phases["transfer"] < 0.4
    assert 0 <= phases["connect"] < 0.09
    assert sum(phases.values()) <= by_address.duration
