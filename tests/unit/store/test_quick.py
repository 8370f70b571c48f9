"""Statements past SQLAlchemy's preparations: the same answers, the same errors, only sooner."""

import gc
import weakref
from pathlib import Path

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    event,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError, StatementError

from forewatch.store import quick
from forewatch.store.engine import make_engine
from forewatch.store.quick import QuickConnection
from forewatch.store.upsert import upsert

pytestmark = pytest.mark.unit

METADATA = MetaData()
THINGS = Table(
    "things",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String, nullable=False, unique=True),
    Column("said", JSON),
    Column("well", Boolean),
)
BY_NAME = select(THINGS).where(THINGS.c.name == bindparam("of"))
AMONG = select(THINGS.c.name).where(THINGS.c.name.in_(bindparam("of", expanding=True))).order_by(THINGS.c.name)
WELL = select(THINGS.c.name).where(THINGS.c.well.is_(True), THINGS.c.id > 0).order_by(THINGS.c.id)
INSERT = insert(THINGS)
INSERT_RETURNING = insert(THINGS).returning(THINGS.c.id)
RENAME = update(THINGS).where(THINGS.c.name == bindparam("of"))
COUNT = select(func.count()).select_from(THINGS)


@pytest.fixture
def engine():
    engine = make_engine(Path("file:quick?mode=memory&uri=true"), "OFF")
    yield engine
    engine.dispose()


@pytest.fixture
def ways(engine):
    """How each statement went: `quick`, or `usual`."""
    gone = []

    def heard(conn, cursor, statement, parameters, context, executemany):
        gone.append("quick" if context is None else "usual")

    event.listen(engine, "before_cursor_execute", heard)
    return gone


@pytest.fixture
def conn(engine, ways):
    with engine.connect() as conn, conn.begin():
        METADATA.create_all(conn)
        conn.execute(INSERT, [{"name": name, "said": {"of": name}, "well": name < "c"} for name in "abcd"])
        ways.clear()
        yield conn


def test_sqlalchemy_still_makes_connections_of_the_class_an_engine_names(conn):
    assert type(conn) is QuickConnection


def test_a_statement_that_comes_again_goes_quickly(conn, ways):
    statement = select(THINGS).where(THINGS.c.name == bindparam("of"))
    for _ in range(3):
        conn.execute(statement, {"of": "a"})
    assert ways == ["usual", "quick", "quick"]


def test_statements_made_for_one_call_are_not_remembered_for_ever(conn):
    before = len(quick._known)
    for number in range(50):
        conn.execute(select(THINGS).where(THINGS.c.id == number))
    assert len(quick._known) <= before + 1, "the one that SQLAlchemy keeps itself"


def test_what_is_remembered_keeps_no_statement_alive(conn):
    statement = update(THINGS).where(THINGS.c.name.in_(bindparam("of", expanding=True)))
    for _ in range(3):
        conn.execute(statement, {"of": ["x"], "well": True})
    kept = weakref.ref(statement)
    conn.engine.clear_compiled_cache()  # SQLAlchemy's own
    del statement
    gc.collect()
    assert kept() is None


@pytest.mark.parametrize("time", [1, 2, 3])
def test_answers_are_sqlalchemys(conn, time):
    for _ in range(time):
        row = conn.execute(BY_NAME, {"of": "b"}).one_or_none()
        nobody = conn.execute(BY_NAME, {"of": "x"}).one_or_none()
        well = conn.execute(WELL).scalars().all()
        count = conn.execute(COUNT).scalar_one()
    assert dict(row._mapping) == {"id": 2, "name": "b", "said": {"of": "b"}, "well": True}
    assert (row.name, row.well is True, nobody, well, count) == ("b", True, None, ["a", "b"], 4)


@pytest.mark.parametrize("time", [1, 2, 3])
def test_changes_say_how_many_rows_they_changed(conn, time):
    for _ in range(time):
        changed = conn.execute(RENAME, {"of": "a", "said": {"at": [1, None]}, "well": False}).rowcount
        nothing = conn.execute(RENAME, {"of": "x", "said": None}).rowcount
    assert (changed, nothing) == (1, 0)
    assert conn.execute(BY_NAME, {"of": "a"}).one().said == {"at": [1, None]}


def test_the_columns_that_are_set_are_those_that_are_given(conn):
    for _ in range(2):
        conn.execute(RENAME, {"of": "a", "well": False})
        conn.execute(RENAME, {"of": "a", "said": {"new": 1}})
    row = conn.execute(BY_NAME, {"of": "a"}).one()
    assert (row.said, row.well) == ({"new": 1}, False)


def test_new_rows_give_their_numbers_back(conn):
    numbers = [conn.execute(INSERT_RETURNING, {"name": name, "said": {}, "well": None}).scalar_one() for name in "efg"]
    assert numbers == [5, 6, 7]


def test_many_rows_are_one_statement(conn, ways):
    for start in (10, 20, 30):
        conn.execute(INSERT, [{"name": f"n{start + n}", "said": {"n": n}, "well": True} for n in range(5)])
    assert ways[-1] == "quick"
    assert conn.execute(COUNT).scalar_one() == 4 + 15
    assert conn.execute(BY_NAME, {"of": "n34"}).one().said == {"n": 4}


def test_an_upsert_is_compiled_once(conn, ways):
    for number in range(3):
        upsert(conn, THINGS, [{"id": 1, "name": "a", "said": {"n": number}, "well": None}])
    assert ways[-2:] == ["quick", "quick"]
    assert conn.execute(BY_NAME, {"of": "a"}).one().said == {"n": 2}


@pytest.mark.parametrize("names", [[], ["a"], ["a", "c"], ["b", "x"], list("abcd") + [f"x{n}" for n in range(100)]])
def test_lists_of_any_length_are_looked_up(conn, names):
    for _ in range(3):
        found = conn.execute(AMONG, {"of": names}).scalars().all()
    assert found == [name for name in names if name in "abcd"]


def test_what_is_missing_is_said_as_sqlalchemy_says_it(conn):
    for _ in range(3):
        with pytest.raises(StatementError, match="'of'"):
            conn.execute(BY_NAME, {"other": 1})


def test_what_the_database_refuses_is_sqlalchemys_error(conn):
    for _ in range(3):
        with pytest.raises(IntegrityError, match="UNIQUE constraint failed"):
            conn.execute(INSERT, {"name": "a", "said": None, "well": None})


def test_what_is_selected_is_read_as_it_is_asked_for(conn):
    conn.execute(WELL)
    rows = iter(conn.execute(WELL))
    assert next(rows).name == "a"
    conn.execute(INSERT, {"name": "late", "said": None, "well": True})
    assert [row.name for row in rows] == ["b", "late"]


def test_text_goes_the_usual_way(conn, ways):
    for _ in range(3):
        assert conn.execute(text("SELECT 1")).scalar_one() == 1
    assert ways == ["usual"] * 3


def test_outside_a_transaction_sqlalchemy_begins_one(engine):
    with engine.connect() as conn:
        for _ in range(3):
            conn.execute(select(1))
            assert conn.in_transaction()
            conn.rollback()
