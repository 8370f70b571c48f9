"""Every configuration that was ever in force, as text with secrets as references."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, func, insert, select

from forewatch import __version__
from forewatch.config.remedy import RemedyOff
from forewatch.store.schema import config_versions


@dataclass(frozen=True)
class ConfigVersion:
    version: int
    digest: str
    files: list[tuple[str, str]]
    """(path, text), the main file first."""
    code_version: str
    at: int
    remedies_off: tuple[RemedyOff, ...] = ()
    """Remedies that are wrong, and so not in force. Kept, since what is wrong with them may be their runbook."""


def digest_of(files: Sequence[tuple[str, str]], off: Sequence[RemedyOff] = ()) -> str:
    """SHA-256 of paths and texts, and of the remedies that are off."""
    content: list[object] = [list(file) for file in files]
    content += [asdict(one) for one in off]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def add(conn: Connection, files: Sequence[tuple[str, str]], now: int, off: Sequence[RemedyOff] = ()) -> int:
    """Store a configuration and return its version; that of the newest one where nothing has changed."""
    digest = digest_of(files, off)
    last = newest(conn)
    if last is not None and last.digest == digest:
        return last.version
    added = insert(config_versions).values(
        digest=digest,
        files=[list(file) for file in files],
        code_version=__version__,
        at=now,
        remedies_off=[asdict(one) for one in off],
    )
    return int(conn.execute(added.returning(config_versions.c.version)).scalar_one())


def since_when(conn: Connection) -> list[tuple[int, int]]:
    """(version, since when it was in force) of each that is stored, in order."""
    found = select(config_versions.c.version, config_versions.c.at).order_by(config_versions.c.version)
    return [(version, at) for version, at in conn.execute(found)]


def before(conn: Connection, version: int) -> int | None:
    """The number of the one that was in force before `version`."""
    older = select(func.max(config_versions.c.version)).where(config_versions.c.version < version)
    return conn.execute(older).scalar_one()  # type: ignore[no-any-return]


def newest_version(conn: Connection) -> int | None:
    """The number of the newest one, without its text."""
    version: int | None = conn.execute(select(func.max(config_versions.c.version))).scalar_one()
    return version


def newest(conn: Connection) -> ConfigVersion | None:
    version = newest_version(conn)
    return get(conn, version) if version is not None else None


def get(conn: Connection, version: int) -> ConfigVersion | None:
    row = conn.execute(select(config_versions).where(config_versions.c.version == version)).one_or_none()
    if row is None:
        return None
    files = [(path, text) for path, text in row.files]
    off = tuple(RemedyOff(**one) for one in row.remedies_off or ())
    return ConfigVersion(row.version, row.digest, files, row.code_version, row.at, off)
