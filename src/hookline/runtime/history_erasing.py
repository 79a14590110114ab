"""What the history store has of accounts that were erased: nothing comes in any more, and what is there goes bit by bit.

An account is *marked* first. From then on no transaction takes in a record of it: each looks for new marks, and a mark waits for
those that may not have seen it. So what is removed after that has an end, and nothing comes behind it.
"""

import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Select, Table, bindparam, delete, func, or_, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hookline.runtime.history_bulk import bulk
from hookline.runtime.history_database import Database
from hookline.runtime.history_tables import (
    ATTEMPTS,
    AUDIT,
    DELIVERIES,
    DELIVERY_TIMES,
    ERASURES,
    KINDS,
    REQUEST_COUNTS,
    SUBSCRIPTIONS,
)

_MARKS = 0x65726173  # of PostgreSQL's advisory locks: "eras"; shared by who takes records in, and alone for who marks
_REMOVAL = 0x72656D76  # with an account's number: "remv"
_ROWS_MAX = 500  # in one transaction of SQLite: 10 ms in which nothing else is written
_ROWS_MAX_POSTGRES = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """How far an account's erasure is: its webhooks of which rows are left. `is_done`: nothing of it is here any more."""

    is_done: bool
    subscriptions_left: int


class Marks:
    """The accounts that are marked, as the transactions of one process see them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._number = 0
        self.accounts: frozenset[str] = frozenset()

    async def look(self, connection: AsyncConnection) -> None:
        """Read the new ones; until this transaction ends no other comes. To be called before its first lock of another kind."""
        if self._database.is_postgres:
            await connection.execute(text("SELECT pg_advisory_xact_lock_shared(:lock)"), {"lock": _MARKS})
        question = select(ERASURES.c.number, ERASURES.c.account_id).where(ERASURES.c.number > self._number)
        for row in (await connection.execute(question.order_by(ERASURES.c.number))).all():
            self._number = row.number
            self.accounts |= {row.account_id}


async def mark(database: Database, accounts: Mapping[str, int]) -> Collection[str]:
    """From now on nothing of these accounts is taken in; by account, when it was erased. Returns those of which rows may be there."""
    async with database.writing() as connection:
        if database.is_postgres:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MARKS})
        known = select(ERASURES.c.account_id, ERASURES.c.is_done)
        there = {row.account_id: row.is_done for row in await connection.execute(known)}
        last = (await connection.execute(select(func.coalesce(func.max(ERASURES.c.number), 0)))).scalar_one()
        new = sorted((at_ms, each) for each, at_ms in accounts.items() if each not in there)
        rows = [(each, number, at_ms, False) for number, (at_ms, each) in enumerate(new, start=last + 1)]
        await bulk(postgres=database.is_postgres).add(connection, ERASURES, rows)
        return {each for each in accounts if not there.get(each, False)}


async def remove_some(database: Database, account_id: str) -> int:
    """Remove a part of what is there of a marked account; how much. 0: nothing is left, and that is on record.

    Several processes may do so at once. One that was killed leaves what it had not removed yet, and all that leads to it.
    """
    async with database.writing() as connection:
        if database.is_postgres:
            number = zlib.crc32(account_id.encode()) >> 1
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock, :n)"), {"lock": _REMOVAL, "n": number})
        removing = _Removing(connection, postgres=database.is_postgres)
        removed = await removing.some(account_id)
        if not removed:
            done = update(ERASURES).where(ERASURES.c.account_id == account_id, ERASURES.c.is_done.is_(False))
            await connection.execute(done.values(is_done=True))
        return removed


async def erasure(database: Database, account_id: str) -> Erasure | None:
    """How far it is; None if the store has not heard of it."""
    found = await database.rows(select(ERASURES.c.is_done).where(ERASURES.c.account_id == account_id))
    if not found:
        return None
    left = select(func.count().label("left")).where(SUBSCRIPTIONS.c.account_id == account_id)
    return Erasure(is_done=found[0].is_done, subscriptions_left=(await database.rows(left))[0].left)


class _Removing:
    """Removal in one transaction. A subscription's row goes last: by it all others are found, also after a kill."""

    def __init__(self, connection: AsyncConnection, *, postgres: bool) -> None:
        self._connection = connection
        self._bulk = bulk(postgres=postgres)
        self._limit = _ROWS_MAX_POSTGRES if postgres else _ROWS_MAX

    async def some(self, account_id: str) -> int:
        first = select(SUBSCRIPTIONS.c.subscription_id).where(SUBSCRIPTIONS.c.account_id == account_id)
        subscription_id = (await self._connection.execute(first.order_by(first.selected_columns[0]).limit(1))).scalar()
        if subscription_id is not None:
            return await self._of_subscription(account_id, subscription_id)
        return await self._rows(REQUEST_COUNTS, account_id, "") or await self._audit(account_id)

    async def _of_subscription(self, account_id: str, subscription_id: str) -> int:
        for table in (ATTEMPTS, DELIVERIES, REQUEST_COUNTS):
            if removed := await self._rows(table, account_id, subscription_id):
                return removed
        await self._connection.execute(delete(KINDS).where(KINDS.c.subscription_id == subscription_id))
        await self._bulk.remove(self._connection, SUBSCRIPTIONS, [(account_id, subscription_id)])
        return 1

    async def _rows(self, table: Table, account_id: str, subscription_id: str) -> int:
        asked = {"account": account_id, "subscription": subscription_id, "limit": self._limit}
        keys = [tuple(row) for row in await self._connection.execute(_keys(table), asked)]
        if table is DELIVERIES:
            times = sorted((delivery_id, first_at_ms) for _, first_at_ms, delivery_id in keys)
            await self._bulk.remove(self._connection, DELIVERY_TIMES, times)
        await self._bulk.remove(self._connection, table, keys)
        return len(keys)

    async def _audit(self, account_id: str) -> int:
        """Who did what and when stays, for somebody has to answer for it; what it was about does not."""
        key = (AUDIT.c.account_id, AUDIT.c.at_ms, AUDIT.c.audit_id)
        has_contents = or_(AUDIT.c.before.is_not(None), AUDIT.c.after.is_not(None))
        full = select(*key).where(AUDIT.c.account_id == account_id, has_contents).limit(self._limit)
        emptied = update(AUDIT).where(tuple_(*key).in_(full)).values(before=None, after=None)
        return (await self._connection.execute(emptied)).rowcount


@cache
def _keys(table: Table) -> Select[Any]:
    """The keys of some rows of one of the account's subscriptions."""
    mine = (table.c.account_id == bindparam("account"), table.c.subscription_id == bindparam("subscription"))
    return select(*table.primary_key.columns).where(*mine).limit(bindparam("limit"))
