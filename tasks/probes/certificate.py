"""The certificates a TLS server showed, accepted or not: how long they are good for, and what is wrong with them.

What counts is the chain that is accepted: from the server's own certificate over those it showed to an authority that
is trusted. Where there are several, the one that lasts longest; in it, the certificate that expires first. Others that
the server sends along are needed by nobody.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import warnings
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pycurl
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from forewatch.checking.certificates import expires_first, whose
from tasks.probes import words
from tasks.probes.authorities import Trusted
from tasks.probes.words import spoken

_EXPIRED = words.CERTIFICATE_EXPIRED
_NOT_YET, _SELF_SIGNED, _UNTRUSTED_ROOT, _UNKNOWN = 9, 18, 19, (20, 21)
WRONG_NAME = 62
_NAMES_SHOWN = 5
_MOST_SHOWN = 20
"""Certificates a server may send before the rest of them are not looked at."""


class Unreadable(ValueError):
    """A certificate that is not in the form it should be."""


class Lifetime(NamedTuple):
    """Until when a server's certificates are good."""

    expires: float
    """Unix time, seconds."""
    authority: str = ""
    """Whose certificate it is that expires first; empty where it is the server's own."""
    remark: str = ""
    """What strict clients will not accept."""

    @property
    def left(self) -> float:
        """Seconds; negative once it has expired."""
        return self.expires - datetime.now(UTC).timestamp()

    def about(self) -> dict[str, Any]:
        """What is told of it."""
        found: dict[str, Any] = {"certificate_days": int(self.left // 86400), "certificate_left": round(self.left)}
        if self.authority:
            found["certificate_of"] = self.authority
        return found

    def good_for(self) -> str:
        """`certificate is good for 20 days`, and whose it is where that is not the server's own."""
        return f"certificate is good for {spoken(self.left)}{expires_first(self.authority)}"

    def too_short(self, wanted: int | None) -> str | None:
        """Why it is not good for `wanted` days; None where it is."""
        left = self.left
        if wanted is None or int(left // 86400) >= wanted:
            return None
        when = f"expires in {spoken(left)}" if left > 0 else f"expired {spoken(-left)} ago"
        return f"{whose(self.authority)} {when}, expected at least {wanted} days"


def shown(handle: Any) -> tuple[bytes, ...]:
    """The certificates a server showed, its own first, in PEM form; none over plain HTTP."""
    return tuple(
        value for one in handle.getinfo_raw(pycurl.INFO_CERTINFO) for name, value in map(_entry, one) if name == b"Cert"
    )


def _entry(entry: Any) -> tuple[bytes, bytes]:
    name, value = entry
    return (name if isinstance(name, bytes) else name.encode()), (value if isinstance(value, bytes) else value.encode())


@functools.lru_cache(maxsize=4096)
def lifetime(chain: tuple[bytes, ...], trusted: Trusted | None) -> Lifetime:
    """Of what a server showed and `trusted` accepted; with None nothing was judged, and its own certificate counts.

    Raises Unreadable.
    """
    try:
        own = _loaded(chain[0])
        expires = _expires(own)
    except (IndexError, ValueError) as error:
        raise Unreadable(f"certificate cannot be read: {str(error).partition(chr(10))[0]}") from error
    path = None if trusted is None else _accepted(own, chain[1:_MOST_SHOWN], trusted)
    if path is None:
        # Accepted in a way we do not see, or not judged.
        return Lifetime(expires)
    first = min(path, key=_expires)
    return Lifetime(_expires(first), "" if first is own else _called(first.subject), _remark(path))


def fault_of(chain: tuple[bytes, ...], trusted: Trusted) -> int:
    """OpenSSL's code for what is wrong with a chain, whomever it is for; 0 where nothing is."""
    try:
        own = _loaded(chain[0])
    except (IndexError, ValueError):
        return 0
    path = _accepted(own, chain[1:_MOST_SHOWN], trusted)
    if path is None:
        return _SELF_SIGNED if own.issuer == own.subject else _UNKNOWN[0]
    return _EXPIRED if min(map(_expires, path)) < datetime.now(UTC).timestamp() else 0


_Path = tuple[x509.Certificate, ...]


def _accepted(own: x509.Certificate, sent_along: Sequence[bytes], trusted: Trusted) -> _Path | None:
    """Of the chains that lead to somebody who is trusted, the one whose first certificate to expire expires last.

    Each certificate is gone on from once, from the best way to it: what a server makes up cannot keep us busy.
    """
    others = []
    for pem in sent_along:
        with suppress(ValueError):  # one that cannot be read leads nowhere
            others.append(_loaded(pem))
    order = itertools.count()
    open_ways: list[tuple[float, int, _Path]] = [(-_expires(own), next(order), (own,))]
    seen: set[x509.Certificate] = set()
    while open_ways:
        worst, _, path = heapq.heappop(open_ways)
        last = path[-1]
        if last in trusted.named(last.subject):
            return path
        if last in seen:
            continue
        seen.add(last)
        for one in (*trusted.named(last.issuer), *others):
            if one not in seen and _signed(last, one):
                heapq.heappush(open_ways, (max(worst, -_expires(one)), next(order), (*path, one)))
    return None


def _expires(one: x509.Certificate) -> float:
    return one.not_valid_after_utc.timestamp()


def _signed(one: x509.Certificate, issuer: x509.Certificate) -> bool:
    if one.issuer != issuer.subject:
        return False
    try:
        one.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _remark(path: _Path) -> str:
    """What OpenSSL's X509_V_FLAG_X509_STRICT refuses, which Python 3.13 sets and browsers do not."""
    for one in path[:-1]:
        try:
            key = one.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        except x509.ExtensionNotFound:
            key = None
        except ValueError:
            continue
        if key is None:
            subject = whose("" if one is path[0] else _called(one.subject))
            return f"{subject} has no Authority Key Identifier: strict clients, as Python from 3.13 on, refuse it"
    return ""


def why_refused(code: int, chain: tuple[bytes, ...], name: str, plain: str) -> tuple[str, dict[str, Any]]:
    """Why a server's certificate was not accepted, with names and days out of it.

    `code`: OpenSSL's, WRONG_NAME where it is for somebody else; `name`: what was asked for; `plain`: what there is to
    say where the certificate does not tell more.
    """
    try:
        own = _loaded(chain[0])
        return _explain(code, own, name) or plain, Lifetime(_expires(own)).about()
    except (IndexError, ValueError):
        return plain, {}


def _loaded(pem: bytes) -> x509.Certificate:
    """Raises ValueError where what is needed of it cannot be read."""
    with warnings.catch_warnings(action="ignore"):  # of odd serial numbers
        one = x509.load_pem_x509_certificate(pem)
        # These are read only when they are asked for.
        _ = one.subject, one.issuer, one.not_valid_after_utc, one.not_valid_before_utc
        return one


def _explain(code: int, own: x509.Certificate, name: str) -> str | None:
    left = _expires(own) - datetime.now(UTC).timestamp()
    issuer = _called(own.issuer)
    if code == _EXPIRED:
        if left > 0:
            return f"the certificate of its authority ({issuer}) or one further up expired"
        return f"certificate expired {spoken(-left)} ago"
    if code == _NOT_YET:
        return f"certificate is not valid before {own.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    if code == WRONG_NAME:
        return f"certificate is for {_names(own) or _called(own.subject)}, not for {name}"
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


def _names(own: x509.Certificate) -> str:
    try:
        found = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    names = [str(one) for one in found.get_values_for_type(x509.DNSName)]
    names += [str(one) for one in found.get_values_for_type(x509.IPAddress)]
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
