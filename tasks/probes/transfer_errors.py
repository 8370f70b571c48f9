"""What an error of libcurl means for the target, in plain words."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pycurl

from tasks.probes import certificate, words
from tasks.probes.attempt import Failing
from tasks.probes.authorities import Trusted
from tasks.probes.curl import CurlError
from tasks.probes.headers import Head

TOO_LARGE = 100
"""CURLE_TOO_LARGE, which pycurl has no name for."""
_WRONG_NAME = re.compile(r"no alternative certificate subject name|certificate subject name .* does not match")
_HEADERS_OVER = re.compile(r"Too large response headers: (\d+) > (\d+)")
_OPENSSL = re.compile(r"error:[0-9A-F]+:[^:]*:[^:]*:(.*?)(?:, errno \d+)?$")
_RAGGED = "unexpected eof"
_HUNG_UP = (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED)


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a transfer went to, as the check has it."""

    host: str
    port: int
    name: str
    """What the certificate must be for."""
    trusted: Trusted | None
    """Who must have signed it; None where it is not judged."""


def failing(error: CurlError, handle: Any, asked: Asked, head: Head, details: Mapping[str, Any]) -> Failing:
    """`head`: what had come of the answer, if anything had."""
    host, port = asked.host, asked.port
    where, said = words.peer(host, port), str(error)
    number = handle.getinfo(pycurl.OS_ERRNO)
    if error.code == pycurl.E_PEER_FAILED_VERIFICATION:
        return _refused_certificate(handle, said, asked)
    if error.code == pycurl.E_COULDNT_CONNECT:
        return Failing(_not_connected(number, host, port), details)
    if error.code == pycurl.E_SSL_CONNECT_ERROR:
        return Failing(_no_tls(said, number, host, port), details)
    if error.code == pycurl.E_SSL_CACERT_BADFILE:
        return Failing("could not be checked: the authorities this machine trusts cannot be read", details)
    if error.code == pycurl.E_COULDNT_RESOLVE_HOST:
        return Failing(f"name not found: {host}", details)
    if error.code == TOO_LARGE or _HEADERS_OVER.search(said):
        return Failing(f"headers too large: {_too_large(said, head)}", details)
    if head.over:
        broken = error.code == pycurl.E_RECV_ERROR and number == 0 and _RAGGED not in said
        return Failing(f"body is malformed: {said}" if broken else "body broke off before its end", details)
    if error.code == pycurl.E_GOT_NOTHING or _RAGGED in said:
        return Failing(f"{where} hung up without an answer", details)
    if error.code in (pycurl.E_SEND_ERROR, pycurl.E_RECV_ERROR) and number:
        return Failing(words.of_os_error(OSError(number, said), host, port), details)
    if found := _OPENSSL.search(said):
        # In TLS 1.3 a server refuses after the handshake, as one that wants a certificate of ours.
        return Failing(words.of_tls_reason(found[1], host, port), details)
    if error.code == pycurl.E_OPERATION_TIMEDOUT:
        return Failing(f"no connection to {where}", details, timed_out=True)
    if error.code == pycurl.E_UNSUPPORTED_PROTOCOL and "HTTP/0.9" in said:
        said = "its answer does not begin with HTTP/ and a version"
    return Failing(f"{where} does not speak HTTP: {said}", details)


def is_ragged_end(error: CurlError, head: Head) -> bool:
    """Whether a body whose length nobody said ended without TLS's goodbye, as browsers take it."""
    return (
        head.over
        and error.code == pycurl.E_RECV_ERROR
        and _RAGGED in str(error)
        and not head.all("Content-Length")
        and not head.all("Transfer-Encoding")
    )


def _not_connected(number: int, host: str, port: int) -> str:
    if not number:
        try:
            socket.socket().close()
        except OSError as error:  # libcurl got none either
            number = error.errno or 0
    return words.of_os_error(OSError(number or errno.ETIMEDOUT, ""), host, port)


def _no_tls(said: str, number: int, host: str, port: int) -> str:
    if number in _HUNG_UP or _RAGGED in said or "SSL_ERROR_SYSCALL" in said:
        return f"{words.peer(host, port)} hung up in the TLS handshake"
    found = _OPENSSL.search(said)
    return words.of_tls_reason(found[1] if found else said, host, port)


def _refused_certificate(handle: Any, said: str, asked: Asked) -> Failing:
    chain, code = certificate.shown(handle), handle.getinfo(pycurl.SSL_VERIFYRESULT)
    if _WRONG_NAME.search(said):
        # libcurl looks at the name first, and then no further; but whose certificate it is matters more.
        code = (certificate.fault_of(chain, asked.trusted) if asked.trusted else 0) or certificate.WRONG_NAME
    plain = words.of_verification(code, asked.name, said)
    return Failing(*certificate.why_refused(code, chain, asked.name, plain))


def _too_large(said: str, head: Head) -> str:
    if found := _HEADERS_OVER.search(said):
        return f"{int(found[1]) // 1024:,} KiB and more, at most {int(found[2]) // 1024:,} KiB are read"
    if "Too many" in said:
        return "more than 5,000 lines"
    return f"a line of more than 100 KiB after {head.size:,} bytes"
