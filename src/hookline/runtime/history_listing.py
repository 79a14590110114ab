"""Lists from the history store, page by page: deliveries, attempts, audit entries."""

from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import Row, select, tuple_

from hookline.core.progress import State, state_of
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
_listed_columns = attrgetter(*LISTED_DELIVERIES.columns)
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
    return [_delivery(row) for row in map(tuple, rows) if row[-1] == account_id]


async def logs(
    database: Database, *, account_id: str, subscription_id: str, limit: int, where: LogFilter, before: Cursor | None
) -> Sequence[LogRow]:
    """The subscription's attempts, the newest first."""
    page = _page(subscription_id, limit, where, before)
    endings = None if where.status is None else _OUTCOMES[where.status]
    wanted = Wanted(event_type=where.event_type, endings=endings, response_code=where.response_code)
    rows = await newest(database, LISTED_LOGS, page, wanted)
    return [_log(row) for row in map(tuple, rows) if row[-1] == account_id]


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
    return _delivery(_listed_columns(row))


def _delivery(values: Sequence[Any]) -> DeliveryRow:
    """What a list shows of a row, whose columns it has in order: to ask a row of SQLAlchemy's for each by name took twice as long."""
    (
        delivery_id,
        subscription_id,
        event_id,
        event_type,
        outcome,
        response_code,
        requests,
        first_at_ms,
        request_at_ms,
        next_attempt_at_ms,
        is_test,
        run,
        *place,
        job_id,
        _account_id,
    ) = values
    is_succeeded = outcome == Outcome.SUCCEEDED
    last_at_ms = request_at_ms or None
    return DeliveryRow(
        delivery_id=delivery_id,
        subscription_id=subscription_id,
        event_id=event_id,
        event_type=event_type,
        status="succeeded" if is_succeeded else "failed",
        response_code=response_code or None,
        attempts=requests,
        first_at_ms=first_at_ms,
        delivered_at_ms=last_at_ms if is_succeeded else None,
        last_attempt_at_ms=last_at_ms,
        next_attempt_at_ms=next_attempt_at_ms,
        is_test=is_test,
        state=state_of(outcome, next_attempt_at_ms),
        run=run,
        origin=Place(partition=place[0], offset=place[1], in_replays=bool(place[2])),
        job_id=job_id,
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


def _log(values: Sequence[Any]) -> LogRow:
    (
        attempt_id,
        delivery_id,
        event_type,
        outcome,
        attempt,
        response_code,
        duration_ms,
        started_at_ms,
        error,
        detail,
        job_id,
        _account_id,
    ) = values
    return LogRow(
        attempt_id=attempt_id,
        delivery_id=delivery_id,
        event_type=event_type,
        status="delivered" if outcome == Outcome.SUCCEEDED else "failed",
        attempt=attempt,
        response_code=response_code or None,
        response_time_ms=duration_ms,
        at_ms=started_at_ms + duration_ms,
        error=error,
        detail=detail,
        job_id=job_id,
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
