"""The history store: what became of every delivery, and who changed what, in SQL.

It can be emptied at any time: everything in it comes from `webhooks.attempts` and `webhooks.audit`, and which accounts are
erased from `webhooks.accounts`.
"""

import logging
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from hookline.runtime.history_database import Database, open_database
from hookline.runtime.history_erasing import Erasure, erasure, mark, remove_some
from hookline.runtime.history_finding import event_deliveries, whole_delivery
from hookline.runtime.history_intake import HistoryMoved, Intake
from hookline.runtime.history_listing import audit_entries, deliveries, logs
from hookline.runtime.history_questions import (
    ANY_DELIVERY,
    ANY_LOG,
    Cursor,
    DeliveryFilter,
    DeliveryRow,
    LogFilter,
    LogRow,
    Stats,
    WholeDelivery,
)
from hookline.runtime.history_recovery import HistoryRecovery
from hookline.runtime.history_schema import migrate, migrate_file, require_migrated
from hookline.runtime.history_stats import stats
from hookline.runtime.log import TopicPartition
from hookline.runtime.settings import Settings
from hookline.schemas.errors import ConfigError, NotYet
from hookline.schemas.records import Attempt, AuditEntry

__all__ = ["HistoryMoved", "HistoryStore", "is_there", "migrate_history", "open_history"]

_log = logging.getLogger("hookline.history")


class HistoryStore:
    """Takes in records and answers questions about them (`history_questions.History`). NotYet when the database is away."""

    def __init__(self, database: Database, *, is_checked: bool) -> None:
        self._database = database
        self._is_checked = is_checked
        self._intake = Intake(database)

    async def ingest(
        self,
        records: Sequence[Attempt | AuditEntry],
        offsets: Mapping[TopicPartition, int],
        *,
        left_at: Mapping[TopicPartition, int] | None = None,
    ) -> None:
        """Take in records and remember where reading goes on, all in one transaction. Repeats change nothing.

        `left_at`: where the store must stand now in the partitions of `offsets` (not in it: nowhere); HistoryMoved if it does not.
        """
        await self._check()
        await self._intake.take_in(records, offsets, left_at=left_at)

    async def offsets(self, topic: str) -> Mapping[int, int]:
        """By partition of the topic, the offset where reading goes on."""
        await self._check()
        return await self._intake.offsets(topic)

    async def prepare(self, *, now_ms: int) -> None:
        """Make room for what comes: PostgreSQL's partitions of today and of the days to come."""
        await self._check()
        await self._intake.prepare(now_ms)

    async def forget(self, *, now_ms: int, days: int) -> int:
        """Remove a part of what is older than so many days (audit entries: 400); how much it was. 0: all is gone."""
        await self._check()
        return await self._intake.forget(now_ms=now_ms, days=days)

    async def mark_erased(self, accounts: Mapping[str, int]) -> Collection[str]:
        """Take in nothing of these accounts any more; by account, when it was erased. Holds for all processes, and for ever.

        Returns those of which something may still be there.
        """
        await self._check()
        return await mark(self._database, accounts)

    async def erase_some(self, account_id: str) -> int:
        """Remove a part of what is there of a marked account; how much it was. 0: nothing is left, which is on record then."""
        await self._check()
        return await remove_some(self._database, account_id)

    async def erasure(self, account_id: str) -> Erasure | None:
        """How far an account's erasure is; None if the store has not heard of it."""
        await self._check()
        return await erasure(self._database, account_id)

    async def empty(self) -> None:
        """Remove everything but which accounts are erased. No other process may be reading into the store: it would meet HistoryMoved."""
        await self._check()
        await self._intake.empty()

    async def deliveries(
        self,
        *,
        account_id: str,
        subscription_id: str,
        limit: int,
        where: DeliveryFilter = ANY_DELIVERY,
        before: Cursor | None = None,
    ) -> Sequence[DeliveryRow]:
        await self._check()
        return await deliveries(
            self._database,
            account_id=account_id,
            subscription_id=subscription_id,
            limit=limit,
            where=where,
            before=before,
        )

    async def logs(
        self,
        *,
        account_id: str,
        subscription_id: str,
        limit: int,
        where: LogFilter = ANY_LOG,
        before: Cursor | None = None,
    ) -> Sequence[LogRow]:
        await self._check()
        return await logs(
            self._database,
            account_id=account_id,
            subscription_id=subscription_id,
            limit=limit,
            where=where,
            before=before,
        )

    async def delivery(self, *, account_id: str, delivery_id: str) -> WholeDelivery | None:
        await self._check()
        return await whole_delivery(self._database, account_id=account_id, delivery_id=delivery_id)

    async def event(self, *, account_id: str, event_id: str) -> Sequence[DeliveryRow]:
        await self._check()
        return await event_deliveries(self._database, account_id=account_id, event_id=event_id)

    async def stats(
        self, *, account_id: str, subscription_id: str | None, since_ms: int, until_ms: int, step_ms: int
    ) -> Stats:
        await self._check()
        return await stats(
            self._database,
            account_id=account_id,
            subscription_id=subscription_id,
            since_ms=since_ms,
            until_ms=until_ms,
            step_ms=step_ms,
        )

    async def audit(
        self, *, account_id: str | None, subject: str | None, before: Cursor | None, limit: int
    ) -> Sequence[AuditEntry]:
        await self._check()
        return await audit_entries(self._database, account_id=account_id, subject=subject, before=before, limit=limit)

    def recovery(self) -> HistoryRecovery:
        """What recovery asks."""
        return HistoryRecovery(self._database, check=self._check)

    async def _check(self) -> None:
        """A database that was away when we began may not be one of ours."""
        if self._is_checked:
            return
        try:
            await require_migrated(self._database)
        except ConfigError as error:
            raise NotYet(str(error)) from error
        self._is_checked = True


@asynccontextmanager
async def open_history(settings: Settings) -> AsyncIterator[HistoryStore]:
    """The store that the settings name. ConfigError if the address is none, or no store of this release.

    The embedded one, a file in the data folder, is made and migrated. Another that does not answer now is looked at later.
    """
    database = open_database(settings.history_address())
    try:
        yield HistoryStore(database, is_checked=await _is_ready(database, settings))
    finally:
        await database.close()


def is_there(settings: Settings) -> bool:
    """Whether there is a store to ask: a server, or a file that some process has made."""
    file = make_url(settings.history_address()).database
    return settings.history_address().startswith("postgres") or (file is not None and Path(file).exists())


async def migrate_history(settings: Settings) -> bool:
    """Make the store's tables those of this release; False if they are. NotYet if it does not answer."""
    database = open_database(settings.history_address())
    try:
        return await migrate(database)
    finally:
        await database.close()


async def _is_ready(database: Database, settings: Settings) -> bool:
    if not settings.history_url:
        await migrate_file(database)
        return True
    try:
        await require_migrated(database)
    except NotYet as error:
        _log.warning("history.store_awaited", extra={"error": str(error)})
        return False
    return True
