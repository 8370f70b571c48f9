"""What went wrong on the way to a target, in plain words."""

from __future__ import annotations

import errno
import os
import socket
import ssl

_TLS = {
    9: "certificate is not valid yet",
    10: "certificate expired",
    18: "certificate is signed by itself, not by an authority",
    19: "certificate is signed by an authority this machine does not trust",
    20: "certificate is signed by an authority this machine does not know",
    21: "certificate is signed by an authority this machine does not know",
    23: "certificate was revoked",
    62: "certificate is for another name",
    64: "certificate is for another address",
}
"""By OpenSSL's X509_V_ERR_* numbers (x509_vfy.h)."""

CERTIFICATE_EXPIRED = 10


def spoken(seconds: float) -> str:
    """`120 ms`, `2.5 s`, `3 minutes`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}" + ("s" if count > 1 else "")
    raise AssertionError("every duration above two minutes has a unit")


def peer(host: str, port: int) -> str:
    """`127.0.0.1:81`, `[::1]:81`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def of_os_error(error: OSError, host: str, port: int) -> str:
    """Why `host:port` could not be reached or talked to."""
    if isinstance(error, ssl.SSLError):
        return of_tls_error(error, host, port)
    if isinstance(error, socket.gaierror):
        if error.errno == socket.EAI_AGAIN:
            return f"name servers do not answer for {host}"
        return f"name not found: {host}"
    where = peer(host, port)
    plain = {
        errno.ECONNREFUSED: f"refused by {where}",
        errno.ECONNRESET: f"connection reset by {where}",
        errno.EPIPE: f"connection reset by {where}",
        errno.EHOSTUNREACH: f"no route to {where}",
        errno.ENETUNREACH: f"no route to {where}",
        errno.ETIMEDOUT: f"no connection to {where}",
        errno.EMFILE: "could not be checked: this machine has no file descriptor left for it",
        errno.ENFILE: "could not be checked: this machine has no file descriptor left for it",
        errno.EADDRNOTAVAIL: "could not be checked: this machine has no local port left for it",
    }
    if error.errno in plain:
        return plain[error.errno]
    said = os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
    return f"{where}: {said}"


def of_tls_error(error: ssl.SSLError, host: str, port: int) -> str:
    """Why TLS with `host:port` did not come about."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return of_verification(error.verify_code, host, error.verify_message)
    return of_tls_reason((error.reason or str(error)).replace("_", " "), host, port)


def of_verification(code: int, name: str, said: str) -> str:
    """Why a certificate is not accepted. `code`: OpenSSL's; `name`: what was asked for; `said`: OpenSSL's words."""
    known = _TLS.get(code)
    if code in (62, 64):
        return f"{known}, not for {name}"
    return known or f"certificate is not accepted: {said}"


def of_tls_reason(reason: str, host: str, port: int) -> str:
    """Why there was no TLS handshake with `host:port`, by OpenSSL's words."""
    why = reason.lower()
    if why in ("wrong version number", "record layer failure", "http request", "packet length too long"):
        return f"{peer(host, port)} does not speak TLS"
    return f"no TLS with {peer(host, port)}: {why}"
