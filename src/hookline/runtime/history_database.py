"""The database behind the history store: SQLite or PostgreSQL, its connections, and its errors as ours."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from hookline.schemas.errors import ConfigError, NotYet

_BUSY_S = 5.0  # how long SQLite waits for another's transaction
_CONNECT_S = 5.0
_COMMAND_S = 60.0  # the largest transaction takes 1 s; a question is bounded by its rows
_CONNECTIONS_MAX = 8  # of one process
# A batch of 20,000 attempts touches up to 100 MB of pages, a few for each webhook: SQLite keeps them between batches, and copies
# them out of its log after several batches instead of after each. Memory is taken only as far as it is used.
_CACHE_KIB, _WRITERS_CACHE_KIB, _LOG_PAGES_MAX = 65_536, 262_144, 65_536
_TURN_S = 5.0  # how long a question that costs much waits for the one before it
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
# Every statement of ours is a walk along an index, and is meant to be one before PostgreSQL has looked at a new partition's rows.
_POSTGRES_SETTINGS = {
    "application_name": "hookline",
    "jit": "off",  # compiling a question takes longer than answering it
    # With a partition for each day a plan takes several times as long as what it is made for, and there is only one good one.
    "plan_cache_mode": "force_generic_plan",
    **dict.fromkeys(
        (
            "enable_seqscan",
            "enable_bitmapscan",
            "enable_hashjoin",
            "enable_mergejoin",
            "enable_material",
            "enable_sort",
        ),
        "off",
    ),
}
_DATA_EXCEPTION = "22"  # the class of PostgreSQL's errors about values


class Conflict(Exception):  # noqa: N818 - no error: the transaction is tried again
    """Another process wrote the same rows, or a partition went, since we looked."""


class Database:
    """Connections to the store. `is_postgres`: which of the two it is."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.is_postgres = engine.dialect.name == "postgresql"
        self._turn = asyncio.Lock()
        self._still = engine.execution_options(isolation_level="REPEATABLE READ") if self.is_postgres else engine
        self.emptying = "TRUNCATE {table}" if self.is_postgres else "DELETE FROM {table}"

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that may write. Conflict if a key was there already, NotYet if the database does not answer."""
        try:
            async with translated(), self.engine.connect() as connection:
                writing = await connection.execution_options(hookline_writes=True)
                async with writing.begin():
                    yield writing
        except _Unholdable as error:
            raise NotYet("the history store does not take a value") from error

    async def rows(self, question: Any, values: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """What a question finds; nothing if it asks for what no row can hold."""
        try:
            async with translated(), self.engine.connect() as connection:
                return (await connection.execute(question, values)).all()
        except (OverflowError, UnicodeEncodeError, _Unholdable):
            return []

    @asynccontextmanager
    async def moment(self) -> AsyncIterator["Moment"]:
        """For questions that belong together. NotYet if the database does not answer."""
        async with translated(), self._still.connect() as connection:
            yield Moment(connection, is_postgres=self.is_postgres)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """For a question that costs much: one at a time, so that it costs others little. NotYet if its turn does not come in time."""
        try:
            async with asyncio.timeout(_TURN_S):
                await self._turn.acquire()
        except TimeoutError as error:
            raise NotYet("the history store is busy with other questions that cost as much") from error
        try:
            yield
        finally:
            self._turn.release()

    async def rows_while(
        self, question: Any, is_room_after: Callable[[Row[Any]], bool], *, at_once: int
    ) -> Sequence[Row[Any]]:
        """What a question finds, up to the row after which there is no more room; at most `at_once` more come from the database."""
        found = list[Row[Any]]()
        try:
            async with translated(), self.engine.connect() as connection:
                rows = await connection.stream(question.execution_options(yield_per=at_once))
                async for row in rows:
                    found.append(row)
                    if not is_room_after(row):
                        await rows.close()
                        break
        except (OverflowError, UnicodeEncodeError, _Unholdable):
            return []
        return found

    async def close(self) -> None:
        """End all connections."""
        await self.engine.dispose()


class Moment:
    """Answers from the store as it was at the first question, whatever is written meanwhile.

    Who asks for keys and then for their rows would else miss a row that has got another key in between, or see it twice.
    """

    def __init__(self, connection: AsyncConnection, *, is_postgres: bool) -> None:
        self.is_postgres = is_postgres
        self._connection = connection
        self._is_over = False

    async def rows(self, question: Any, values: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """As `Database.rows`; once something was asked for that no row can hold, nothing is found any more."""
        if self._is_over:
            return []
        try:
            async with translated():
                return (await self._connection.execute(question, values)).all()
        except (OverflowError, UnicodeEncodeError, _Unholdable):
            self._is_over = True  # for PostgreSQL the transaction has failed
            return []

    async def covered_rows(self, question: Any, values: Mapping[str, Any]) -> Sequence[Row[Any]]:
        """The same for a question that one index answers alone. PostgreSQL takes no other: to it a key that is not enough looks as good.

        A generic plan knows nothing of the webhook that has half of the rows, and two ways of one row each cost the same.
        """
        if not self.is_postgres:
            return await self.rows(question, values)
        await self._set("enable_indexscan", "off")  # one that must look up each row in the table
        rows = await self.rows(question, values)
        await self._set("enable_indexscan", "on")
        return rows

    async def _set(self, name: str, value: str) -> None:
        if not self._is_over:
            async with translated():
                await self._connection.exec_driver_sql(f"SET LOCAL {name} = {value}")


class _Unholdable(Exception):  # noqa: N818 - what was asked for is no number or text that a row can hold
    pass


def open_database(address: str) -> Database:
    """The database of this address, not connected yet; ConfigError if it is none."""
    url = _url(address)
    if url.get_backend_name() == "postgresql":
        return Database(_postgres(url))
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    return Database(_sqlite(url))


def is_damaged(error: NotYet) -> bool:
    """Whether the file is no SQLite database, or a damaged one."""
    code = getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF  # the rest are extended codes
    return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """The driver's errors as ours, without the statement's values: an attempt may quote a response, an address a password."""
    try:
        yield
    except IntegrityError as error:
        raise Conflict(_name(error)) from error.orig
    except DBAPIError as error:
        if _is_about_values(error):
            raise _Unholdable from error.orig
        raise NotYet(f"the history store does not answer: {_name(error)}") from error.orig
    except (SQLAlchemyError, OSError) as error:
        raise NotYet(f"the history store does not answer: {type(error).__name__}") from error


def _name(error: DBAPIError) -> str:
    cause = error.orig.__cause__ if error.orig is not None else None
    return type(cause or error.orig).__name__


def _is_about_values(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_DATA_EXCEPTION)
    cause = error.orig.__cause__ if error.orig is not None else None
    return isinstance(cause, ValueError)  # asyncpg's DataError: the value did not even reach the server


def _url(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise ConfigError(
            "HOOKLINE_HISTORY_URL is no SQLAlchemy URL; it must look like postgresql://user:password@host/hookline"
            " or sqlite:////data/history.sqlite"
        ) from error
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise ConfigError(
            f"HOOKLINE_HISTORY_URL begins with {url.drivername}; it must begin with postgresql:// or sqlite://"
        )
    return url.set(drivername=driver)


def _postgres(url: URL) -> AsyncEngine:
    if "sslmode" in url.query:  # libpq's word, which asyncpg takes under another name
        url = url.difference_update_query(["sslmode"]).update_query_dict({"ssl": url.query["sslmode"]})
    return create_async_engine(
        url,
        connect_args={"timeout": _CONNECT_S, "command_timeout": _COMMAND_S, "server_settings": _POSTGRES_SETTINGS},
        pool_size=_CONNECTIONS_MAX,
        max_overflow=0,
        pool_timeout=_CONNECT_S,
        pool_pre_ping=True,  # a server that was restarted costs no answer
        pool_use_lifo=True,  # the one that has planned most: over 30 partitions a plan takes 50 ms
        hide_parameters=True,
    )


def _sqlite(url: URL) -> AsyncEngine:
    engine = create_async_engine(
        url,
        connect_args={"timeout": _BUSY_S},
        pool_size=_CONNECTIONS_MAX,
        max_overflow=0,
        pool_timeout=_CONNECT_S,
        pool_use_lifo=True,  # the connection with the warm cache
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say, and not at the first write
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")  # the API reads while history writes
    cursor.execute("PRAGMA synchronous=NORMAL")  # rows and offsets go together: what a power cut takes is read again
    cursor.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    cursor.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES_MAX}")
    cursor.execute("PRAGMA journal_size_limit=0")  # a log that grew while much came shrinks again
    cursor.execute("PRAGMA temp_store=MEMORY")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # Who reads first and then writes must hold the lock from the start, else what was read may be gone.
    writes = connection.get_execution_options().get("hookline_writes", False)
    if writes:
        connection.exec_driver_sql(f"PRAGMA cache_size=-{_WRITERS_CACHE_KIB}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
