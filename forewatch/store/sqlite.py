"""Looking into a SQLite file that is not one of the store's own, such as a backup.

This module and `engine.py` are the only ones with SQLite-only SQL.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def faults(path: Path) -> list[str]:
    """What is wrong with the structure of the database file at `path`; nothing if it opens and is sound."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as conn:
            found = [str(row[0]) for row in conn.execute("PRAGMA quick_check")]
    except sqlite3.Error as error:
        return [str(error)]
    return [] if found == ["ok"] else found
