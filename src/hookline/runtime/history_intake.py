"""How records come into the history store: rows, what is counted of them, and where reading goes on, in one transaction."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy
from sqlalchemy import Table, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from hookline.runtime.history_bulk import bulk
from hookline.runtime.history_database import Conflict, Database
from hookline.runtime.history_erasing import Marks
from hookline.runtime.history_partitions import Partitions
from hookline.runtime.history_plan import Plan, Stored, attempt_key, distinct, planned
from hookline.runtime.history_retention import forget
from hookline.runtime.history_rows import Row, audit_row, progress_of
from hookline.runtime.history_tables import (
    ATTEMPTS,
    AUDIT,
    DAY_MS,
    DELIVERIES,
    DELIVERY_TIMES,
    ERASURES,
    KINDS,
    METADATA,
    OFFSETS,
    REQUEST_COUNTS,
    SUBSCRIPTIONS,
)
from hookline.runtime.log import TopicPartition
from hookline.schemas.errors import NotYet
from hookline.schemas.records import Attempt, AuditEntry

_LOCK = 0x6B61666B  # of PostgreSQL's advisory locks, with the number of a Kafka partition: "kafk"
_LOCK_ALL = text(
    "SELECT count(pg_advisory_xact_lock(:lock, number)) FROM unnest(CAST(:numbers AS integer[])) AS number"
)
_SEEN_MAX = 200_000  # 50 MB; what is forgotten is only written again
_TRIES = 5  # of a transaction that meets another's rows; each begins by looking again


class HistoryMoved(Exception):  # noqa: N818 - a fact
    """The store is not where this process left it, so it must begin again: what it read may be missing there.

    It was emptied, or its last transactions were lost (a restored backup, a standby that was behind), or another process has
    our partitions.
    """


class Intake:
    """Takes in records. Repeats change nothing, in whatever process and order they come."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._bulk = bulk(postgres=database.is_postgres)
        self._partitions = Partitions(database)
        self._marks = Marks(database)
        self._seen: dict[Table, dict[Row, int]] = {SUBSCRIPTIONS: {}, KINDS: {}}

    async def take_in(
        self,
        records: Sequence[Attempt | AuditEntry],
        offsets: Mapping[TopicPartition, int],
        *,
        left_at: Mapping[TopicPartition, int] | None,
    ) -> None:
        """All in one transaction. NotYet when the database does not answer, HistoryMoved if it does not stand at `left_at`."""
        attempts = distinct([each for each in records if isinstance(each, Attempt)])
        entries = [each for each in records if isinstance(each, AuditEntry)]
        for number in range(1, _TRIES + 1):
            try:
                await self._ensure_partitions(attempts, entries)
                await self._once(attempts, entries, offsets, left_at=left_at, is_wary=number > 1)
            except Conflict as error:
                self._partitions.forget()
                if number == _TRIES:
                    raise NotYet(f"the history store does not take the rows: {error}") from error
            else:
                return

    async def offsets(self, topic: str) -> Mapping[int, int]:
        """By partition of the topic, the offset where reading goes on."""
        question = select(OFFSETS.c.partition, OFFSETS.c.next_offset).where(OFFSETS.c.topic == topic)
        return {row.partition: row.next_offset for row in await self._database.rows(question)}

    async def prepare(self, now_ms: int) -> None:
        """Have the partitions of now and of the days to come."""
        if self._database.is_postgres:
            await self._partitions.ensure_ahead(now_ms)

    async def forget(self, *, now_ms: int, days: int) -> int:
        """Remove a part of what is older; how much."""
        return await forget(self._database, self._partitions, now_ms=now_ms, days=days)

    async def empty(self) -> None:
        """Remove all rows but those of erasures: what is erased stays away. Whoever reads into the store now must begin again."""
        async with self._database.writing() as connection:
            # In the order in which questions of several statements ask for tables: the locks are never taken crosswise.
            for table in reversed(METADATA.sorted_tables):
                if table is not ERASURES:
                    await connection.execute(text(self._database.emptying.format(table=table.name)))
        self._forget_seen()

    async def _ensure_partitions(self, attempts: Sequence[Attempt], entries: Sequence[AuditEntry]) -> None:
        if not self._database.is_postgres:
            return
        times_ms = {each.started_at_ms // DAY_MS * DAY_MS for each in attempts}
        by_attempts = dict.fromkeys((ATTEMPTS, DELIVERIES, DELIVERY_TIMES, REQUEST_COUNTS), times_ms)
        await self._partitions.ensure({**by_attempts, AUDIT: {each.at_ms for each in entries}})

    async def _once(
        self,
        attempts: Sequence[Attempt],
        entries: Sequence[AuditEntry],
        offsets: Mapping[TopicPartition, int],
        *,
        left_at: Mapping[TopicPartition, int] | None,
        is_wary: bool,
    ) -> None:
        async with self._database.writing() as connection:
            await self._marks.look(connection)
            attempts = [each for each in attempts if each.account_id not in self._marks.accounts]
            await self._lock(connection, offsets)
            await self._check(connection, offsets, left_at)
            plan = planned(attempts, await self._stored(connection, attempts, is_wary=is_wary))
            fresh = {
                SUBSCRIPTIONS: self._fresh(SUBSCRIPTIONS, plan.subscriptions),
                KINDS: self._fresh(KINDS, plan.kinds),
            }
            for table, days in fresh.items():
                await self._bulk.lift(connection, table, sorted((*key, day) for key, day in days.items()))
            await self._carry_out(connection, plan)
            await self._bulk.complete(connection, AUDIT, self._audit_rows(entries))
            rows = sorted((each.topic, each.partition, offset) for each, offset in offsets.items())
            await self._bulk.put(connection, OFFSETS, rows)
            # Last, for an account's counts are shared: another process waits for the rest of this transaction, if for anything.
            await self._bulk.increase(connection, REQUEST_COUNTS, plan.counts)
        for table, days in fresh.items():
            self._seen[table] |= days
        if sum(map(len, self._seen.values())) > _SEEN_MAX:
            self._forget_seen()

    def _audit_rows(self, entries: Sequence[AuditEntry]) -> Sequence[Row]:
        erased = self._marks.accounts
        return [
            audit_row(replace(each, before=None, after=None) if each.account_id in erased else each) for each in entries
        ]

    def _fresh(self, table: Table, days: Mapping[Row, int]) -> Mapping[Row, int]:
        """What the table may not have yet, as far as this process knows."""
        seen = self._seen[table]
        return {key: day for key, day in days.items() if seen.get(key, -1) < day}

    def _forget_seen(self) -> None:
        for seen in self._seen.values():
            seen.clear()

    async def _lock(self, connection: AsyncConnection, partitions: Iterable[TopicPartition]) -> None:
        """One transaction at a time for each partition of Kafka: who lost it and does not know yet may still write."""
        if not self._database.is_postgres:
            return
        numbers = sorted(zlib.crc32(f"{each.topic}/{each.partition}".encode()) >> 1 for each in partitions)
        await connection.execute(_LOCK_ALL, {"lock": _LOCK, "numbers": numbers})

    async def _check(
        self,
        connection: AsyncConnection,
        offsets: Mapping[TopicPartition, int],
        left_at: Mapping[TopicPartition, int] | None,
    ) -> None:
        if left_at is None:
            return
        keys = sorted((each.topic, each.partition) for each in offsets)
        found = await self._found(connection, OFFSETS, ["topic", "partition"], keys)
        stands_at = {TopicPartition(row.topic, row.partition): row.next_offset for row in found}
        for each, goal in offsets.items():
            # Where this transaction leads: it was committed before, and the database's yes was lost.
            if stands_at.get(each) not in {left_at.get(each), goal}:
                raise HistoryMoved(
                    f"the history store stands at {stands_at.get(each)} of {each.topic}/{each.partition}, and this process"
                    f" left it at {left_at.get(each)}; reading begins again"
                )

    async def _stored(self, connection: AsyncConnection, attempts: Sequence[Attempt], *, is_wary: bool) -> Stored:
        """What is there of these deliveries. A delivery's row tells its attempts; only if rows met others' are those looked up."""
        ids = sorted({each.delivery_id for each in attempts})
        times: dict[str, list[int]] = {}
        for row in await self._found(connection, DELIVERY_TIMES, ["delivery_id"], [(each,) for each in ids]):
            times.setdefault(row.delivery_id, []).append(row.first_at_ms)
        whose = {each.delivery_id: each.subscription_id for each in attempts if each.delivery_id in times}
        keys = sorted((subscription, at, each) for each, subscription in whose.items() for at in times[each])
        found = await self._found(connection, DELIVERIES, ["subscription_id", "first_at_ms", "delivery_id"], keys)
        stored = Stored(times=times, progress={row.delivery_id: progress_of(row) for row in found})
        if is_wary:
            names = ["subscription_id", "is_request", "started_at_ms", "attempt_id"]
            there = await self._found(connection, ATTEMPTS, names, sorted(map(attempt_key, attempts)))
            stored.attempts = {tuple(row[:4]) for row in there}
        return stored

    async def _found(
        self, connection: AsyncConnection, table: Table, by: Sequence[str], keys: Sequence[Row]
    ) -> Sequence[sqlalchemy.Row[Any]]:
        return await self._bulk.found(connection, table, by, keys) if keys else ()

    async def _carry_out(self, connection: AsyncConnection, plan: Plan) -> None:
        await self._bulk.remove(connection, DELIVERIES, plan.moved_from)
        await self._bulk.remove(connection, DELIVERY_TIMES, plan.old_times)
        await self._bulk.add(connection, ATTEMPTS, plan.attempts)
        await self._bulk.add(connection, DELIVERIES, plan.new)
        await self._bulk.add(connection, DELIVERY_TIMES, plan.new_times)
        await self._bulk.put(connection, DELIVERIES, plan.changed)
