"""A lane for what is critical."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "critical_lane",
        sa.Column("place", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_critical_lane")),
        sa.UniqueConstraint("seq", name=op.f("uq_critical_lane_seq")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "inbox_identities",
        sa.Column("identity", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("identity", "seq", name=op.f("pk_inbox_identities")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_inbox_identities_seq", "inbox_identities", ["seq"], unique=False)
    # Nobody has looked yet how severe these are. Decided first, in their order, they hide nothing critical, and
    # nothing that comes can overtake an older row of its own.
    op.execute("INSERT INTO critical_lane (seq) SELECT seq FROM inbox ORDER BY seq")
