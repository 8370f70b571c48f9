"""The `dns` check: what does a name server answer?

Without `expect.answers` any record of the type passes. With it, the answers must be exactly these, in any order: the
one that should not be there is what such a check is to find. An empty list passes where there is no such record.
Answers are written as in a zone file or as people read them (`dns_answers`): `10 mail.example`, `v=spf1 -all`.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import dns.reversename

from forewatch.config.targets import DNS_PORT, name_server
from tasks.probes import dns_answers, words
from tasks.probes.attempt import Answer, Attempt, Failing

_SHOWN = 8


async def attempt(a: Attempt) -> Answer:
    target = a.check.dns
    if target is None:
        raise Failing("the check names no record")
    name = _name(a.filled(target.name), target.type)
    servers = _servers(a.filled(target.server) if target.server else None)
    query = dns.message.make_query(name, target.type)
    reply, server = await _ask(a, query, servers)
    rcode = dns.rcode.to_text(reply.rcode())
    shown = name.to_text(omit_final_dot=True)
    answers = _answers(reply, target.type)
    found = sorted(map(dns_answers.shown, answers))
    details = {"rcode": rcode, "answers": found, "server": server}
    wanted = a.check.expect.answers
    if wanted == [] and rcode in ("NOERROR", "NXDOMAIN") and not found:
        return Answer(f"{shown} has no {target.type} record, as expected ({rcode})", details)
    if rcode == "NXDOMAIN":
        raise Failing(f"NXDOMAIN from {server}: there is no {shown}", details)
    if rcode != "NOERROR":
        raise Failing(f"{rcode} from {server} for {shown}", details)
    if not found:
        raise Failing(f"{shown} has no {target.type} record (NOERROR from {server})", details)
    if wanted is not None and not dns_answers.same(answers, wanted, target.type):
        raise Failing(f"{shown} is {_listed(found)}, expected {_listed(wanted) or 'no record'}", details)
    return Answer(f"{shown} is {_listed(found)}", details)


def _name(text: str, kind: str) -> dns.name.Name:
    try:
        if kind == "PTR" and _is_address(text):
            return dns.reversename.from_address(text)
        return dns.name.from_text(text)
    except (dns.exception.DNSException, UnicodeError) as error:
        raise Failing(f"{text} is not a name: {error}") from error


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _servers(server: str | None) -> list[tuple[str, int]]:
    if server is not None:
        try:
            return [name_server(server)]
        except ValueError as error:
            raise Failing(f"{server} is not IP[:PORT]") from error
    try:
        return [(str(one), DNS_PORT) for one in dns.resolver.Resolver().nameservers]
    except dns.resolver.NoResolverConfiguration as error:
        raise Failing("could not be checked: this machine names no name server (in /etc/resolv.conf)") from error


async def _ask(
    a: Attempt, query: dns.message.Message, servers: list[tuple[str, int]]
) -> tuple[dns.message.Message, str]:
    """The first reply of any server, over TCP where a datagram is too small. Raises Failing where none comes."""
    failed: Exception | None = None
    for host, port in servers:
        where = words.peer(host, port) if port != DNS_PORT else host
        a.waiting_for = f"answer from {where}"
        try:
            # One server that is silent must leave time for the next.
            async with asyncio.timeout(a.check.timeout / len(servers)):
                reply, _ = await dns.asyncquery.udp_with_fallback(
                    query, host, port=port, ignore_unexpected=True, ignore_errors=True
                )
            return reply, where
        except (OSError, dns.exception.DNSException, EOFError) as error:  # TimeoutError is an OSError
            failed = error
    if isinstance(failed, TimeoutError):
        raise Failing(f"no {a.waiting_for} within {words.spoken(a.check.timeout)}", timed_out=True) from failed
    if isinstance(failed, OSError):
        raise Failing(words.of_os_error(failed, host, port)) from failed
    raise Failing(f"{where} does not speak DNS: {failed}") from failed


def _answers(reply: dns.message.Message, kind: str) -> list[bytes]:
    """Of the type asked for, wherever a chain of aliases ends."""
    wanted = dns.rdatatype.from_text(kind)
    return [dns_answers.answer(one) for rrset in reply.answer if rrset.rdtype == wanted for one in rrset]


def _listed(answers: Iterable[str]) -> str:
    ordered = sorted(answers)
    more = len(ordered) - _SHOWN
    return ", ".join(ordered[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
