"""The history store: what became of every delivery, and who changed what, in SQL.

SQLite now; PostgreSQL differs only in `history_tables` and `_engine`. It can be dropped at any time: everything in it comes from `webhooks.attempts` and `webhooks.audit`.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Row, event, select, tuple_
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncResult, create_async_engine
from sqlalchemy.schema import CreateIndex, CreateTable

from hookline.runtime.history_questions import AUDIT_CHARACTERS_MAX, DeliveryRow, LogRow, characters
from hookline.runtime.history_tables import (
    ATTEMPTS,
    AUDIT,
    DELIVERIES,
    METADATA,
    OFFSETS,
    Intake,
    intakes,
    put_offsets,
)
from hookline.runtime.log import TopicPartition
from hookline.runtime.settings import Settings
from hookline.schemas.errors import ConfigError, NotYet
from hookline.schemas.records import Attempt, AuditEntry, Outcome

_BUSY_S = 5.0
_CREATE_ATTEMPTS = 50
_CREATE_AGAIN_S = 0.1
_LISTED_MAX = 1_000
_ENTRIES_AT_ONCE = 8  # of the audit, from the database: each may have half a megabyte
_ENDS_WITHOUT_REQUEST = {
    Outcome.POSTPONED: "postponed",
    Outcome.CANCELLED: "cancelled",
    Outcome.EXPIRED: "expired",
    Outcome.SUCCEEDED: "succeeded",
}


class HistoryStore:
    """Takes in records and answers questions about them (`history_questions.History`). NotYet when the database is away."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._intakes = intakes(engine.dialect.name)
        self._put_offsets = put_offsets(engine.dialect.name)

    async def create(self) -> None:
        """Make the tables that are not there yet."""
        async with _translated(), self._engine.begin() as connection:
            await connection.run_sync(_create)

    async def ingest(self, records: Sequence[Attempt | AuditEntry], offsets: Mapping[TopicPartition, int]) -> None:
        """Take in records and remember where reading goes on, all in one transaction. Repeats change nothing."""
        by_kind: dict[type, list[Attempt | AuditEntry]] = {}
        for each in records:
            by_kind.setdefault(type(each), []).append(each)
        async with _translated(), self._engine.begin() as connection:
            for kind, of_it in by_kind.items():
                await self._take_in(connection, self._intakes[kind], of_it)
            if offsets:
                rows = [
                    {"topic": each.topic, "partition": each.partition, "next_offset": offset}
                    for each, offset in offsets.items()
                ]
                await connection.execute(self._put_offsets, rows)

    @staticmethod
    async def _take_in(connection: AsyncConnection, into: Sequence[Intake], records: Sequence[object]) -> None:
        for table in into:
            await connection.execute(table.statement, [table.row(each) for each in records])

    async def offsets(self, topic: str) -> Mapping[int, int]:
        """By partition of the topic, the offset where reading goes on."""
        question = select(OFFSETS.c.partition, OFFSETS.c.next_offset).where(OFFSETS.c.topic == topic)
        return {row.partition: row.next_offset for row in await self._rows(question)}

    async def deliveries(self, *, account_id: str, subscription_id: str, limit: int) -> Sequence[DeliveryRow]:
        table = DELIVERIES.c
        question = (
            select(DELIVERIES)
            .where(table.account_id == account_id, table.subscription_id == subscription_id)
            .order_by(table.first_at_ms.desc(), table.delivery_id.desc())
            .limit(_listed(limit))
        )
        return [_delivery(row) for row in await self._rows(question)]

    async def logs(self, *, account_id: str, subscription_id: str, limit: int) -> Sequence[LogRow]:
        table = ATTEMPTS.c
        question = (
            select(ATTEMPTS)
            .where(table.account_id == account_id, table.subscription_id == subscription_id, table.is_request)
            .order_by(table.started_at_ms.desc(), table.attempt_id.desc())
            .limit(_listed(limit))
        )
        return [_log(row) for row in await self._rows(question)]

    async def audit(
        self, *, account_id: str | None, subject: str | None, before: tuple[int, str] | None, limit: int
    ) -> Sequence[AuditEntry]:
        table = AUDIT.c
        question = select(AUDIT).order_by(table.at_ms.desc(), table.audit_id.desc()).limit(_listed(limit))
        if subject is not None:
            question = question.where(table.subject == subject)
        if account_id is not None:
            # With a subject no bare column: SQLite would choose the account's index and look at all of its entries.
            owner = table.account_id if subject is None else table.account_id + ""
            question = question.where(owner == account_id)
        if before is not None:
            question = question.where(tuple_(table.at_ms, table.audit_id) < before)
        try:
            async with _translated(), self._engine.connect() as connection:
                return await _entries(await connection.stream(question.execution_options(yield_per=_ENTRIES_AT_ONCE)))
        except (OverflowError, UnicodeEncodeError):
            return []  # as in `_rows`

    async def _rows(self, question: Any) -> Sequence[Row[Any]]:
        try:
            async with _translated(), self._engine.connect() as connection:
                return (await connection.execute(question)).all()
        except (OverflowError, UnicodeEncodeError):
            return []  # what was asked for is no number or text that a row can hold


@asynccontextmanager
async def open_history(settings: Settings) -> AsyncIterator[HistoryStore]:
    """The store that the settings name, its tables made if need be; ConfigError if the address is none, or no database."""
    engine = _engine(settings.history_address())
    try:
        store = HistoryStore(engine)
        await _created(store, engine)
        yield store
    finally:
        await engine.dispose()


def _is_damaged(cause: BaseException | None) -> bool:
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the rest are extended codes
    return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _engine(address: str) -> AsyncEngine:
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise ConfigError(
            "HOOKLINE_HISTORY_URL is no SQLAlchemy URL; it must look like sqlite+aiosqlite:////data/history.sqlite"
        ) from error
    if url.drivername != "sqlite+aiosqlite":
        raise ConfigError(f"HOOKLINE_HISTORY_URL begins with {url.drivername}; it must begin with sqlite+aiosqlite")
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(url, connect_args={"timeout": _BUSY_S}, hide_parameters=True)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")  # the API reads while history writes
    cursor.execute("PRAGMA synchronous=NORMAL")  # rows and offsets go together: what a power cut takes is read again
    cursor.execute("PRAGMA cache_size=-65536")
    cursor.execute("PRAGMA temp_store=MEMORY")
    cursor.close()


async def _created(store: HistoryStore, engine: AsyncEngine) -> None:
    """Make the tables. History and the API may both be the first: who comes second finds the file locked for a moment.

    SQLite's own patience (busy timeout) does not cover the change to WAL.
    """
    for attempt in range(_CREATE_ATTEMPTS):
        try:
            await store.create()
        except NotYet as error:
            if _is_damaged(error.__cause__):
                raise ConfigError(
                    f"{engine.url.database} is no SQLite database, or a damaged one;"
                    " move it away, and history is made again from Kafka"
                ) from error
            if attempt == _CREATE_ATTEMPTS - 1:
                raise
            await asyncio.sleep(_CREATE_AGAIN_S)
        else:
            return


def _create(connection: Connection) -> None:
    # IF NOT EXISTS, for history and the API may both be the first.
    for table in METADATA.sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            connection.execute(CreateIndex(index, if_not_exists=True))


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except DBAPIError as error:
        # Without the statement's values: an attempt may quote a response.
        raise NotYet(f"the history store does not answer: {type(error.orig).__name__}") from error.orig
    except (SQLAlchemyError, OSError) as error:
        raise NotYet(f"the history store does not answer: {type(error).__name__}") from error


def _listed(limit: int) -> int:
    """How many rows are listed: never all of them, which is what SQLite takes a limit below 0 for."""
    return max(0, min(limit, _LISTED_MAX))


def _delivery(row: Row[Any]) -> DeliveryRow:
    outcome = Outcome(row.outcome)
    is_succeeded = outcome is Outcome.SUCCEEDED
    last_at_ms = row.request_at_ms or None
    return DeliveryRow(
        delivery_id=row.delivery_id,
        event_type=row.event_type,
        status="succeeded" if is_succeeded else "failed",
        response_code=row.response_code if row.request_attempt else None,
        attempts=row.requests,
        delivered_at_ms=last_at_ms if is_succeeded else None,
        last_attempt_at_ms=last_at_ms,
        next_attempt_at_ms=row.next_attempt_at_ms,
        is_test=row.is_test,
        state=_state(outcome, row.next_attempt_at_ms),
    )


def _state(outcome: Outcome, next_attempt_at_ms: int | None) -> str:
    if outcome is Outcome.FAILED:
        return "exhausted" if next_attempt_at_ms is None else "retrying"
    return _ENDS_WITHOUT_REQUEST[outcome]


def _log(row: Row[Any]) -> LogRow:
    status: Literal["delivered", "failed"] = "delivered" if row.outcome == Outcome.SUCCEEDED else "failed"
    return LogRow(
        attempt_id=row.attempt_id,
        delivery_id=row.delivery_id,
        event_type=row.event_type,
        status=status,
        attempt=row.attempt,
        response_code=row.response_code,
        response_time_ms=row.duration_ms,
        at_ms=row.started_at_ms + row.duration_ms,
        error=row.error,
        detail=row.detail,
    )


async def _entries(rows: AsyncResult[Any]) -> Sequence[AuditEntry]:
    """As many as are listed at once, and no more of them in memory."""
    found, left = list[AuditEntry](), AUDIT_CHARACTERS_MAX
    async for row in rows:
        found.append(_audit_entry(row))
        left -= characters(found[-1])
        if left <= 0:
            await rows.close()
            break
    return found


def _audit_entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        audit_id=row.audit_id,
        at_ms=row.at_ms,
        account_id=row.account_id,
        actor=row.actor,
        request_id=row.request_id,
        operation=row.operation,
        subject=row.subject,
        before=row.before,
        after=row.after,
    )
