"""A small name server on 127.0.0.1, over UDP and TCP, with answers made up by the test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

Zone = dict[tuple[str, str], list[str]]
"""(name, type) to answers, each as in a zone file; a name alone of type "" has no record of any other type."""


@asynccontextmanager
async def name_server(zone: Zone, *, rcode: str = "", silent: bool = False, small: bool = False) -> AsyncIterator[str]:
    """`ip:port` of a server; `rcode` for every answer, `silent`: none, `small`: no answer fits into a datagram."""

    def answer(wire: bytes, over_udp: bool) -> bytes:
        query = dns.message.from_wire(wire)
        [question] = query.question
        reply = dns.message.make_response(query)
        name, kind = question.name.to_text().rstrip(".").lower(), dns.rdatatype.to_text(question.rdtype)
        if small and over_udp:
            reply.flags |= dns.flags.TC
        elif rcode:
            reply.set_rcode(dns.rcode.from_text(rcode))
        elif (alias := zone.get((name, "CNAME"))) and kind != "CNAME":
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", "CNAME", *alias))
            found = zone.get((alias[0].rstrip("."), kind), [])
            if found:
                reply.answer.append(dns.rrset.from_text(alias[0], 60, "IN", kind, *found))
        elif (name, kind) in zone:
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *zone[name, kind]))
        elif name not in {known for known, _ in zone}:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply.to_wire()

    class Udp(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, data, addr):
            if not silent:
                self.transport.sendto(answer(data, True), addr)

    async def talk(reader, writer):
        size = int.from_bytes(await reader.readexactly(2), "big")
        wire = answer(await reader.readexactly(size), False)
        writer.write(len(wire).to_bytes(2, "big") + wire)
        await writer.drain()
        writer.close()

    tcp = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = tcp.sockets[0].getsockname()[1]
    udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(Udp, ("127.0.0.1", port))
    try:
        yield f"127.0.0.1:{port}"
    finally:
        udp.close()
        tcp.close()
