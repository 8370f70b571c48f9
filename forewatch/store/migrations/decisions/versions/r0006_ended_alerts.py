"""Why an alert is over, where nobody saw that all is well."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"


def upgrade() -> None:
    op.add_column("alerts", sa.Column("ended", sa.String(), nullable=False, server_default=sa.text("''")))
