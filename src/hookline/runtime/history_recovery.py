"""What recovery asks the history store: how far deliveries are, which failed for good, and which are still to be tried."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Row, Select, bindparam, select, tuple_

from hookline.core.progress import State, state_of
from hookline.core.resending import Known
from hookline.runtime.history_bulk import bulk
from hookline.runtime.history_database import Database
from hookline.runtime.history_kinds import WHOLE_DELIVERIES, Page, Wanted, newest
from hookline.runtime.history_listing import delivery_of
from hookline.runtime.history_questions import Cursor
from hookline.runtime.history_rows import is_delivered, steps_of
from hookline.runtime.history_tables import DELIVERIES, DELIVERY_TIMES
from hookline.runtime.recovery_rows import FailedPage, PendingRow

# Rows that one question walks along, whether they are wanted or not: 4 ms of CPU on SQLite (measured).
WALKED_MAX = 2_000
_FIRST: Cursor = (-1, "")
_FAILED = frozenset({State.EXHAUSTED, State.EXPIRED, State.CANCELLED})
_PENDING = frozenset({State.RETRYING, State.POSTPONED})


class HistoryRecovery:
    """Asks about one subscription of one account at a time. NotYet when the database is away."""

    def __init__(self, database: Database, *, check: Callable[[], Awaitable[None]]) -> None:
        self._database = database
        self._check = check

    async def states(
        self, *, account_id: str, subscription_id: str, delivery_ids: Sequence[str]
    ) -> Mapping[str, Known]:
        """How far these deliveries are, without those that nothing is on record of."""
        await self._check()
        asking = bulk(postgres=self._database.is_postgres)
        ids = sorted({(each,) for each in delivery_ids})
        if not ids:
            return {}
        async with self._database.moment() as moment:
            times = await moment.rows(*asking.rows_with(DELIVERY_TIMES, ["delivery_id"], ids))
            keys = [(subscription_id, row.first_at_ms, row.delivery_id) for row in times]
            names = ["subscription_id", "first_at_ms", "delivery_id"]
            rows = await moment.rows(*asking.rows_with(DELIVERIES, names, keys)) if keys else []
        return {row.delivery_id: _known(row) for row in rows if row.account_id == account_id}

    async def failed(
        self, *, account_id: str, subscription_id: str, since_ms: int, until_ms: int, after: Cursor | None
    ) -> FailedPage:
        """Those of the subscription's deliveries that failed for good in every run, by the time of their first record."""
        await self._check()
        at_ms, delivery_id = after or _FIRST
        values = {"mine": subscription_id, "since": max(since_ms, at_ms), "until": until_ms, "at": at_ms}
        async with self._database.moment() as moment:
            walked = await moment.rows(_walk(), {**values, "id": delivery_id, "limit": WALKED_MAX})
            keys = [(subscription_id, row.first_at_ms, row.delivery_id) for row in walked if _state_of(row) in _FAILED]
            names = ["subscription_id", "first_at_ms", "delivery_id"]
            asked = bulk(postgres=moment.is_postgres).rows_with(DELIVERIES, names, keys)
            rows = await moment.rows(*asked) if keys else []
        ours = [delivery_of(row) for row in rows if row.account_id == account_id and _has_failed(row)]
        last = (walked[-1].first_at_ms, walked[-1].delivery_id) if len(walked) == WALKED_MAX else None
        return FailedPage(rows=sorted(ours, key=lambda each: each.cursor), walked=len(walked), last=last)

    async def pending(
        self, *, account_id: str, subscription_id: str, until_ms: int, before: Cursor | None, limit: int
    ) -> Sequence[PendingRow]:
        """The subscription's deliveries that are still to be tried and whose first record is older, the newest first."""
        await self._check()
        page = Page(subscription_id=subscription_id, since_ms=None, until_ms=until_ms, before=before, limit=limit)
        wanted = Wanted(event_type=None, endings=_PENDING, response_code=None)
        rows = await newest(self._database, WHOLE_DELIVERIES, page, wanted)
        return [_pending(row) for row in rows if row.account_id == account_id]


@cache
def _walk() -> Select[Any]:
    """A bounded walk along the primary key. Few of a subscription's rows failed, as a rule, but a page costs the same for any."""
    table = DELIVERIES.c
    at, row_id = table.first_at_ms, table.delivery_id
    behind = tuple_(at, row_id) > tuple_(bindparam("at", type_=at.type), bindparam("id", type_=row_id.type))
    return (
        select(at, row_id, table.outcome, table.next_attempt_at_ms)  # the key's index holds these
        .where(table.subscription_id == bindparam("mine"))
        .where(at >= bindparam("since"), at < bindparam("until"), behind)
        .order_by(at, row_id)
        .limit(bindparam("limit"))
    )


def _state_of(row: Row[Any]) -> State:
    return state_of(row.outcome, row.next_attempt_at_ms)


def _has_failed(row: Row[Any]) -> bool:
    return row.state in _FAILED and not is_delivered(row)


def _known(row: Row[Any]) -> Known:
    return Known(State(row.state), is_delivered(row), row.at_ms, row.job_id, row.run)


def _pending(row: Row[Any]) -> PendingRow:
    is_retrying = row.state == State.RETRYING
    number = row.attempt + 1 if is_retrying else row.attempt
    return PendingRow(delivery=delivery_of(row), next_attempt=number, run_began_ms=_run_began_ms(row))


def _run_began_ms(row: Row[Any]) -> int:
    return min((each.at_ms for each in steps_of(row.steps) if each.run == row.run), default=row.at_ms)
