"""Many rows at once, in a transaction that is open: looked up, added, replaced, counted up, removed. One way for each database.

Rows and keys are tuples in the order of the table's columns.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Protocol

import sqlalchemy
from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Insert,
    MetaData,
    Select,
    Table,
    TextClause,
    and_,
    bindparam,
    delete,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from hookline.runtime.history_database import Conflict
from hookline.runtime.history_joins import InOrder
from hookline.runtime.history_rows import Row
from hookline.schemas.errors import NotYet

Question = tuple[Select[Any], Mapping[str, Any]]  # a statement and its values


class Bulk(Protocol):
    """How one database takes in and gives out many rows."""

    def rows_with(
        self, table: Table, by: Sequence[str], keys: Sequence[Row], *, only: Sequence[str] | None = None
    ) -> Question:
        """The question for the rows whose columns `by` are one of the keys; `only` these columns of them, None: all."""
        ...

    async def found(
        self, connection: AsyncConnection, table: Table, by: Sequence[str], keys: Sequence[Row]
    ) -> Sequence[sqlalchemy.Row[Any]]:
        """The same for many keys, in the transaction."""
        ...

    async def add(self, connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
        """Add rows; Conflict if one is there already."""
        ...

    async def complete(self, connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
        """Add rows; those that are there stay as they are."""
        ...

    async def put(self, connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
        """Add rows, or replace those that are there."""
        ...

    async def increase(self, connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
        """Add rows, or add their last column to that of those that are there."""
        ...

    async def lift(self, connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
        """Add rows, or bring the last column of those that are there up to theirs."""
        ...

    async def remove(self, connection: AsyncConnection, table: Table, keys: Sequence[Row]) -> None:
        """Remove the rows with these keys."""
        ...


def bulk(*, postgres: bool) -> Bulk:
    """The way of the database."""
    return _Postgres() if postgres else _Sqlite()


class _Sqlite:
    def rows_with(
        self, table: Table, by: Sequence[str], keys: Sequence[Row], *, only: Sequence[str] | None = None
    ) -> Question:
        return _found_in_json(table, tuple(by), _names(table, only)), {"keys": json.dumps(keys)}

    async def found(
        self, connection: AsyncConnection, table: Table, by: Sequence[str], keys: Sequence[Row]
    ) -> Sequence[sqlalchemy.Row[Any]]:
        return (await connection.execute(*self.rows_with(table, by, keys))).all()

    async def add(self, connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
        await _many(connection, _written(sqlite.insert(table)), rows)

    async def complete(self, connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
        await _many(connection, _written(sqlite.insert(table).on_conflict_do_nothing()), rows)

    async def put(self, connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
        await _many(connection, _written(_replacing(sqlite.insert(table), table)), rows)

    async def increase(self, connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
        await _many(connection, _written(_increasing(sqlite.insert(table), table)), rows)

    async def lift(self, connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
        await _many(connection, _written(_lifting(sqlite.insert(table), table)), rows)

    async def remove(self, connection: AsyncConnection, table: Table, keys: Sequence[Row]) -> None:
        columns = list(table.primary_key.columns)
        statement = delete(table).where(*(each == bindparam(each.name) for each in columns))
        await _many(connection, _written(statement), keys)


async def _many(connection: AsyncConnection, statement: str, rows: Sequence[Row]) -> None:
    # The driver's own way: SQLAlchemy would look at every value, which takes as long as the database does.
    if rows:
        await connection.exec_driver_sql(statement, list(rows))


def _written(statement: Any) -> str:
    return str(statement.compile(dialect=sqlite.dialect()))


def _names(table: Table, only: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(table.columns.keys() if only is None else only)


@cache
def _found_in_json(table: Table, by: tuple[str, ...], names: tuple[str, ...]) -> Select[Any]:
    keys = func.json_each(bindparam("keys")).table_valued("value", name="keys")
    same = [table.c[name] == func.json_extract(keys.c.value, f"$[{place}]") for place, name in enumerate(by)]
    return select(*(table.c[name] for name in names)).select_from(InOrder(keys, table, and_(*same)))


class _Postgres:
    """Rows come by COPY, into the table itself or into a temporary one that a statement reads: arrays cost five times as much."""

    def rows_with(
        self, table: Table, by: Sequence[str], keys: Sequence[Row], *, only: Sequence[str] | None = None
    ) -> Question:
        question = _found_in_arrays(table, tuple(by), _names(table, only))
        return question, _arrays([table.c[name] for name in by], keys)

    async def found(
        self, connection: AsyncConnection, table: Table, by: Sequence[str], keys: Sequence[Row]
    ) -> Sequence[sqlalchemy.Row[Any]]:
        staged = await _staged(connection, table, tuple(by), keys)
        same = and_(*(table.c[name] == staged.c[name] for name in by))
        return (await connection.execute(select(table).select_from(InOrder(staged, table, same)))).all()

    async def add(self, connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
        if rows:
            await _copy(connection, table.name, [each.name for each in table.columns], rows)

    async def complete(self, connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
        if rows:
            await connection.execute((await _from_staged(connection, table, rows)).on_conflict_do_nothing())

    async def put(self, connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
        if rows:
            await connection.execute(_replacing(await _from_staged(connection, table, rows), table))

    async def increase(self, connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
        if rows:
            await connection.execute(_increasing(await _from_staged(connection, table, rows), table))

    async def lift(self, connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
        if rows:
            await connection.execute(_lifting(await _from_staged(connection, table, rows), table))

    async def remove(self, connection: AsyncConnection, table: Table, keys: Sequence[Row]) -> None:
        if keys:
            names = [each.name for each in table.primary_key.columns]
            staged = await _staged(connection, table, tuple(names), keys)
            await connection.execute(delete(table).where(and_(*(table.c[name] == staged.c[name] for name in names))))


async def _staged(connection: AsyncConnection, table: Table, names: tuple[str, ...], rows: Sequence[Row]) -> Table:
    """A temporary table with these rows of these columns; it is empty again after the transaction."""
    staged = _staging(table, names)
    await connection.execute(_making(table, names))  # in a new connection it is not there yet
    await connection.execute(delete(staged))
    await _copy(connection, staged.name, names, rows)
    return staged


@cache
def _staging(table: Table, names: tuple[str, ...]) -> Table:
    return Table(f"staged_{table.name}_{len(names)}", MetaData(), *(Column(name, table.c[name].type) for name in names))


@cache
def _making(table: Table, names: tuple[str, ...]) -> TextClause:
    name, columns = _staging(table, names).name, ", ".join(names)
    empty = f"SELECT {columns} FROM {table.name} WITH NO DATA"  # noqa: S608 - names of ours
    return text(f"CREATE TEMP TABLE IF NOT EXISTS {name} ON COMMIT DELETE ROWS AS {empty}")


async def _from_staged(connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> postgresql.Insert:
    names = tuple(each.name for each in table.columns)
    staged = await _staged(connection, table, names, rows)
    return postgresql.insert(table).from_select(list(names), select(staged))


async def _copy(connection: AsyncConnection, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    async with _copying():
        driver: Any = (await connection.get_raw_connection()).driver_connection
        await driver.copy_records_to_table(table, records=rows, columns=columns)


@asynccontextmanager
async def _copying() -> AsyncIterator[None]:
    """COPY is asyncpg's alone, so its errors do not come by way of SQLAlchemy."""
    import asyncpg

    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as error:
        raise Conflict(type(error).__name__) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        raise NotYet(f"the history store does not answer: {type(error).__name__}") from error


def _arrays(columns: Sequence[Column[Any]], rows: Sequence[Row]) -> Mapping[str, list[Any]]:
    """By column, its values in all of the rows."""
    by_column = zip(*rows, strict=True) if rows else ((),) * len(columns)
    return {column.name: list(values) for column, values in zip(columns, by_column, strict=True)}


def _unnested(columns: Sequence[Column[Any]]) -> Any:
    arrays = [bindparam(each.name, type_=ARRAY(each.type)) for each in columns]
    given = func.unnest(*arrays).table_valued(*(Column(each.name, each.type) for each in columns), name="given")
    return given.render_derived()


@cache
def _found_in_arrays(table: Table, by: tuple[str, ...], names: tuple[str, ...]) -> Select[Any]:
    given = _unnested([table.c[name] for name in by])
    same = and_(*(table.c[name] == given.c[name] for name in by))
    return select(*(table.c[name] for name in names)).select_from(InOrder(given, table, same))


def _replacing(insert: Any, table: Table) -> Insert:
    keys = list(table.primary_key.columns)
    rest = {each.name: insert.excluded[each.name] for each in table.columns if not each.primary_key}
    replacing: Insert = insert.on_conflict_do_update(index_elements=keys, set_=rest)
    return replacing


def _increasing(insert: Any, table: Table) -> Insert:
    last = list(table.columns)[-1]
    total: ColumnElement[int] = last + insert.excluded[last.name]
    keys = list(table.primary_key.columns)
    increasing: Insert = insert.on_conflict_do_update(index_elements=keys, set_={last.name: total})
    return increasing


def _lifting(insert: Any, table: Table) -> Insert:
    last = list(table.columns)[-1]
    given = insert.excluded[last.name]
    keys = list(table.primary_key.columns)
    lifting: Insert = insert.on_conflict_do_update(index_elements=keys, set_={last.name: given}, where=last < given)
    return lifting
