"""Statements that are carried out again and again, past SQLAlchemy's preparations for each call.

A decision is some twenty small statements. SQLite needs 5 to 20 us for one; SQLAlchemy looks each up in its cache,
makes a context and a result, and compiles an `ON CONFLICT` anew every time: several times as long. All of ours are
constants of modules, so what SQLAlchemy makes of a statement (the text, the order and form of its parameters, the form
of its columns) is kept beside the statement when it comes a second time, and used from then on.

Whatever does not fit (other kinds of statements, defaults made in Python, drivers that name parameters) goes the usual
way; callers see no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, CursorResult, Delete, Engine, Executable, Insert, Select, Update
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

Process = Callable[[Any], Any]
Parameters = Mapping[str, Any]
Given = Parameters | Sequence[Parameters] | None
Shape = tuple[object, ...]
Statement = Select[Any] | Insert | Update | Delete
_KINDS = (Select, Insert, Update, Delete)


@dataclass(frozen=True)
class _Prepared:
    """`names`: of the parameters, in the order of the text. `fixed`: those the statement brings along. `lists`: the
    names of the values of each list. `written`, `read`: places of values that the driver has in another form."""

    sql: str
    names: tuple[str, ...]
    fixed: Parameters
    lists: tuple[tuple[str, tuple[str, ...]], ...]
    written: tuple[tuple[int, Process], ...]
    columns: SimpleResultMetaData | None
    read: tuple[tuple[int, Process], ...]

    def arguments(self, given: Parameters) -> list[Any]:
        """Raises KeyError where the caller gives too little."""
        if self.fixed or self.lists:
            given = {**self.fixed, **given}
            for name, values in self.lists:
                given.update(zip(values, given[name], strict=True))
        found = [given[name] for name in self.names]
        for place, process in self.written:
            found[place] = process(found[place])
        return found

    def rows(self, fetched: Iterable[Any]) -> Iterator[Any]:
        if not self.read:
            return iter(fetched)
        return map(self._formed, fetched)

    def _formed(self, row: Sequence[Any]) -> tuple[Any, ...]:
        values = list(row)
        for place, process in self.read:
            values[place] = process(values[place])
        return tuple(values)


@dataclass
class _Known:
    """A statement that has come before, by the names of what it was given. `lists`: those that stand for as many values
    as are given; `shapes`: the rest of what there is to know, by how many those were too."""

    lists: dict[Shape, tuple[str, ...]] = field(default_factory=dict)
    shapes: dict[Shape, _Prepared | None] = field(default_factory=dict)


class _Rows(IteratorResult[Any]):
    rowcount = -1


LONGEST_LIST = 16
"""Values of one `IN` for which a text is kept: each number of them has its own."""

_known: WeakKeyDictionary[Statement, _Known] = WeakKeyDictionary()
_NONE: Parameters = {}
_NO_COLUMNS = SimpleResultMetaData([])


class QuickConnection(Connection):
    """A connection that remembers how its statements are carried out."""

    @cached_property
    def _driver(self) -> Any:
        return self.connection.dbapi_connection

    @cached_property
    def _listeners(self) -> list[Any]:
        return list(self.dispatch.before_cursor_execute)

    def execute(
        self, statement: Executable, parameters: Given = None, *, execution_options: Any = None
    ) -> CursorResult[Any]:
        if execution_options is None and isinstance(statement, _KINDS) and self.in_transaction():
            done: CursorResult[Any] | None = self._carried_out(statement, parameters)
            if done is not None:
                return done
        return super().execute(statement, cast(Any, parameters), execution_options=execution_options)

    def _carried_out(self, statement: Statement, parameters: Given) -> Any:
        """The result, or None where the statement has to go the usual way."""
        known = _known.get(statement)
        if known is None:
            # One that is made for a single call is not worth it: it is gone before it could come again.
            _known[statement] = _Known()
            return None
        if isinstance(parameters, list):
            several: list[Parameters] = parameters
        elif parameters is None or isinstance(parameters, dict):
            several = [parameters or _NONE]
        else:
            return None
        if not several:
            return None
        try:
            prepared = _prepared(self.dialect, statement, known, several)
            if prepared is None:
                return None
            arguments: list[Any] = [prepared.arguments(given) for given in several]
        except KeyError:
            return None  # the usual way has the sentence for what is missing
        executemany = len(several) > 1
        sql, given = prepared.sql, arguments if executemany else arguments[0]
        cursor = self._driver.cursor()
        for heard in self._listeners:
            sql, given = heard(self, cursor, sql, given, None, executemany)
        errors: Any = self.dialect.loaded_dbapi.Error
        try:
            if executemany:
                cursor.executemany(sql, given)
            else:
                cursor.execute(sql, given)
            return _result(prepared, cursor, statement)
        except errors as error:
            cursor.close()
            raise DBAPIError.instance(sql, given, error, errors, dialect=self.dialect, ismulti=executemany) from error


def quicken(engine: Engine) -> None:
    """Have an engine hand out connections that remember. The name is SQLAlchemy's own; a test holds it."""
    engine._connection_cls = QuickConnection


def _result(prepared: _Prepared, cursor: Any, statement: Statement) -> _Rows:
    if prepared.columns is None:
        result = _Rows(_NO_COLUMNS, iter(()))
        result.rowcount = cursor.rowcount
        cursor.close()
        return result
    # What is selected is read as it is asked for; what a change returns is there at once, and the change done.
    fetched = cursor if isinstance(statement, Select) else cursor.fetchall()
    result = _Rows(prepared.columns, prepared.rows(fetched))
    result.rowcount = cursor.rowcount
    return result


def _prepared(dialect: Dialect, statement: Statement, known: _Known, several: Sequence[Parameters]) -> _Prepared | None:
    """None where the statement is none that can be carried out here."""
    first = several[0]
    many = len(several) > 1
    keys: Shape = (many, *first)
    compiled: Any = None
    if keys not in known.lists:
        compiled = _compiled(dialect, statement, first, many)
        known.lists[keys] = tuple(bind.key for bind in compiled.binds.values() if bind.expanding)
    shape = keys
    if lists := known.lists[keys]:
        lengths = [len(first[name]) for name in lists]
        if max(lengths) > LONGEST_LIST:
            return None
        shape += tuple(lengths)
    if shape not in known.shapes:
        compiled = compiled or _compiled(dialect, statement, first, many)
        known.shapes[shape] = _made(dialect, statement, compiled, first, many)
    return known.shapes[shape]


def _compiled(dialect: Dialect, statement: Statement, first: Parameters, many: bool) -> Any:
    """Not to be kept: it holds the statement, which could never go then."""
    return statement.compile(dialect=dialect, column_keys=list(first), for_executemany=many)


def _made(dialect: Dialect, statement: Statement, compiled: Any, first: Parameters, many: bool) -> _Prepared | None:
    lists = any(bind.expanding for bind in compiled.binds.values())
    described = _described(statement)
    columns = [column["name"] for column in described]
    fits = (
        isinstance(compiled, SQLCompiler)
        and compiled.positional
        and not compiled.prefetch
        and not compiled.escaped_bind_names
        and not compiled.literal_execute_params
        and not (many and (lists or columns))
        and len(set(columns)) == len(columns)
    )
    if not fits:
        return None
    sql, names, in_lists = compiled.string, tuple(compiled.positiontup or ()), {}
    if lists:
        state = compiled.construct_expanded_state(dict(first))
        sql, names = state.statement, tuple(state.positiontup or ())
        in_lists = {name: tuple(values) for name, values in state.parameter_expansion.items()}
    list_of = {value: name for name, values in in_lists.items() for value in values}
    binds = [compiled.binds[list_of.get(name, name)] for name in names]
    needed = {bind.key for bind in binds if bind.required}
    if not needed <= first.keys():
        raise KeyError(*needed - first.keys())
    return _Prepared(
        sql,
        tuple(name if name in list_of else bind.key for name, bind in zip(names, binds, strict=True)),
        {bind.key: bind.effective_value for bind in binds if not bind.required},
        tuple((compiled.binds[name].key, values) for name, values in in_lists.items()),
        _processes(dialect, [bind.type for bind in binds], "bind_processor", dialect),
        SimpleResultMetaData(columns) if columns else None,
        _processes(dialect, [column["type"] for column in described], "result_processor", dialect, None),
    )


def _described(statement: Statement) -> list[dict[str, Any]]:
    """The columns it gives back: their names and types."""
    found = statement.column_descriptions if isinstance(statement, Select) else statement.returning_column_descriptions
    return cast(list[dict[str, Any]], found)


def _processes(
    dialect: Dialect, kinds: list[TypeEngine[Any]], which: str, *asked: object
) -> tuple[tuple[int, Process], ...]:
    found = [getattr(kind.dialect_impl(dialect), which)(*asked) for kind in kinds]
    return tuple((place, process) for place, process in enumerate(found) if process is not None)
