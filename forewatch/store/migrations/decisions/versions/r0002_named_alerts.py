"""Who was told of which alert, and digests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"

# Told before meant: a page or report of its incident went to somebody.
_TOLD_BEFORE = sa.text(
    """
    INSERT INTO named (alert_id, notifier, notification_id, name, severity, paged, at)
    SELECT alerts.id, outbox.notifier, min(outbox.id), '', alerts.severity, :paged, min(outbox.created_at)
    FROM alerts JOIN outbox ON outbox.incident_id = alerts.incident_id
    WHERE alerts.status = 'firing' AND outbox.kind IN ('page', 'report') AND outbox.state NOT IN ('dead', 'held')
    GROUP BY alerts.id, outbox.notifier, alerts.severity
    """
).bindparams(sa.bindparam("paged", True, type_=sa.Boolean()))


def upgrade() -> None:
    op.create_table(
        "named",
        sa.Column("alert_id", sa.String(), nullable=False),
        sa.Column("notifier", sa.String(), nullable=False),
        sa.Column("notification_id", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("paged", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "notifier", name=op.f("pk_named")),
    )
    op.create_index("ix_named_notification_id", "named", ["notification_id"], unique=False)
    op.create_table(
        "receivers",
        sa.Column("notifier", sa.String(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=False),
        sa.Column("paged_at", sa.BigInteger(), nullable=False),
        sa.Column("critical_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("storm", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("notifier", name=op.f("pk_receivers")),
    )
    op.create_table(
        "letters",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("notifier", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("incident_id", sa.String(), nullable=True),
        sa.Column("alert_id", sa.String(), nullable=True),
        sa.Column("run_id", sa.String(), nullable=True),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("named", sa.JSON(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letters")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_letters_notifier", "letters", ["notifier", "id"], unique=False)
    op.add_column("incident_services", sa.Column("ended_at", sa.BigInteger(), nullable=True))
    op.add_column("incidents", sa.Column("follows", sa.String(), nullable=True))
    op.add_column("flaps", sa.Column("kinds", sa.JSON(), nullable=False, server_default="[]"))
    op.execute(_TOLD_BEFORE)
