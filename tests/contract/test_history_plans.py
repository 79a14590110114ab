"""Questions to the history store walk along an index: no row is passed over in vain."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import URL

from fakes.records import AT_MS, WEBHOOK, lives
from fakes.stores import database
from hookline.runtime.history import HistoryStore, migrate_history, open_history
from hookline.runtime.history_questions import ANY_DELIVERY, ANY_LOG, DeliveryFilter, LogFilter
from hookline.runtime.settings import Settings

DAY_MS = 86_400_000
RECORDS = lives(300, seed=4, days=10, webhooks=3)
WHOSE = {"account_id": "acct_1", "subscription_id": WEBHOOK}
BEFORE = (AT_MS + 5 * DAY_MS, "x")
Ask = Callable[[HistoryStore], Awaitable[object]]
QUESTIONS: dict[str, Ask] = {
    "deliveries": lambda store: store.deliveries(**WHOSE, limit=50, where=ANY_DELIVERY, before=BEFORE),
    "failed deliveries": lambda store: store.deliveries(
        **WHOSE, limit=50, where=DeliveryFilter(status="failed"), before=BEFORE
    ),
    "logs": lambda store: store.logs(**WHOSE, limit=50, where=ANY_LOG, before=BEFORE),
    "logs of a code": lambda store: store.logs(**WHOSE, limit=50, where=LogFilter(response_code=500), before=BEFORE),
    "a delivery": lambda store: store.delivery(account_id="acct_1", delivery_id=RECORDS[0].delivery_id),
    "an event": lambda store: store.event(account_id="acct_1", event_id=RECORDS[0].event_id),
    "stats": lambda store: store.stats(**WHOSE, since_ms=AT_MS, until_ms=AT_MS + 30 * DAY_MS, step_ms=DAY_MS),
}


async def asked(store: HistoryStore, ask: Ask, *, kinds: tuple[str, ...] = ("SELECT", "WITH")) -> list[tuple[str, Any]]:
    """The statements of a question, with their values."""
    found: list[tuple[str, Any]] = []
    engine = store._database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda _c, _cursor, sql, values, *_: found.append((sql, values)))
    await ask(store)
    return [each for each in found if each[0].startswith(kinds)]


@pytest.mark.parametrize("name", QUESTIONS)
async def test_sqlite_reads_a_table_by_an_id(name: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    async with open_history(settings) as store:
        await store.ingest(RECORDS, {})
        statements = await asked(store, QUESTIONS[name])
    with closing(sqlite3.connect(tmp_path / "history.sqlite")) as file:
        steps = [row[3] for sql, values in statements for row in file.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    tables = ("attempts", "deliveries", "delivery_times", "subscriptions", "request_counts", "other")
    reads = [step for step in steps if step.split()[0] in {"SEARCH", "SCAN"} and step.split()[1] in tables]
    assert reads != []
    assert [step for step in reads if "_id=?" not in step] == []


@pytest.mark.parametrize("name", QUESTIONS)
async def test_postgres_reads_by_an_index_also_where_it_knows_nothing_of_a_partition(
    name: str, migrated: str, postgres: URL
) -> None:
    async with database(postgres, migrated) as address, open_history(Settings(history_url=address)) as store:
        await store.ingest(RECORDS, {})
        for sql, values in await asked(store, QUESTIONS[name]):
            plan = await explained(store, sql, values)
            nodes = [line.split("(actual")[0].strip() for line in plan]
            assert not [each for each in nodes if "Seq Scan" in each or "Bitmap" in each or "Hash Join" in each], plan


@pytest.mark.parametrize("is_migrated_later", [False, True])
async def test_postgres_lists_deliveries_from_the_index_alone(
    is_migrated_later: bool, migrated: str, postgres: URL
) -> None:
    """Rows lie as they came: to look up a thousand of them in the table would read a thousand of its pages."""
    async with database(postgres, migrated) as address, open_history(Settings(history_url=address)) as store:
        await store.ingest(RECORDS, {})
        if is_migrated_later:
            await make_keys_of_0002(store)
            assert await migrate_history(Settings(history_url=address)) is True
        ((sql, values),) = await asked(store, QUESTIONS["deliveries"])
        scans = [line.split(" using")[0].strip() for line in await explained(store, sql, values) if "Scan" in line]
    assert {each.removeprefix("->").strip() for each in scans} == {"Index Only Scan Backward"}


async def make_keys_of_0002(store: HistoryStore) -> None:
    async with store._database.writing() as connection:
        await connection.execute(text("ALTER TABLE deliveries DROP CONSTRAINT deliveries_pkey"))
        await connection.execute(
            text("ALTER TABLE deliveries ADD PRIMARY KEY (subscription_id, first_at_ms, delivery_id)")
        )
        await connection.execute(text("UPDATE alembic_version SET version_num = '0002'"))


@pytest.mark.parametrize("name", ["failed deliveries", "logs of a code"])
@pytest.mark.parametrize("is_analyzed", [False, True])
async def test_postgres_passes_over_no_row_of_another_kind(
    name: str, is_analyzed: bool, migrated: str, postgres: URL
) -> None:
    """Of one webhook with nearly all rows a plan for any webhook knows nothing: its key looks as good as the index of kinds."""
    many = lives(13_000, seed=5, days=2, webhooks=2)
    async with database(postgres, migrated) as address, open_history(Settings(history_url=address)) as store:
        await store.ingest(many, {})
        asking = await asked(store, QUESTIONS[name], kinds=("SELECT", "WITH", "SET LOCAL"))
        async with store._database.engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            if is_analyzed:
                await driver.execute("ANALYZE")
            plans = [await _explained_or_set(driver, *each) for each in asking]
    removed = [line for line in chain(*plans) if "Rows Removed by Filter" in line]
    assert sum(int(line.rpartition(": ")[2]) for line in removed) < 100, plans


async def _explained_or_set(driver: Any, sql: str, values: Any) -> list[str]:
    if sql.startswith("SET LOCAL"):
        await driver.execute(sql.replace("SET LOCAL", "SET"))
        return []
    return [row[0] for row in await driver.fetch(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {sql}", *values)]


async def explained(store: HistoryStore, sql: str, values: Any) -> list[str]:
    async with store._database.engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        found = await asyncio.wait_for(driver.fetch(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {sql}", *values), 30)
    return [row[0] for row in found]
