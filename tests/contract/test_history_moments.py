"""What takes the history store several questions is answered from one moment of it, although records come in between them."""

import asyncio
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from fakes.interrupted import interrupted
from fakes.records import ACCOUNT, AT_MS, WEBHOOK, attempt
from fakes.stores import database
from hookline.core.ids import delivery_id
from hookline.runtime.history import HistoryStore, open_history
from hookline.runtime.history_questions import DeliveryFilter
from hookline.runtime.settings import Settings
from hookline.schemas.records import Attempt, Outcome

HOUR_MS, CODES, LIMIT = 3_600_000, range(500, 510), 10
WHOSE: dict[str, Any] = {"account_id": ACCOUNT, "subscription_id": WEBHOOK}
FAILED = DeliveryFilter(status="failed")


def failure(number: int, code: int, attempts: int = 1) -> Attempt:
    """Delivery `number` failed, that many minutes after the first one."""
    at_ms = AT_MS + number * 60_000
    failed = attempt(
        attempts, Outcome.FAILED, event=f"evt_{number}", at_ms=at_ms + attempts - 1, next_ms=at_ms + HOUR_MS
    )
    return replace(failed, response_code=code)


@pytest.fixture
async def failing(store: HistoryStore) -> HistoryStore:
    """A store with deliveries of ten kinds, the newest all of one: so they are not found at the first look at each kind."""
    older = [failure(number, CODES[number % len(CODES)]) for number in range(100)]
    await store.ingest([*older, *(failure(number, CODES[0]) for number in range(100, 115))], {})
    return store


async def test_a_list_has_every_row_once_although_rows_change_their_kinds_while_it_is_made(
    failing: HistoryStore, store_settings: Settings
) -> None:
    before = await failing.deliveries(**WHOSE, limit=LIMIT, where=FAILED)
    assert [row.delivery_id for row in before] == [failure(number, 500).delivery_id for number in range(114, 104, -1)]
    moved = count(114, -1)

    async def move() -> None:
        """Each of the newest rows in turn, to a kind that was looked at before, or was not there."""
        await failing.ingest([failure(next(moved), code, 2) for code in (CODES[1], 599)], {})

    async with interrupted(store_settings, move) as asked:
        assert await asked.deliveries(**WHOSE, limit=LIMIT, where=FAILED) == before
        after = await failing.deliveries(**WHOSE, limit=LIMIT, where=FAILED)
    assert [row.delivery_id for row in after] == [row.delivery_id for row in before]
    assert {row.response_code for row in after} >= {CODES[1], 599}


async def test_what_is_retried_is_called_off_although_it_is_postponed_meanwhile(
    failing: HistoryStore, store_settings: Settings
) -> None:
    until_ms = AT_MS + HOUR_MS * 24
    before = await failing.recovery().pending(**WHOSE, until_ms=until_ms, before=None, limit=LIMIT)
    held = count(114, -1)

    async def hold() -> None:
        of = failure(next(held), 500, 2)
        await failing.ingest([replace(of, outcome=Outcome.POSTPONED, response_code=None)], {})

    async with interrupted(store_settings, hold) as asked:
        assert await asked.recovery().pending(**WHOSE, until_ms=until_ms, before=None, limit=LIMIT) == before


async def test_a_delivery_is_found_although_its_earliest_record_comes_late(
    failing: HistoryStore, store_settings: Settings
) -> None:
    """Its row moves then, for rows lie by the time of the earliest."""
    late, event = delivery_id(ACCOUNT, "evt_7", WEBHOOK), "evt_7"
    earlier = count(1)

    async def come() -> None:
        at_ms = AT_MS - next(earlier) * HOUR_MS
        await failing.ingest([attempt(1, Outcome.FAILED, event=event, at_ms=at_ms, next_ms=AT_MS + HOUR_MS)], {})

    async with interrupted(store_settings, come) as asked:
        before = await failing.delivery(account_id=ACCOUNT, delivery_id=late)
        assert before is not None
        assert await asked.delivery(account_id=ACCOUNT, delivery_id=late) == before
        before_event = await failing.event(account_id=ACCOUNT, event_id=event)
        assert await asked.event(account_id=ACCOUNT, event_id=event) == before_event
        known = await failing.recovery().states(**WHOSE, delivery_ids=[late])
        assert len(known) == 1
        assert await asked.recovery().states(**WHOSE, delivery_ids=[late]) == known


async def test_a_store_can_be_emptied_while_it_is_asked(migrated: str, postgres: URL) -> None:
    """PostgreSQL locks the tables for it, and a question holds up to four of them: neither ends the other."""
    async with database(postgres, migrated) as address, open_history(Settings(history_url=address)) as store:
        await store.ingest([failure(number, CODES[number % len(CODES)]) for number in range(30)], {})
        emptying: list[asyncio.Task[None]] = []

        async def empty() -> None:
            if emptying:
                return
            emptying.append(asyncio.create_task(store.empty()))
            waiting = text("SELECT 1 FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'")
            async with asyncio.timeout(10):
                while not await store._database.rows(waiting):
                    await asyncio.sleep(0.01)

        async with interrupted(Settings(history_url=address), empty) as asked:
            for ask in (
                lambda: asked.deliveries(**WHOSE, limit=LIMIT, where=FAILED),
                lambda: asked.delivery(account_id=ACCOUNT, delivery_id=failure(3, 500).delivery_id),
            ):
                await store.ingest([failure(number, CODES[number % len(CODES)]) for number in range(30)], {})
                assert await ask()
                await emptying.pop()
        assert await store.deliveries(**WHOSE, limit=LIMIT) == []
