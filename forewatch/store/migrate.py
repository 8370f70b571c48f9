"""Bringing a file's tables up to the newest revision: Alembic, driven by us, forward only.

The caller has the write transaction open. All of an upgrade happens inside it, so a process that dies half-way leaves
the file as it was, and of two that migrate at once the second finds nothing left to do.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from forewatch.store.revisions import File


def alembic_config(file: File) -> Config:
    """Alembic's settings for one file, from the installed package and from nothing in the working directory."""
    config = Config()
    folder = Path(__file__).parent / "migrations" / file
    # The option goes through configparser, which reads % as the start of a placeholder.
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(conn: Connection, file: File) -> None:
    """Create or alter the tables of `file` up to its head revision, inside the connection's open transaction."""
    config = alembic_config(file)
    config.attributes["connection"] = conn
    command.upgrade(config, "head")
