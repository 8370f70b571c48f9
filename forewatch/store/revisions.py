"""The revisions of each file that this code knows, oldest first; the last is the one it works with.

Kept apart from the Alembic scripts so that opening a store need not load Alembic; a test holds the two together.
"""

from __future__ import annotations

from typing import Literal

File = Literal["decisions", "metrics", "intake"]

REVISIONS: dict[File, tuple[str, ...]] = {
    "decisions": ("0001", "0002", "0003", "0004", "0005", "0006"),
    "metrics": ("0001", "0002"),
    "intake": ("0001", "0002"),
}
