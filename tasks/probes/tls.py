"""The `tls` check: is a server's certificate accepted, and for how many days still?

The chain must lead to an authority of this machine (or of `ca`), the name must be in the certificate, and nothing in
the chain may have expired; `expect.certificate_days` asks for days to spare.
"""

from __future__ import annotations

import asyncio
import re
import socket
from typing import Any

import pycurl

from forewatch.config.targets import TlsTarget
from tasks.probes import certificate, words
from tasks.probes.attempt import Answer, Attempt, Failing
from tasks.probes.authorities import Trusted, trusting
from tasks.probes.curl import CurlError
from tasks.probes.headers import Head
from tasks.probes.tcp import host_and_port
from tasks.probes.transfer_errors import Asked, failing
from tasks.probes.url import checked_name

_VERSION = re.compile(rb"SSL connection using (\S+)")


async def attempt(a: Attempt) -> Answer:
    target = TlsTarget(address=a.check.tls) if isinstance(a.check.tls, str) else a.check.tls
    if target is None:
        raise Failing("the check names no server")
    host, port = host_and_port(a.filled(target.address))
    name = _name(target.server_name or host)
    trusted = trusting(a.context.folder, target.ca)
    a.waiting_for = "TLS handshake"
    try:
        addresses = await a.context.names.resolve(host)
    except socket.gaierror as error:
        raise Failing(words.of_os_error(error, host, port)) from error
    failed: Failing | None = None
    for address in addresses:
        try:
            # One address that swallows packets must leave time for the next.
            async with asyncio.timeout(a.check.timeout / len(addresses)):
                return await _judge(a, address.host, port, name, trusted)
        except TimeoutError:
            failed = None
        except _Unreached as error:
            failed = error
    raise failed or Failing(f"no {a.waiting_for} within {words.spoken(a.check.timeout)}", timed_out=True)


class _Unreached(Failing):
    """One address does not answer; another one may."""


def _name(text: str) -> str:
    try:
        return checked_name(text)
    except ValueError as error:
        raise Failing(f"could not be checked: {text} is not the name of a host") from error


async def _judge(a: Attempt, address: str, port: int, name: str, trusted: Trusted) -> Answer:
    versions: list[str] = []
    handle = a.context.transfers.handle()
    try:
        _apply(handle, address, port, name, versions)
        trusted.apply(handle)
        try:
            await a.context.transfers.perform(handle)
        except CurlError as error:
            why = failing(error, handle, Asked(address, port, name, trusted), Head(), {})
            if error.code == pycurl.E_COULDNT_CONNECT:
                raise _Unreached(why.reason, why.details) from error
            raise why from error
        chain = certificate.shown(handle)
    finally:
        handle.close()
    return _judged(a, chain, trusted, {"protocol": versions[-1]} if versions else {})


def _apply(handle: Any, address: str, port: int, name: str, versions: list[str]) -> None:
    def told(kind: int, said: bytes) -> None:
        if kind == pycurl.INFOTYPE_TEXT and (found := _VERSION.match(said)):
            versions.append(found[1].decode())

    asked = f"[{name}]" if ":" in name else name
    zoned = address.replace("%", "%25")
    handle.setopt(pycurl.URL, f"https://{asked}:{port}/")
    handle.setopt(pycurl.CONNECT_TO, [f"::[{zoned}]:{port}" if ":" in zoned else f"::{zoned}:{port}"])
    handle.setopt(pycurl.CONNECT_ONLY, 1)
    # It need not be a web server, and some hang up on whoever offers them HTTP.
    handle.setopt(pycurl.SSL_ENABLE_ALPN, 0)
    handle.setopt(pycurl.OPT_CERTINFO, 1)
    handle.setopt(pycurl.VERBOSE, 1)
    handle.setopt(pycurl.DEBUGFUNCTION, told)


def _judged(a: Attempt, chain: tuple[bytes, ...], trusted: Trusted, details: dict[str, Any]) -> Answer:
    wanted = a.check.expect.certificate_days
    try:
        lifetime = certificate.lifetime(chain, trusted)
    except certificate.Unreadable as error:
        if wanted is not None:
            raise Failing(str(error), details) from error
        return Answer(f"certificate is accepted (remark: {error})", {**details, "remarks": [str(error)]})
    details = {**lifetime.about(), **details}
    reason = lifetime.too_short(wanted)
    if reason is not None:
        raise Failing(reason, details)
    said = lifetime.good_for()
    if lifetime.remark:
        details["remarks"] = [lifetime.remark]
        said += f" (remark: {lifetime.remark})"
    return Answer(said, details)
