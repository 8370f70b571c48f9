"""Whose certificates a check trusts: this machine's authorities, or those of a file."""

from __future__ import annotations

import functools
import ssl
from pathlib import Path

from tasks.probes.attempt import Failing
from tasks.probes.context import tls


def trusting(folder: Path, ca: str | None) -> ssl.SSLContext:
    """The TLS settings of a check that trusts the authorities in a PEM file alone, or this machine's where it names
    none. Raises Failing with the reason where the file is no such file; a changed one is read again.
    """
    if ca is None:
        return tls(True)
    path = folder / ca
    try:
        return _trusting(path, path.stat().st_mtime_ns)
    except ssl.SSLError as error:
        raise Failing(f"could not be checked: {ca} holds no certificate in PEM form") from error
    except OSError as error:
        raise Failing(f"could not be checked: {ca} cannot be read: {error.strerror}") from error


@functools.lru_cache(maxsize=256)
def _trusting(path: Path, _changed: int) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(path))
