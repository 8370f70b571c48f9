"""Alembic's entry to the migrations of `intake.db`; runs on the connection and in the transaction it is handed."""

from __future__ import annotations

from alembic import context

from forewatch.store.schema import intake

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=intake,
    # SQLite alters a column by copying its table.
    render_as_batch=True,
)
context.run_migrations()
