"""Idempotency keys that never come again, and the stories of closed incidents that Prefect has not got yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    op.create_table(
        "generations",
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("above", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("prefix", "above", name=op.f("pk_generations")),
    )
    op.create_table(
        "stories_owed",
        sa.Column("incident_id", sa.String(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_stories_owed")),
    )
