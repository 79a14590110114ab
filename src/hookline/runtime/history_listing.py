"""Lists from the history store, page by page: deliveries, attempts, audit entries."""

from collections.abc import Collection, Sequence
from typing import Any, Literal

from sqlalchemy import Row, select, tuple_

from hookline.core.progress import State
from hookline.runtime.history_database import Database
from hookline.runtime.history_kinds import LISTED_DELIVERIES, LISTED_LOGS, Page, Wanted, newest
from hookline.runtime.history_questions import (
    AUDIT_CHARACTERS_MAX,
    Cursor,
    DeliveryFilter,
    DeliveryRow,
    LogFilter,
    LogRow,
    characters,
)
from hookline.runtime.history_tables import AUDIT
from hookline.schemas.records import AuditEntry, Outcome, Place

_LISTED_MAX = 1_001  # a page of a thousand, and one more that says whether another follows
_ENTRIES_AT_ONCE = 8  # of the audit, from the database: each may have half a megabyte
_OUTCOMES = {"delivered": {Outcome.SUCCEEDED}, "failed": {Outcome.FAILED}}


async def deliveries(
    database: Database,
    *,
    account_id: str,
    subscription_id: str,
    limit: int,
    where: DeliveryFilter,
    before: Cursor | None,
) -> Sequence[DeliveryRow]:
    """The subscription's deliveries, the newest first."""
    page = _page(subscription_id, limit, where, before)
    wanted = Wanted(event_type=where.event_type, endings=_states(where), response_code=where.response_code)
    rows = await newest(database, LISTED_DELIVERIES, page, wanted)
    return [delivery_of(row) for row in rows if row.account_id == account_id]


async def logs(
    database: Database, *, account_id: str, subscription_id: str, limit: int, where: LogFilter, before: Cursor | None
) -> Sequence[LogRow]:
    """The subscription's attempts, the newest first."""
    page = _page(subscription_id, limit, where, before)
    endings = None if where.status is None else _OUTCOMES[where.status]
    wanted = Wanted(event_type=where.event_type, endings=endings, response_code=where.response_code)
    rows = await newest(database, LISTED_LOGS, page, wanted)
    return [_log(row) for row in rows if row.account_id == account_id]


async def audit_entries(
    database: Database, *, account_id: str | None, subject: str | None, before: Cursor | None, limit: int
) -> Sequence[AuditEntry]:
    """Audit entries, the newest first."""
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
    found, left = list[AuditEntry](), AUDIT_CHARACTERS_MAX

    def is_room_after(row: Row[Any]) -> bool:
        nonlocal left
        found.append(_audit_entry(row))
        left -= characters(found[-1])
        return left > 0

    await database.rows_while(question, is_room_after, at_once=_ENTRIES_AT_ONCE)
    return found


def delivery_of(row: Row[Any]) -> DeliveryRow:
    """A row of `deliveries`, as the API asks for it."""
    is_succeeded = row.state == State.SUCCEEDED
    last_at_ms = row.request_at_ms or None
    return DeliveryRow(
        delivery_id=row.delivery_id,
        subscription_id=row.subscription_id,
        event_id=row.event_id,
        event_type=row.event_type,
        status="succeeded" if is_succeeded else "failed",
        response_code=row.response_code or None,
        attempts=row.requests,
        first_at_ms=row.first_at_ms,
        delivered_at_ms=last_at_ms if is_succeeded else None,
        last_attempt_at_ms=last_at_ms,
        next_attempt_at_ms=row.next_attempt_at_ms,
        is_test=row.is_test,
        state=row.state,
        run=row.run,
        origin=Place(partition=row.origin_partition, offset=row.origin_offset, in_replays=bool(row.origin_in_replays)),
        job_id=row.job_id,
    )


def _page(subscription_id: str, limit: int, where: DeliveryFilter | LogFilter, before: Cursor | None) -> Page:
    return Page(
        subscription_id=subscription_id,
        since_ms=where.since_ms,
        until_ms=where.until_ms,
        before=before,
        limit=_listed(limit),
    )


def _states(where: DeliveryFilter) -> Collection[str] | None:
    """The states that both the filter's status and its state let through."""
    if where.status is None:
        return None if where.state is None else {where.state}
    return {each for each in State if (each is State.SUCCEEDED) == (where.status == "succeeded")} & (
        set(State) if where.state is None else {where.state}
    )


def _listed(limit: int) -> int:
    """How many rows are listed: never all of them, which is what SQLite takes a limit below 0 for."""
    return max(0, min(limit, _LISTED_MAX))


def _log(row: Row[Any]) -> LogRow:
    status: Literal["delivered", "failed"] = "delivered" if row.outcome == Outcome.SUCCEEDED else "failed"
    return LogRow(
        attempt_id=row.attempt_id,
        delivery_id=row.delivery_id,
        event_type=row.event_type,
        status=status,
        attempt=row.attempt,
        response_code=row.response_code or None,
        response_time_ms=row.duration_ms,
        at_ms=row.started_at_ms + row.duration_ms,
        error=row.error,
        detail=row.detail,
        job_id=row.job_id,
    )


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
