"""What is older than it may be leaves the history store: on PostgreSQL by dropping partitions, on SQLite a few rows at a time."""

from functools import cache
from typing import Any

from sqlalchemy import Select, Table, and_, bindparam, delete, select

from hookline.runtime.history_bulk import bulk
from hookline.runtime.history_database import Database
from hookline.runtime.history_joins import InOrder
from hookline.runtime.history_partitions import Partitions
from hookline.runtime.history_tables import (
    ATTEMPTS,
    AUDIT,
    DAY_MS,
    DELIVERIES,
    DELIVERY_TIMES,
    KINDS,
    PARTITIONED,
    REQUEST_COUNTS,
    SUBSCRIPTIONS,
)

_AUDIT_DAYS = 400  # as long as the topic keeps them
_LONGEST_MS = max(days for _, days in PARTITIONED.values()) * DAY_MS
_ROWS_MAX = 500  # in one transaction of SQLite: 10 ms in which nothing else is written


async def forget(database: Database, partitions: Partitions, *, now_ms: int, days: int) -> int:
    """Remove a part of what is older; says how much (rows, or partitions). 0: nothing is, or not now."""
    removed = 0
    for table in PARTITIONED:
        before_ms = _kept_from_ms(now_ms, _AUDIT_DAYS if table is AUDIT else days)
        if database.is_postgres:
            removed += len(await partitions.drop(table, before_ms))
        elif table is not DELIVERY_TIMES:  # they go with their deliveries
            removed += await _forget_rows(database, table, before_ms)
    if removed:
        return removed  # rows are found by their subscriptions, so those go last, when none of their rows is left
    kept_from_ms = _kept_from_ms(now_ms, days)
    # What is counted, and where deliveries lie, is dropped with whole partitions, so it may be there for longer.
    removed = await _forget_keys(database, KINDS, kept_from_ms)
    return removed + await _forget_keys(database, SUBSCRIPTIONS, kept_from_ms - _LONGEST_MS)


async def _forget_keys(database: Database, table: Table, before_ms: int) -> int:
    """What had its last row before that. It may get one again at any moment, so it is looked at and removed in one statement."""
    async with database.writing() as connection:
        return (await connection.execute(delete(table).where(table.c.last_day_ms < before_ms))).rowcount


def _kept_from_ms(now_ms: int, days: int) -> int:
    """Whole days, so that both databases keep the same."""
    return (now_ms // DAY_MS - days) * DAY_MS


async def _forget_rows(database: Database, table: Table, before_ms: int) -> int:
    # Looked for outside of the transaction: only to write does one wait for the other.
    keys = [tuple(row) for row in await database.rows(_old(table), {"before": before_ms, "limit": _ROWS_MAX})]
    if not keys:
        return 0
    rows = bulk(postgres=False)
    async with database.writing() as connection:
        await rows.remove(connection, table, keys)
        if table is DELIVERIES:
            await rows.remove(connection, DELIVERY_TIMES, [(key[2], key[1]) for key in keys])
    return len(keys)


@cache
def _old(table: Table) -> Select[Any]:
    """Keys of rows that are older. Rows lie by subscription, so each is asked for its own."""
    time, _ = PARTITIONED[table]
    question = select(*table.primary_key.columns)
    is_old = table.c[time] < bindparam("before")
    if table is AUDIT:
        return question.where(is_old).order_by(AUDIT.c.at_ms, AUDIT.c.audit_id).limit(bindparam("limit"))
    mine = [table.c.subscription_id == SUBSCRIPTIONS.c.subscription_id, is_old]
    if table is ATTEMPTS:
        mine.append(ATTEMPTS.c.is_request.in_([False, True]))  # it stands before the time in the key
    if table is REQUEST_COUNTS:
        mine = [
            REQUEST_COUNTS.c.account_id == SUBSCRIPTIONS.c.account_id,
            REQUEST_COUNTS.c.subscription_id.in_([SUBSCRIPTIONS.c.subscription_id, ""]),
            is_old,
        ]
    return question.select_from(InOrder(SUBSCRIPTIONS, table, and_(*mine))).limit(bindparam("limit"))
