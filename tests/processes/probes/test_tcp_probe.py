import asyncio
import re
import socket

import pytest
from servers import saying, serving

from forewatch.config.models import Instance


async def test_an_open_port_passes(ask):
    async with serving(saying()) as port:
        result = await ask(tcp="{address}", instance=Instance(name="a", address=f"127.0.0.1:{port}"))
    assert re.fullmatch(r"connected after \d+ ms", result.reason)
    assert result.details == {"addresses": ["127.0.0.1"]}


async def test_a_closed_port_refuses(ask):
    assert (await ask(tcp="127.0.0.1:1")).reason == "refused by 127.0.0.1:1"


async def test_an_unknown_name_is_named(ask, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert (await ask(tcp="no-such-host:80")).reason == "name not found: no-such-host"


async def test_the_next_address_is_tried_where_the_first_refuses(ask, monkeypatch):
    async with serving(saying()) as port:
        both = [(socket.AF_INET, 1, 6, "", ("127.0.0.9", 0)), (socket.AF_INET, 1, 6, "", ("127.0.0.1", 0))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
        result = await ask(tcp=f"two-addresses:{port}")
    assert result.ok
    assert result.details == {"addresses": ["127.0.0.9", "127.0.0.1"]}


async def test_a_full_backlog_ends_at_the_timeout(ask):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = []
        for _ in range(4):
            wire = socket.socket()
            wire.setblocking(False)
            wire.connect_ex(("127.0.0.1", port))
            waiting.append(wire)
        await asyncio.sleep(0.05)
        result = await ask(tcp=f"127.0.0.1:{port}", timeout="300ms")
        for wire in waiting:
            wire.close()
    assert result.reason == "no connection within 300 ms"


@pytest.mark.parametrize("target", ["127.0.0.1", "127.0.0.1:", ":80", "host:http", "host:70000"])
async def test_what_is_not_host_and_port_is_told(ask, target):
    assert (await ask(tcp=target)).reason == f"{target} is not host:port"
