"""The certificate a TLS server showed, accepted or not."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from typing import Any

import aiohttp
from cryptography import x509

from tasks.probes.words import spoken


class CertifiedResponse(aiohttp.ClientResponse):
    """An answer that remembers its server's certificate; once the body has come, aiohttp has let the connection go."""

    certificate: bytes | None = None
    """DER; None over plain HTTP."""

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        transport = connection.transport
        tls = transport.get_extra_info("ssl_object") if transport is not None else None
        if tls is not None:
            self.certificate = tls.getpeercert(binary_form=True)
        return await super().start(connection)


def seconds_left(der: bytes) -> float:
    """Until the certificate expires; negative once it has."""
    expires = x509.load_der_x509_certificate(der).not_valid_after_utc
    return (expires - datetime.now(UTC)).total_seconds()


async def why_expired(host: str, port: int) -> tuple[str, dict[str, Any]]:
    """`certificate expired 3 days ago`, with the days as a detail.

    A refused handshake does not show the certificate, so it is asked for once more without judging it.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
    try:
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.transport.abort()
    left = seconds_left(der)
    return f"certificate expired {spoken(-left)} ago", {"certificate_days": int(left // 86400)}
