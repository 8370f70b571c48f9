"""Which remedies of a configuration are off because they are wrong."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"


def upgrade() -> None:
    op.add_column("config_versions", sa.Column("remedies_off", sa.JSON(), nullable=True))
