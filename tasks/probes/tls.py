"""The `tls` check: is a server's certificate accepted, and for how many days still?

The chain must lead to an authority of this machine (or of `ca`), the name must be in the certificate, and nothing in
the chain may have expired; `expect.certificate_days` asks for days to spare.
"""

from __future__ import annotations

import asyncio
import socket
import ssl

from forewatch.config.targets import TlsTarget
from tasks.probes import certificate, words
from tasks.probes.attempt import Answer, Attempt, Failing
from tasks.probes.authorities import trusting
from tasks.probes.tcp import host_and_port


async def attempt(a: Attempt) -> Answer:
    target = TlsTarget(address=a.check.tls) if isinstance(a.check.tls, str) else a.check.tls
    if target is None:
        raise Failing("the check names no server")
    host, port = host_and_port(a.filled(target.address))
    name = target.server_name or host
    trusted = trusting(a.context.folder, target.ca)
    a.waiting_for = "TLS handshake"
    try:
        addresses = await a.context.names.resolve(host, port)
    except socket.gaierror as error:
        raise Failing(words.of_os_error(error, host, port)) from error
    failed: Exception | None = None
    for address in addresses:
        try:
            # One address that swallows packets must leave time for the next.
            async with asyncio.timeout(a.check.timeout / len(addresses)):
                return await _judge(a, address["host"], port, name, trusted)
        except OSError as error:  # TimeoutError is one
            failed = error
    if isinstance(failed, OSError) and not isinstance(failed, TimeoutError):
        raise Failing(words.of_os_error(failed, host, port)) from failed
    raise Failing(f"no {a.waiting_for} within {words.spoken(a.check.timeout)}", timed_out=True) from failed


async def _judge(a: Attempt, address: str, port: int, name: str, trusted: ssl.SSLContext) -> Answer:
    try:
        _, writer = await asyncio.open_connection(address, port, ssl=trusted, server_hostname=name)
    except ssl.SSLCertVerificationError as error:
        raise Failing(*await certificate.why_refused(error, address, port, name)) from error
    except ConnectionResetError as error:
        raise Failing(f"{words.peer(address, port)} hung up in the TLS handshake") from error
    try:
        wire = writer.get_extra_info("ssl_object")
        der, version = wire.getpeercert(binary_form=True), wire.version()
    finally:
        writer.transport.abort()
    left = certificate.seconds_left(der)
    details = {**certificate.about(left), "protocol": version}
    reason = certificate.too_short(left, a.check.expect.certificate_days)
    if reason is not None:
        raise Failing(reason, details)
    return Answer(f"certificate is good for {words.spoken(left)}", details)
