"""Whose certificates a check trusts: this machine's authorities, or those of a file."""

from __future__ import annotations

import functools
import os
import re
import ssl
import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pycurl
from cryptography import x509

from tasks.probes.attempt import Failing

_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")
"""How OpenSSL names the files of a folder of authorities."""


@dataclass(frozen=True, eq=False)
class Trusted:
    """Authorities, as libcurl takes them and one by one. Compared by identity: a changed file is another one."""

    file: str | None = None
    folder: str | None = None
    pem: bytes | None = None
    certificates: tuple[bytes, ...] = ()
    """DER, where they are known: a folder's are looked up as they are needed."""
    _by_subject: dict[bytes, list[x509.Certificate]] = field(default_factory=dict, init=False, repr=False)

    def apply(self, handle: Any) -> None:
        """Have a handle trust these and nobody else."""
        if self.pem is not None:
            handle.setopt(pycurl.CAINFO_BLOB, self.pem)
            return
        # Else libcurl would add those it was built with.
        handle.setopt(pycurl.CAINFO, self.file) if self.file else handle.unsetopt(pycurl.CAINFO)
        handle.setopt(pycurl.CAPATH, self.folder) if self.folder else handle.unsetopt(pycurl.CAPATH)

    def named(self, subject: x509.Name) -> Sequence[x509.Certificate]:
        """Those of a name."""
        if not self._by_subject:
            for one in _readable(self.certificates or _in_folder(self.folder)):
                self._by_subject.setdefault(one.subject.public_bytes(), []).append(one)
        return self._by_subject.get(subject.public_bytes(), ())


def trusting(folder: Path, ca: str | None) -> Trusted:
    """Whom a check trusts: the authorities in a PEM file alone, or this machine's where it names none. Raises Failing
    with the reason where the file is no such file; a changed one is read again.
    """
    if ca is None:
        return this_machines()
    path = folder / ca
    try:
        return _of_file(path, path.stat().st_mtime_ns)
    except ssl.SSLError as error:
        raise Failing(f"could not be checked: {ca} holds no certificate in PEM form") from error
    except OSError as error:
        raise Failing(f"could not be checked: {ca} cannot be read: {error.strerror}") from error


@functools.lru_cache(maxsize=256)
def _of_file(path: Path, _changed: int) -> Trusted:
    # libcurl would keep a file by its name for a day, and not see that it changed.
    return Trusted(pem=path.read_bytes(), certificates=_in_file(str(path)))


@functools.cache
def this_machines() -> Trusted:
    """Where Python's ssl module looks for them, `SSL_CERT_FILE` and `SSL_CERT_DIR` included.

    libcurl reads a file once for all checks, but anew for each where a folder is given beside it. So the folder is left
    out where all of it is in the file, as on most systems.
    """
    paths = ssl.get_default_verify_paths()
    file, folder = paths.cafile, paths.capath
    if file is None:
        return Trusted(folder=folder)
    certificates: tuple[bytes, ...] = ()
    with suppress(ssl.SSLError):  # nobody is trusted then, and every check says so
        certificates = _in_file(file)
    if folder is None or _all_in(folder, file):
        return Trusted(file=file, certificates=certificates)
    return Trusted(file=file, folder=folder, certificates=(*certificates, *_in_folder(folder)))


def _in_file(file: str) -> tuple[bytes, ...]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=file)
    return tuple(context.get_ca_certs(binary_form=True))


def _in_folder(folder: str | None) -> tuple[bytes, ...]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for path in _hashed(folder):
        with suppress(OSError):  # as OpenSSL does: a file that cannot be used is none
            context.load_verify_locations(cafile=path)
    return tuple(context.get_ca_certs(binary_form=True))


def _all_in(folder: str, file: str) -> bool:
    """Whether a file has, as text, all that is in a folder: to read 150 certificates one by one takes 0.1 s."""
    try:
        whole = Path(file).read_bytes()
        return all(path.read_bytes().strip() in whole for path in map(Path, _hashed(folder)))
    except OSError:
        return False


def _hashed(folder: str | None) -> list[str]:
    try:
        return [entry.path for entry in os.scandir(folder) if _HASHED.fullmatch(entry.name)] if folder else []
    except OSError:
        return []


def _readable(certificates: Iterable[bytes]) -> list[x509.Certificate]:
    found = []
    with warnings.catch_warnings(action="ignore"):  # of old authorities with odd serial numbers
        for der in certificates:
            with suppress(ValueError):
                found.append(x509.load_der_x509_certificate(der))
    return found
