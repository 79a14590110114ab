"""A webhook whose endpoint answers with ever other codes: its lists have what they should, and hold up nobody else's."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from fakes.records import ACCOUNT, AT_MS, EVENT_TYPES, WEBHOOK, attempt
from hookline.core.progress import State
from hookline.runtime.history import HistoryStore
from hookline.runtime.history_kinds import WALKED_MAX
from hookline.runtime.history_questions import ANY_DELIVERY, ANY_LOG, Cursor, DeliveryFilter, DeliveryRow, LogFilter
from hookline.schemas.records import Attempt, Outcome

HOUR_MS, FAILURES, SUCCESSES = 3_600_000, 700, WALKED_MAX + 100
SINCE_MS = AT_MS + FAILURES * HOUR_MS // 2  # of half of what failed
_CHANCES = 10  # to be answered although another list is
WHOSE: dict[str, Any] = {"account_id": ACCOUNT, "subscription_id": WEBHOOK}
WIDE = DeliveryFilter(status="failed")


def failure(number: int) -> Attempt:
    """One an hour, each with another code and some of each event type."""
    failed = attempt(1, Outcome.FAILED, event=f"evt_{number}", at_ms=AT_MS + number * HOUR_MS, next_ms=AT_MS * 2)
    kind = EVENT_TYPES[number % len(EVENT_TYPES)]
    return replace(
        failed, event_type=kind, response_code=300 + number, next_attempt_at_ms=AT_MS * 2 * (number % 2) or None
    )


@pytest.fixture
async def full(store: HistoryStore) -> HistoryStore:
    """A store with hundreds of kinds of failures, and behind them more successes than are looked through."""
    await store.ingest([failure(number) for number in range(FAILURES)], {})
    began_ms = AT_MS + FAILURES * HOUR_MS
    await store.ingest([attempt(event=f"evt_s{each}", at_ms=began_ms + each) for each in range(SUCCESSES)], {})
    await store.ingest([attempt(event="evt_1", webhook="wh_2")], {})
    return store


async def every_delivery(store: HistoryStore) -> list[DeliveryRow]:
    found: list[DeliveryRow] = []
    while page := await store.deliveries(
        **WHOSE, limit=1_000, where=ANY_DELIVERY, before=found[-1].cursor if found else None
    ):
        found += page
    return found


async def test_filtered_pages_have_every_row_once_wherever_the_rows_lie(full: HistoryStore) -> None:
    every = await every_delivery(full)
    assert len(every) == FAILURES + SUCCESSES
    for where in (
        WIDE,
        DeliveryFilter(state=State.EXHAUSTED),
        replace(WIDE, until_ms=AT_MS + 600 * HOUR_MS),
        replace(WIDE, since_ms=SINCE_MS),
        replace(WIDE, event_type=EVENT_TYPES[2]),
        replace(WIDE, response_code=507),
    ):
        wanted = [row for row in every if is_wanted(row, where)]
        assert await paged(full, where, limit=90) == wanted, where


async def test_logs_of_many_kinds_are_those_of_the_records(full: HistoryStore) -> None:
    every = list(await full.logs(**WHOSE, limit=1_000, where=LogFilter(status="failed"), before=None))
    assert [row.response_code for row in every] == [300 + number for number in reversed(range(FAILURES))]
    assert len(await full.logs(**WHOSE, limit=1_000, where=ANY_LOG, before=None)) == 1_000
    half = await full.logs(**WHOSE, limit=1_000, where=LogFilter(status="failed", until_ms=SINCE_MS), before=None)
    assert half == every[FAILURES // 2 :]


async def test_only_where_wanted_rows_are_rare_each_kind_is_looked_up_and_for_one_list_at_a_time(
    full: HistoryStore,
) -> None:
    wide = await full.deliveries(**WHOSE, limit=50, where=WIDE, before=None)
    before_successes = replace(WIDE, until_ms=AT_MS + FAILURES * HOUR_MS)
    async with full._database.alone():
        waiting = asyncio.create_task(full.deliveries(**WHOSE, limit=50, where=WIDE, before=None))
        for _ in range(_CHANCES):
            for where in (before_successes, DeliveryFilter(response_code=507), DeliveryFilter(status="succeeded")):
                assert await full.deliveries(**WHOSE, limit=50, where=where, before=None)
        assert not waiting.done()
    assert await waiting == wide == await full.deliveries(**WHOSE, limit=50, where=before_successes, before=None)


def is_wanted(row: DeliveryRow, where: DeliveryFilter) -> bool:
    return (
        where.status in {None, row.status}
        and where.state in {None, row.state}
        and where.event_type in {None, row.event_type}
        and where.response_code in {None, row.response_code}
        and row.first_at_ms >= (where.since_ms or 0)
        and row.first_at_ms < (where.until_ms or AT_MS * 2)
    )


async def paged(store: HistoryStore, where: DeliveryFilter, *, limit: int) -> list[DeliveryRow]:
    found: list[DeliveryRow] = []
    before: Cursor | None = None
    while page := await store.deliveries(**WHOSE, limit=limit, where=where, before=before):
        found += page
        before = found[-1].cursor
    return found
