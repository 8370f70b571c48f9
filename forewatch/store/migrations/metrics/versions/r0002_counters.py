"""Whether a series is a counter, where its name does not say so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    op.add_column("series", sa.Column("counter", sa.Boolean(), nullable=True))
