"""Numbers of requests over a time, from counts that were made as the requests came in."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Row, Select, func, select

from hookline.core.response_times import SUCCEEDED, is_answered, percentile_ms
from hookline.runtime.history_database import Database
from hookline.runtime.history_questions import Stats, Volume
from hookline.runtime.history_tables import HOUR_MS, REQUEST_COUNTS


async def stats(
    database: Database,
    *,
    account_id: str,
    subscription_id: str | None,
    since_ms: int,
    until_ms: int,
    step_ms: int,
) -> Stats:
    """In whole hours: the first is the one of `since_ms`, the last the one that `until_ms` ends in."""
    since_ms, until_ms = since_ms // HOUR_MS * HOUR_MS, -(-until_ms // HOUR_MS) * HOUR_MS
    table = REQUEST_COUNTS.c
    mine = (table.account_id == account_id, table.subscription_id == (subscription_id or ""))
    these = (*mine, table.hour_ms >= since_ms, table.hour_ms < until_ms)
    step = (table.hour_ms - since_ms) // max(step_ms, HOUR_MS)
    by_duration = await database.rows(_summed(table.ending, table.bucket).where(*these))
    by_time = await database.rows(_summed(step.label("step"), table.ending).where(*these).order_by("step"))
    endings: Counter[str] = Counter()
    answered: Counter[int] = Counter()
    for row in by_duration:
        endings[row.ending] += row.total
        if is_answered(row.ending):
            answered[row.bucket] += row.total
    succeeded = endings.pop(SUCCEEDED, 0)
    return Stats(
        since_ms=since_ms,
        until_ms=until_ms,
        succeeded=succeeded,
        failed=endings.total(),
        errors=dict(endings.most_common()),
        p50_ms=percentile_ms(answered, 0.5),
        p95_ms=percentile_ms(answered, 0.95),
        p99_ms=percentile_ms(answered, 0.99),
        volume=_volume(by_time, since_ms, max(step_ms, HOUR_MS)),
    )


def _summed(*by: ColumnElement[Any]) -> Select[Any]:
    return select(*by, func.sum(REQUEST_COUNTS.c.count).cast(BigInteger).label("total")).group_by(*by)


def _volume(rows: Iterable[Row[Any]], since_ms: int, step_ms: int) -> list[Volume]:
    by_step: dict[int, Counter[bool]] = {}
    for row in rows:
        by_step.setdefault(row.step, Counter())[row.ending == SUCCEEDED] += row.total
    return [
        Volume(at_ms=since_ms + step * step_ms, succeeded=counts[True], failed=counts[False])
        for step, counts in sorted(by_step.items())
    ]
