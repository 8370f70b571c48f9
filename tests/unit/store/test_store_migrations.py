"""Migrations make the very tables of the schema, and know the revisions the code names."""

from __future__ import annotations

import re

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData

from forewatch.home import Home
from forewatch.store import engine, schema
from forewatch.store.migrate import alembic_config
from forewatch.store.revisions import REVISIONS, File

_COMMA = re.compile(r", ?(?![^()]*\))")
"""Between the columns and constraints of a table, not within one."""

pytestmark = pytest.mark.unit

TABLES: list[tuple[File, MetaData]] = [
    ("decisions", schema.decisions),
    ("metrics", schema.metrics),
    ("intake", schema.intake),
]


@pytest.mark.parametrize(("file", "metadata"), TABLES)
def test_migrations_make_the_tables_of_the_schema(home: Home, file: File, metadata: MetaData) -> None:
    migrated = engine.make_engine(engine.path_of(home, file), "NORMAL")
    with migrated.connect() as conn:
        context = MigrationContext.configure(conn, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        made = _definitions(conn.exec_driver_sql("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))
    migrated.dispose()
    # The comparison above does not see WITHOUT ROWID, AUTOINCREMENT and the conditions of partial indexes.
    fresh = engine.make_engine(home.root / "fresh.db", "NORMAL")
    with fresh.begin() as conn:
        metadata.create_all(conn)
        wanted = _definitions(conn.exec_driver_sql("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))
    fresh.dispose()
    made.pop("alembic_version")
    assert made == wanted


@pytest.mark.parametrize("file", ["decisions", "metrics", "intake"])
def test_the_revisions_in_the_code_are_those_of_the_scripts(file: File) -> None:
    scripts = ScriptDirectory.from_config(alembic_config(file))
    oldest_first = [script.revision for script in scripts.walk_revisions()][::-1]
    assert tuple(oldest_first) == REVISIONS[file]


def _definitions(rows: object) -> dict[str, list[str]]:
    """Name to definition, regardless of white space and order: a column that was added later stands at the end."""
    plain = {name: re.sub(r" (?=[,)])", "", " ".join(sql.split())) for name, sql in rows}  # type: ignore[attr-defined]
    return {name: _parts(sql) for name, sql in plain.items()}


def _parts(sql: str) -> list[str]:
    head, _, rest = sql.partition("(")
    body, _, tail = rest.rpartition(")")
    return sorted([head, tail, *_COMMA.split(body)])
