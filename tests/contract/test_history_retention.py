"""What is too old leaves the history store, and nothing else; what is late still comes in."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from fakes.audit import audit_entry
from fakes.clock import SetClock
from fakes.records import AT_MS, WEBHOOK, attempt, lives
from fakes.stores import database, dumped
from hookline.processors.keeping import keep
from hookline.runtime.history import HistoryStore, open_history
from hookline.runtime.history_tables import ATTEMPTS, DAY_MS, DELIVERIES, REQUEST_COUNTS
from hookline.runtime.settings import Settings
from hookline.schemas.records import Outcome

NOW_MS = AT_MS + 40 * DAY_MS
KEPT_FROM_MS = (NOW_MS // DAY_MS - 30) * DAY_MS
RECORDS = lives(500, seed=8, days=40)


async def forget_all(store: HistoryStore, *, now_ms: int = NOW_MS, days: int = 30) -> int:
    total = 0
    while removed := await store.forget(now_ms=now_ms, days=days):
        total += removed
    return total


async def partitions(store: HistoryStore) -> list[str]:
    """PostgreSQL's partitions, by name."""
    question = text("SELECT inhrelid::regclass::text AS name FROM pg_inherits JOIN pg_class ON oid = inhparent")
    return sorted(row.name for row in await store._database.rows(question) if not row.name.endswith(("key", "idx")))


async def test_what_is_older_goes_and_the_rest_stays_as_it_is(store: HistoryStore, store_settings: Settings) -> None:
    await store.ingest(RECORDS, {})
    before = await dumped(store_settings)
    assert await forget_all(store) > 0
    after = await dumped(store_settings)
    for table, time in ((ATTEMPTS, 2), (DELIVERIES, 1)):
        assert after[table.name] == [row for row in before[table.name] if row[time] >= KEPT_FROM_MS]
    counts = [row for row in before[REQUEST_COUNTS.name] if row[2] >= KEPT_FROM_MS]
    assert [row for row in after[REQUEST_COUNTS.name] if row[2] >= KEPT_FROM_MS] == counts
    times = {(row[2], row[1]) for row in after[DELIVERIES.name]}
    assert times <= set(after["delivery_times"])
    assert await forget_all(store) == 0


async def test_much_that_is_long_too_old_goes_to_the_last_row(store: HistoryStore, store_settings: Settings) -> None:
    """Rows are found by their subscriptions, which are forgotten as well."""
    old_ms = NOW_MS - 200 * DAY_MS
    await store.ingest([attempt(event=f"evt_{number}", at_ms=old_ms + number) for number in range(1_200)], {})
    await forget_all(store)
    assert not any((await dumped(store_settings)).values())


async def test_audit_entries_stay_for_400_days(store: HistoryStore) -> None:
    entries = [audit_entry(number, at_ms=NOW_MS - number * 10 * DAY_MS) for number in range(50)]
    await store.ingest(entries, {})
    await forget_all(store)
    kept = await store.audit(account_id=None, subject=None, before=None, limit=100)
    assert len(kept) in {41, 42, 43}  # PostgreSQL keeps what is in one partition of 30 days with the youngest
    assert list(kept) == entries[: len(kept)]


async def test_what_comes_late_is_taken_in_and_goes_again(store: HistoryStore) -> None:
    late = [attempt(event=f"evt_{number}", at_ms=NOW_MS - number * 9 * DAY_MS) for number in range(6)]
    await store.ingest(late, {})
    await forget_all(store)
    await store.ingest(late, {})
    rows = await store.deliveries(account_id="acct_1", subscription_id=WEBHOOK, limit=10)
    assert len(rows) == 6
    await forget_all(store)
    rows = await store.deliveries(account_id="acct_1", subscription_id=WEBHOOK, limit=10)
    assert len(rows) == 4


async def test_a_delivery_that_was_forgotten_begins_anew_with_what_comes_late(store: HistoryStore) -> None:
    first = attempt(1, Outcome.FAILED, at_ms=KEPT_FROM_MS - 1)
    second = attempt(2, Outcome.FAILED, at_ms=KEPT_FROM_MS + 1)
    third = attempt(3, at_ms=KEPT_FROM_MS + 2)
    await store.ingest([first, second], {})
    await forget_all(store)
    await store.ingest([second, third], {})
    (row,) = await store.deliveries(account_id="acct_1", subscription_id=WEBHOOK, limit=10)
    assert (row.first_at_ms, row.state, row.attempts) == (KEPT_FROM_MS + 1, "succeeded", 3)
    logged = await store.logs(account_id="acct_1", subscription_id=WEBHOOK, limit=10)
    assert [each.attempt for each in logged] == [3, 2]
    found = await store.stats(
        account_id="acct_1", subscription_id=WEBHOOK, since_ms=KEPT_FROM_MS, until_ms=NOW_MS, step_ms=DAY_MS
    )
    assert (found.succeeded, found.failed) == (1, 1)


async def test_a_shorter_retention_is_kept_to(store: HistoryStore) -> None:
    await store.ingest([attempt(event=f"evt_{day}", at_ms=NOW_MS - day * DAY_MS) for day in range(10)], {})
    await forget_all(store, days=3)
    assert len(await store.deliveries(account_id="acct_1", subscription_id=WEBHOOK, limit=99)) == 4


async def test_partitions_are_made_ahead(postgres: URL, migrated: str) -> None:
    async with database(postgres, migrated) as address, open_history(Settings(history_url=address)) as store:
        await store.prepare(now_ms=AT_MS)
        there = await partitions(store)
        assert [each for each in there if each.startswith(("attempts", "deliveries_", "audit"))] == [
            "attempts_20231114",
            "attempts_20231115",
            "attempts_20231116",
            "audit_20231020",
            "audit_20231119",
            "audit_20231219",
            "deliveries_20231114",
            "deliveries_20231115",
            "deliveries_20231116",
        ]
        await store.prepare(now_ms=AT_MS)
        assert await partitions(store) == there


async def test_two_processes_make_the_same_partitions(postgres: URL, migrated: str) -> None:
    async with database(postgres, migrated) as address:
        settings = Settings(history_url=address)
        async with open_history(settings) as one, open_history(settings) as other:
            days = [AT_MS + day * DAY_MS for day in range(8)]
            batches = [[attempt(event=f"evt_{at_ms}_{half}", at_ms=at_ms) for at_ms in days] for half in range(2)]
            await asyncio.gather(one.ingest(batches[0], {}), other.ingest(batches[1], {}))
            assert len(await one.logs(account_id="acct_1", subscription_id=WEBHOOK, limit=99)) == 16


async def test_a_partition_that_another_process_dropped_is_made_again(postgres: URL, migrated: str) -> None:
    async with database(postgres, migrated) as address:
        settings = Settings(history_url=address)
        async with open_history(settings) as one, open_history(settings) as other:
            await one.ingest([attempt(event="evt_1")], {})
            await forget_all(other)
            await one.ingest([attempt(event="evt_2")], {})
            assert len(await one.logs(account_id="acct_1", subscription_id=WEBHOOK, limit=99)) == 1


async def test_a_partition_that_is_being_read_stays_for_now(postgres: URL, migrated: str) -> None:
    async with database(postgres, migrated) as address, open_history(Settings(history_url=address)) as store:
        await store.ingest([attempt()], {})
        async with store._database.engine.connect() as reading:
            await reading.execute(text("SELECT count(*) FROM attempts_20231114"))
            await forget_all(store)
            assert "attempts_20231114" in await partitions(store)
        assert await forget_all(store) > 0
        assert "attempts_20231114" not in await partitions(store)


async def test_while_much_is_forgotten_what_comes_is_taken_in(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(data_dir=tmp_path)
    caplog.set_level("INFO", "hookline.history")
    async with open_history(settings) as keeping, open_history(settings) as taking:
        old = [attempt(event=f"evt_{number}", at_ms=AT_MS + number) for number in range(4_000)]
        await taking.ingest(old, {})
        clock = SetClock()
        clock.s = NOW_MS / 1_000
        forgetting = asyncio.create_task(keep(keeping, days=30, clock=clock))
        for number in range(40):
            await taking.ingest([attempt(event=f"evt_new_{number}", at_ms=NOW_MS + number)], {})
        async with asyncio.timeout(30):
            while "history.forgotten" not in caplog.messages:
                await asyncio.sleep(0.01)
        forgetting.cancel()
    with closing(sqlite3.connect(tmp_path / "history.sqlite")) as file:
        assert file.execute("SELECT count(*) FROM attempts").fetchone() == (40,)
        assert file.execute("SELECT count(*) FROM delivery_times").fetchone() == (40,)
