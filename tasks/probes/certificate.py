"""The certificate a TLS server showed, accepted or not, and what is wrong with it."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import aiohttp
from cryptography import x509
from cryptography.x509.oid import NameOID

from tasks.probes import words
from tasks.probes.words import spoken

_EXPIRED, _WRONG_NAME, _WRONG_ADDRESS = words.CERTIFICATE_EXPIRED, 62, 64
_NOT_YET, _SELF_SIGNED, _UNTRUSTED_ROOT, _UNKNOWN = 9, 18, 19, (20, 21)
_NAMES_SHOWN = 5


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


def about(left: float) -> dict[str, Any]:
    """What is told of a certificate good for `left` seconds."""
    return {"certificate_days": int(left // 86400), "certificate_left": round(left)}


def too_short(left: float, wanted: int | None) -> str | None:
    """Why a certificate good for `left` seconds is not good for `wanted` days; None where it is."""
    if wanted is None or int(left // 86400) >= wanted:
        return None
    when = f"expires in {spoken(left)}" if left > 0 else f"expired {spoken(-left)} ago"
    return f"certificate {when}, expected at least {wanted} days"


async def why_refused(error: ssl.SSLError, host: str, port: int, name: str | None = None) -> tuple[str, dict[str, Any]]:
    """Why a server's certificate was not accepted, with names and days out of it; `name`: what was asked for.

    A refused handshake does not show the certificate, so it is asked for once more without judging it.
    """
    name = name or host
    if not isinstance(error, ssl.SSLCertVerificationError):
        return words.of_tls_error(error, host, port), {}
    plain = words.of_tls_error(error, name, port)
    with suppress(OSError, asyncio.IncompleteReadError, ValueError):
        der = await _shown(host, port, name)
        return _explain(error.verify_code, der, name) or plain, about(seconds_left(der))
    return plain, {}


async def _shown(host: str, port: int, name: str) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=name)
    try:
        der: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.transport.abort()
    return der


def _explain(code: int, der: bytes, name: str) -> str | None:
    shown = x509.load_der_x509_certificate(der)
    left = seconds_left(der)
    issuer = _called(shown.issuer)
    if code == _EXPIRED:
        if left > 0:
            return f"the certificate of its authority ({issuer}) or one further up expired"
        return f"certificate expired {spoken(-left)} ago"
    if code == _NOT_YET:
        return f"certificate is not valid before {shown.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    if code in (_WRONG_NAME, _WRONG_ADDRESS):
        return f"certificate is for {_names(shown) or _called(shown.subject)}, not for {name}"
    if code == _SELF_SIGNED:
        return "certificate is signed by itself, not by an authority"
    if code == _UNTRUSTED_ROOT:
        return f"certificate is signed by {issuer}, an authority this machine does not trust"
    if code in _UNKNOWN:
        return (
            f"certificate is signed by {issuer}, an authority this machine does not know "
            "(or the server leaves out a certificate in between)"
        )
    return None


def _called(name: x509.Name) -> str:
    """Of an authority or a subject: its common name, else whatever names it."""
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME) or name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(common[0].value) if common else name.rfc4514_string() or "nobody"


def _names(shown: x509.Certificate) -> str:
    try:
        found = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    names = [str(one) for one in found.get_values_for_type(x509.DNSName)]
    names += [str(one) for one in found.get_values_for_type(x509.IPAddress)]
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
