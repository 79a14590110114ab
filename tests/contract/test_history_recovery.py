"""What recovery asks the history store, on both databases: an answer for each question, along an index."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import URL

from fakes.records import ACCOUNT, AT_MS, WEBHOOK, attempt, lives
from fakes.stores import database
from hookline.core.progress import Progress, State, joined, progress
from hookline.core.resending import Known
from hookline.runtime.history import HistoryStore, open_history
from hookline.runtime.history_recovery import WALKED_MAX, HistoryRecovery
from hookline.runtime.settings import Settings
from hookline.schemas.records import Attempt, Outcome

DAY_MS = 86_400_000
RECORDS = lives(400, seed=9, days=6, webhooks=3)
WHOSE = {"account_id": "acct_1", "subscription_id": WEBHOOK}
Ask = Callable[[HistoryRecovery], Awaitable[object]]
QUESTIONS: dict[str, Ask] = {
    "states": lambda asked: asked.states(**WHOSE, delivery_ids=[each.delivery_id for each in RECORDS[:100]]),
    "failed": lambda asked: asked.failed(
        **WHOSE, since_ms=AT_MS, until_ms=AT_MS + 5 * DAY_MS, after=(AT_MS + DAY_MS, "x")
    ),
    "pending": lambda asked: asked.pending(
        **WHOSE, until_ms=AT_MS + 5 * DAY_MS, before=(AT_MS + 4 * DAY_MS, "x"), limit=50
    ),
}


def truth(records: Sequence[Attempt], webhook: str = WEBHOOK) -> dict[str, Known]:
    """What is known of each delivery, as the rules say."""
    found: dict[str, Progress] = {}
    for each in records:
        if each.subscription_id == webhook:
            before = found.get(each.delivery_id)
            found[each.delivery_id] = progress(each) if before is None else joined(before, progress(each))
    return {each: known(said) for each, said in found.items()}


def known(said: Progress) -> Known:
    return Known(said.state, said.is_delivered, said.furthest.at_ms, said.origin.job_id or None, said.furthest.run)


def firsts(records: Sequence[Attempt]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in records:
        found[each.delivery_id] = min(each.started_at_ms, found.get(each.delivery_id, each.started_at_ms))
    return found


async def test_states_are_those_of_the_subscription_of_this_account(store: HistoryStore) -> None:
    await store.ingest(RECORDS, {})
    ids = sorted({each.delivery_id for each in RECORDS})
    recovery = store.recovery()
    assert await recovery.states(**WHOSE, delivery_ids=[*ids, "delivery_unknown"]) == truth(RECORDS)
    assert await recovery.states(account_id="acct_0", subscription_id=WEBHOOK, delivery_ids=ids) == {}
    assert await recovery.states(**WHOSE, delivery_ids=[]) == {}


async def test_failed_deliveries_come_once_and_the_oldest_first(store: HistoryStore) -> None:
    await store.ingest(RECORDS, {})
    began = firsts(RECORDS)
    since_ms, until_ms = AT_MS + DAY_MS, AT_MS + 4 * DAY_MS
    page = await store.recovery().failed(**WHOSE, since_ms=since_ms, until_ms=until_ms, after=None)
    wanted = [
        each
        for each, said in truth(RECORDS).items()
        if said.state in {State.EXHAUSTED, State.EXPIRED, State.CANCELLED}
        and not said.is_delivered
        and since_ms <= began[each] < until_ms
    ]
    assert wanted != []
    assert [each.delivery_id for each in page.rows] == sorted(wanted, key=lambda each: (began[each], each))
    assert page.last is None
    other = await store.recovery().failed(
        account_id="acct_0", subscription_id=WEBHOOK, since_ms=since_ms, until_ms=until_ms, after=None
    )
    assert other.rows == []


async def test_what_was_delivered_has_not_failed_although_a_later_run_was_cancelled(store: HistoryStore) -> None:
    delivered, cancelled = attempt(event="evt_1"), attempt(1, Outcome.CANCELLED, event="evt_1", at_ms=AT_MS + 9, run=7)
    whose = {"account_id": ACCOUNT, "subscription_id": WEBHOOK}
    for each in (delivered, cancelled, attempt(1, Outcome.FAILED, event="evt_2", at_ms=AT_MS + 1)):
        await store.ingest([each], {})
    page = await store.recovery().failed(**whose, since_ms=0, until_ms=AT_MS * 2, after=None)
    assert [each.event_id for each in page.rows] == ["evt_2"]
    known = await store.recovery().states(**whose, delivery_ids=[delivered.delivery_id])
    assert known == {delivered.delivery_id: Known(State.CANCELLED, True, AT_MS + 9, None, 7)}


async def test_failed_deliveries_are_found_page_by_page_however_few_they_are(store: HistoryStore) -> None:
    count = WALKED_MAX + 500
    records = [attempt(event=f"evt_{number}", at_ms=AT_MS + number) for number in range(count)]
    records[7] = failed(7)
    records[count - 1] = failed(count - 1)
    await store.ingest(records, {})
    recovery = store.recovery()
    first = await recovery.failed(
        account_id=ACCOUNT, subscription_id=WEBHOOK, since_ms=0, until_ms=AT_MS * 2, after=None
    )
    assert [each.event_id for each in first.rows] == ["evt_7"]
    assert (first.walked, first.last is not None) == (WALKED_MAX, True)
    second = await recovery.failed(
        account_id=ACCOUNT, subscription_id=WEBHOOK, since_ms=0, until_ms=AT_MS * 2, after=first.last
    )
    assert [each.event_id for each in second.rows] == [f"evt_{count - 1}"]
    assert (second.walked, second.last) == (500, None)


def failed(number: int) -> Attempt:
    return attempt(1, Outcome.FAILED, event=f"evt_{number}", at_ms=AT_MS + number)


async def test_what_is_still_to_be_tried_comes_with_the_attempt_that_is_to_come(store: HistoryStore) -> None:
    retried = attempt(3, Outcome.FAILED, event="evt_1", at_ms=AT_MS + 5, next_ms=AT_MS + 9)
    held = attempt(2, Outcome.POSTPONED, event="evt_2", at_ms=AT_MS + 6, next_ms=AT_MS + 9)
    again = attempt(1, Outcome.FAILED, event="evt_3", at_ms=AT_MS + 90, run=7, next_ms=AT_MS + 99)
    before = [
        attempt(1, Outcome.FAILED, event="evt_1", at_ms=AT_MS + 1, next_ms=AT_MS + 2),
        attempt(1, Outcome.FAILED, event="evt_3", at_ms=AT_MS + 3),
        attempt(1, event="evt_4", at_ms=AT_MS + 4),
    ]
    await store.ingest([*before, retried, held, again], {})
    ask = store.recovery().pending
    rows = await ask(account_id=ACCOUNT, subscription_id=WEBHOOK, until_ms=AT_MS + 50, before=None, limit=10)
    assert [
        (each.delivery.event_id, each.delivery.run, each.next_attempt, each.run_began_ms - AT_MS) for each in rows
    ] == [
        ("evt_2", 0, 2, 6),
        ("evt_3", 7, 2, 90),
        ("evt_1", 0, 4, 1),
    ]
    rest = await ask(
        account_id=ACCOUNT, subscription_id=WEBHOOK, until_ms=AT_MS + 50, before=rows[0].delivery.cursor, limit=1
    )
    assert [each.delivery.event_id for each in rest] == ["evt_3"]
    assert await ask(account_id="acct_0", subscription_id=WEBHOOK, until_ms=AT_MS + 50, before=None, limit=10) == []


async def asked(store: HistoryStore, ask: Ask) -> list[tuple[str, Any]]:
    """The statements of a question, with their values."""
    found: list[tuple[str, Any]] = []
    engine = store._database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda _c, _cursor, sql, values, *_: found.append((sql, values)))
    await ask(store.recovery())
    return [each for each in found if each[0].startswith(("SELECT", "WITH"))]


@pytest.mark.parametrize("name", QUESTIONS)
async def test_sqlite_reads_a_table_by_an_id(name: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    async with open_history(settings) as store:
        await store.ingest(RECORDS, {})
        statements = await asked(store, QUESTIONS[name])
    with closing(sqlite3.connect(tmp_path / "history.sqlite")) as file:
        steps = [row[3] for sql, values in statements for row in file.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    tables = ("deliveries", "delivery_times", "other")
    reads = [step for step in steps if step.split()[0] in {"SEARCH", "SCAN"} and step.split()[1] in tables]
    assert reads != []
    assert [step for step in reads if "_id=?" not in step] == []
    assert [step for step in steps if "TEMP B-TREE" in step] == []


@pytest.mark.parametrize("name", QUESTIONS)
async def test_postgres_reads_by_an_index(name: str, migrated: str, postgres: URL) -> None:
    async with database(postgres, migrated) as address, open_history(Settings(history_url=address)) as store:
        await store.ingest(RECORDS, {})
        for sql, values in await asked(store, QUESTIONS[name]):
            plan = await explained(store, sql, values)
            nodes = [line.split("(actual")[0].strip() for line in plan]
            assert not [each for each in nodes if "Seq Scan" in each or "Bitmap" in each or "Hash Join" in each], plan
            if name == "failed":
                assert not [each for each in nodes if each.startswith(("Sort", "->  Sort"))], plan


async def explained(store: HistoryStore, sql: str, values: Any) -> list[str]:
    async with store._database.engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        found = await asyncio.wait_for(driver.fetch(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {sql}", *values), 30)
    return [row[0] for row in found]
