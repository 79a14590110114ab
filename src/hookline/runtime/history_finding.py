"""Single things from the history store: one delivery with all that is on record of it, and the deliveries of one event."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select

from hookline.core.ids import delivery_id as delivery_id_of
from hookline.runtime.history_bulk import bulk
from hookline.runtime.history_database import Database, Moment
from hookline.runtime.history_listing import delivery_of
from hookline.runtime.history_questions import DeliveryRow, StepRow, WholeDelivery
from hookline.runtime.history_rows import headers_of, steps_of
from hookline.runtime.history_tables import ATTEMPTS, DELIVERIES, DELIVERY_TIMES, SUBSCRIPTIONS
from hookline.schemas.records import Outcome


async def whole_delivery(database: Database, *, account_id: str, delivery_id: str) -> WholeDelivery | None:
    """The delivery, if it is the account's."""
    async with database.moment() as moment:
        return await _whole_delivery(moment, account_id, delivery_id)


async def _whole_delivery(moment: Moment, account_id: str, delivery_id: str) -> WholeDelivery | None:
    mine = await _subscriptions_of(moment, account_id)
    rows = await _deliveries(moment, account_id, [(each, delivery_id) for each in mine])
    if not rows:
        return None
    found = rows[0]
    keys = [(found.subscription_id, each.is_request, each.at_ms, delivery_id) for each in steps_of(found.steps)]
    names = ["subscription_id", "is_request", "started_at_ms", "delivery_id"]
    steps = await moment.rows(*bulk(postgres=moment.is_postgres).rows_with(ATTEMPTS, names, keys))
    return WholeDelivery(
        delivery=delivery_of(found),
        steps=sorted(map(_step, steps), key=lambda each: (each.started_at_ms, each.run, each.attempt)),
    )


async def event_deliveries(database: Database, *, account_id: str, event_id: str) -> Sequence[DeliveryRow]:
    """What became of an event. A delivery's id is made of its account, event and subscription, so no index of events is kept."""
    if event_id.encode(errors="ignore").decode() != event_id:
        return []  # lone surrogates: no event has such an id
    async with database.moment() as moment:
        mine = await _subscriptions_of(moment, account_id)
        wanted = [(each, delivery_id_of(account_id, event_id, each)) for each in mine]
        return [delivery_of(row) for row in await _deliveries(moment, account_id, wanted)]


async def _subscriptions_of(moment: Moment, account_id: str) -> Sequence[str]:
    table = SUBSCRIPTIONS.c
    question = select(table.subscription_id).where(table.account_id == account_id).order_by(table.subscription_id)
    return [row.subscription_id for row in await moment.rows(question)]


async def _deliveries(moment: Moment, account_id: str, wanted: Sequence[tuple[str, str]]) -> Sequence[Row[Any]]:
    """The rows of deliveries by subscription and delivery id, the newest first."""
    asking = bulk(postgres=moment.is_postgres)
    ids = sorted({(delivery_id,) for _, delivery_id in wanted})
    times = await moment.rows(*asking.rows_with(DELIVERY_TIMES, ["delivery_id"], ids))
    keys = [(whose, row.first_at_ms, each) for row in times for whose, each in wanted if each == row.delivery_id]
    found = await moment.rows(*asking.rows_with(DELIVERIES, ["subscription_id", "first_at_ms", "delivery_id"], keys))
    mine = [row for row in found if row.account_id == account_id]
    return sorted(mine, key=lambda row: (row.first_at_ms, row.delivery_id), reverse=True)


def _step(row: Row[Any]) -> StepRow:
    return StepRow(
        attempt_id=row.attempt_id,
        run=row.run,
        attempt=row.attempt,
        outcome=Outcome(row.outcome),
        started_at_ms=row.started_at_ms,
        duration_ms=row.duration_ms,
        response_code=row.response_code or None,
        response_body=row.response_body or b"",
        error=row.error,
        detail=row.detail,
        next_attempt_at_ms=row.next_attempt_at_ms,
        job_id=row.job_id,
        request_headers=headers_of(row.request_headers),
        response_headers=headers_of(row.response_headers),
    )
