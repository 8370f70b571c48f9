"""A configuration that was parsed once, kept for the other processes of the same Forewatch.

With 2,000 services parsing takes a second of CPU and leaves its process 20 MB larger, in each of some eight processes
at the same moment. So the supervisor, which validates, leaves the result beside the store, and the others load it in a
twentieth of a second. What cannot be loaded is parsed, as if there were no such file.

Only texts without `${VARIABLE}` are kept: what a variable stands for depends on the process, and may be a secret that
must not be written down. `!secret` references are kept as references.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import pickle
import stat
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

from forewatch.config.files import ConfigFiles
from forewatch.config.loader import in_force
from forewatch.config.models import Config, RemedyOff
from forewatch.home import Home

KEPT = "configuration-*.parsed"
_DIGEST = 32

_log = logging.getLogger(__name__)


def parsed(home: Home, files: ConfigFiles, off: Sequence[RemedyOff] = ()) -> Config:
    """What `in_force(files, off)` says, from the kept result where there is one. Raises ConfigError."""
    if (found := _load(home, files, off)) is not None:
        return found
    config = in_force(files, off)
    keep(home, files, config)
    return config


def keep(home: Home, files: ConfigFiles, config: Config) -> None:
    """Leave a parsed configuration for the others, in place of an older one. Where that fails, they parse."""
    if not _may_be_kept(files):
        return
    path = _path(home, files, config.remedies_off)
    part = path.with_suffix(f".{os.getpid()}.part")
    content = pickle.dumps(config, protocol=5)
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(handle, "wb") as file:
            file.write(hashlib.sha256(content).digest() + content)
        part.replace(path)
        for older in home.run.glob(KEPT):
            if older != path:
                older.unlink(missing_ok=True)
    except OSError as error:
        _log.info("the parsed configuration is not kept (%s); each process parses it", error)
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _load(home: Home, files: ConfigFiles, off: Sequence[RemedyOff]) -> Config | None:
    """None where nothing is kept of these files by this code, or what is there is not ours or not whole."""
    if not _may_be_kept(files):
        return None
    path = _path(home, files, off)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            found = os.fstat(handle)
            # Loading runs code, so only what nobody else can have written is loaded.
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
                _log.warning("%s is not loaded: others could have written it", path)
                return None
            content = file.read()
    except OSError:
        return None
    digest, content = content[:_DIGEST], content[_DIGEST:]
    if hashlib.sha256(content).digest() != digest:
        _log.warning("%s is damaged, the configuration is parsed instead", path)
        return None
    try:
        config = pickle.loads(content)
    except Exception:  # noqa: BLE001 - whatever a library changed about it, the text itself can still be parsed
        _log.warning("%s cannot be loaded, the configuration is parsed instead", path, exc_info=True)
        return None
    return config if isinstance(config, Config) else None


def _may_be_kept(files: ConfigFiles) -> bool:
    return not any("$" in text for _, text in files.files)


def _path(home: Home, files: ConfigFiles, off: Sequence[RemedyOff]) -> Path:
    key = hashlib.sha256(f"{files.digest} {list(off)} {_code()}".encode()).hexdigest()
    return home.run / KEPT.replace("*", key[:_DIGEST])


@cache
def _code() -> str:
    """Which code parsed it: a kept result of other models would be missing what is new in these."""
    digest = hashlib.sha256(f"{sys.version} {version('pydantic')}".encode())
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
