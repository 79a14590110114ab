import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from random import Random

import pytest

from fakes.audit import audit_entry
from fakes.records import ACCOUNT, AT_MS, WEBHOOK, attempt
from hookline.core.ids import delivery_id
from hookline.runtime.history import HistoryMoved, HistoryStore, open_history
from hookline.runtime.history_questions import DeliveryRow, LogRow
from hookline.runtime.log import TopicPartition
from hookline.runtime.settings import Settings
from hookline.schemas.codec import ID_CHARACTERS_MAX
from hookline.schemas.errors import ConfigError, NotYet
from hookline.schemas.records import Attempt, AuditEntry, Outcome, Place

TOPIC, AUDIT = "webhooks.attempts", "webhooks.audit"


async def take_in(store: HistoryStore, *attempts: Attempt) -> None:
    await store.ingest(attempts, {})


async def listed(store: HistoryStore, *, webhook: str = WEBHOOK, limit: int = 100) -> list[DeliveryRow]:
    return list(await store.deliveries(account_id=ACCOUNT, subscription_id=webhook, limit=limit))


async def logged(store: HistoryStore, *, account: str = ACCOUNT, limit: int = 100) -> list[LogRow]:
    return list(await store.logs(account_id=account, subscription_id=WEBHOOK, limit=limit))


async def audited(store: HistoryStore) -> list[AuditEntry]:
    return list(await store.audit(account_id=ACCOUNT, subject=None, before=None, limit=100))


async def only(store: HistoryStore) -> DeliveryRow:
    (row,) = await listed(store)
    return row


async def test_a_delivery_that_succeeded_at_once(store: HistoryStore) -> None:
    await take_in(store, attempt())
    assert await only(store) == DeliveryRow(
        delivery_id=delivery_id(ACCOUNT, "evt_1", WEBHOOK),
        subscription_id=WEBHOOK,
        event_id="evt_1",
        event_type="order.created",
        status="succeeded",
        response_code=200,
        attempts=1,
        first_at_ms=AT_MS,
        delivered_at_ms=AT_MS + 120,
        last_attempt_at_ms=AT_MS + 120,
        next_attempt_at_ms=None,
        is_test=False,
        state="succeeded",
        run=0,
        origin=Place(partition=1, offset=7),
    )


async def test_a_delivery_whose_retry_is_due(store: HistoryStore) -> None:
    await take_in(store, attempt(1, Outcome.FAILED, next_ms=AT_MS + 1_000))
    row = await only(store)
    assert (row.status, row.state, row.response_code, row.attempts) == ("failed", "retrying", 500, 1)
    assert (row.delivered_at_ms, row.last_attempt_at_ms, row.next_attempt_at_ms) == (None, AT_MS + 120, AT_MS + 1_000)


async def test_a_delivery_without_further_retry_is_exhausted(store: HistoryStore) -> None:
    await take_in(store, attempt(7, Outcome.FAILED))
    row = await only(store)
    assert (row.status, row.state, row.attempts, row.next_attempt_at_ms) == ("failed", "exhausted", 7, None)


@pytest.mark.parametrize("outcome", [Outcome.POSTPONED, Outcome.CANCELLED, Outcome.EXPIRED])
async def test_what_was_no_request_is_a_state_and_no_attempt(store: HistoryStore, outcome: Outcome) -> None:
    await take_in(store, attempt(1, outcome))
    row = await only(store)
    assert (row.status, row.state, row.attempts) == ("failed", outcome.value, 0)
    assert (row.response_code, row.last_attempt_at_ms, row.delivered_at_ms) == (None, None, None)
    assert await logged(store) == []


@pytest.mark.parametrize("outcome", [Outcome.POSTPONED, Outcome.CANCELLED, Outcome.EXPIRED])
async def test_an_end_without_a_request_keeps_what_the_last_request_said(store: HistoryStore, outcome: Outcome) -> None:
    await take_in(store, attempt(1, Outcome.FAILED, next_ms=AT_MS + 1_000), attempt(2, outcome, at_ms=AT_MS + 1_500))
    row = await only(store)
    assert (row.state, row.attempts, row.response_code) == (outcome.value, 1, 500)
    assert (row.last_attempt_at_ms, row.next_attempt_at_ms) == (AT_MS + 120, None)


@pytest.mark.parametrize("why", ["rate_limited", "backlog", "breaker_open", "paused", "doubtful"])
async def test_what_is_held_back_waits_for_its_turn_whatever_the_reason(store: HistoryStore, why: str) -> None:
    held = replace(
        attempt(2, Outcome.POSTPONED, at_ms=AT_MS + 1_500, next_ms=AT_MS + 2_500), error=why, detail="Later."
    )
    await take_in(store, attempt(1, Outcome.FAILED, next_ms=AT_MS + 1_000), held)
    row = await only(store)
    assert (row.status, row.state, row.attempts, row.response_code) == ("failed", "postponed", 1, 500)
    assert (row.last_attempt_at_ms, row.next_attempt_at_ms) == (AT_MS + 120, AT_MS + 2_500)
    assert len(await logged(store)) == 1


HISTORY = (
    attempt(1, Outcome.POSTPONED),
    attempt(1, Outcome.FAILED, at_ms=AT_MS + 10, next_ms=AT_MS + 1_000),
    attempt(2, Outcome.FAILED, at_ms=AT_MS + 1_010, next_ms=AT_MS + 9_000),
    attempt(3, Outcome.SUCCEEDED, at_ms=AT_MS + 9_010),
)


@pytest.mark.parametrize("order", list(permutations(range(4))))
async def test_whatever_the_order_the_furthest_state_holds(store: HistoryStore, order: tuple[int, ...]) -> None:
    for each in order:
        await take_in(store, HISTORY[each])
    row = await only(store)
    assert (row.state, row.attempts, row.response_code, row.delivered_at_ms) == ("succeeded", 3, 200, AT_MS + 9_130)


async def test_in_one_batch_it_is_the_same(store: HistoryStore) -> None:
    await take_in(store, *reversed(HISTORY), *HISTORY)
    row = await only(store)
    assert (row.state, row.attempts, row.delivered_at_ms) == ("succeeded", 3, AT_MS + 9_130)
    assert len(await logged(store)) == 3


async def test_a_success_stays_although_a_forked_copy_goes_on_failing(store: HistoryStore) -> None:
    await take_in(store, attempt(1, Outcome.SUCCEEDED))
    await take_in(store, attempt(1, Outcome.FAILED, at_ms=AT_MS + 5, next_ms=AT_MS + 1_000))
    await take_in(store, attempt(2, Outcome.FAILED, at_ms=AT_MS + 1_005, next_ms=AT_MS + 9_000))
    row = await only(store)
    assert (row.status, row.response_code, row.next_attempt_at_ms) == ("succeeded", 200, None)


async def test_a_new_run_begins_anew(store: HistoryStore) -> None:
    await take_in(store, attempt(3, Outcome.FAILED))
    await take_in(store, attempt(1, Outcome.FAILED, run=1, at_ms=AT_MS + 50_000, next_ms=AT_MS + 51_000))
    await take_in(store, attempt(2, Outcome.FAILED, at_ms=AT_MS - 900))
    row = await only(store)
    assert (row.state, row.attempts, row.next_attempt_at_ms) == ("retrying", 1, AT_MS + 51_000)


async def test_repeats_change_nothing(store: HistoryStore) -> None:
    await take_in(store, *HISTORY)
    before = (await listed(store), await logged(store))
    await take_in(store, *HISTORY[:2])
    await take_in(store, *HISTORY)
    assert (await listed(store), await logged(store)) == before


async def test_listings_begin_with_the_newest_and_end_at_the_limit(store: HistoryStore) -> None:
    await take_in(store, *(attempt(event=f"evt_{n}", at_ms=AT_MS + n) for n in (3, 1, 4, 0, 2)))
    assert [row.delivered_at_ms for row in await listed(store, limit=3)] == [AT_MS + n + 120 for n in (4, 3, 2)]
    assert [row.at_ms for row in await logged(store, limit=2)] == [AT_MS + n + 120 for n in (4, 3)]


async def test_a_log_entry_says_what_the_endpoint_did(store: HistoryStore) -> None:
    await take_in(store, attempt(2, Outcome.FAILED, next_ms=AT_MS + 9))
    assert await logged(store) == [
        LogRow(
            attempt_id=attempt(2).attempt_id,
            delivery_id=attempt(2).delivery_id,
            event_type="order.created",
            status="failed",
            attempt=2,
            response_code=500,
            response_time_ms=120,
            at_ms=AT_MS + 120,
            error="status",
            detail="The endpoint answered 500.",
        )
    ]


async def test_a_step_bears_its_headers_and_its_job_and_the_delivery_those_of_its_newest_run(
    store: HistoryStore,
) -> None:
    headers = {"request_headers": ("webhook-id: d", "X-Name: M\u00fcller"), "response_headers": ("Set-Cookie: a: b",)}
    first = replace(attempt(1, Outcome.FAILED), **headers)  # type: ignore[arg-type]
    place = Place(partition=3, offset=9, in_replays=True)
    again = replace(attempt(1, Outcome.FAILED, run=8, at_ms=AT_MS + 5), job_id="job_1", origin=place)
    await take_in(store, again, first)
    await take_in(store, attempt(2, at_ms=AT_MS + 9))  # of the first run, which had not ended
    found = await store.delivery(account_id=ACCOUNT, delivery_id=first.delivery_id)
    assert found is not None
    assert [(each.job_id, each.request_headers, each.response_headers) for each in found.steps] == [
        (None, *headers.values()),
        ("job_1", (), ()),
        (None, (), ()),
    ]
    row = await only(store)
    assert (row.run, row.job_id, row.origin, row.first_at_ms) == (8, "job_1", place, AT_MS)
    assert [each.job_id for each in await logged(store)] == [None, "job_1", None]


async def test_another_account_sees_nothing(store: HistoryStore) -> None:
    await take_in(store, attempt())
    assert await store.deliveries(account_id="acct_2", subscription_id=WEBHOOK, limit=9) == []
    assert await logged(store, account="acct_2") == []
    assert await listed(store, webhook="wh_2") == []


async def test_ids_of_the_greatest_length_are_taken_in_and_listed(store: HistoryStore) -> None:
    """An index holds both, and no index of PostgreSQL holds more than 2,704 bytes of a row."""
    drawn = Random(1)  # noqa: S311 - the same every time, and nothing that can be compressed
    account, event = ("".join(chr(drawn.randrange(0x10000, 0x11000)) for _ in range(ID_CHARACTERS_MAX)) for _ in "ab")
    await take_in(store, replace(attempt(account=account, event=event), job_id=f"job_{'f' * 32}"))
    (row,) = await store.deliveries(account_id=account, subscription_id=WEBHOOK, limit=9)
    assert (row.event_id, row.job_id) == (event, f"job_{'f' * 32}")


async def test_positions_come_with_the_rows(store: HistoryStore) -> None:
    await store.ingest([attempt()], {TopicPartition(TOPIC, 0): 5, TopicPartition(TOPIC, 3): 1})
    await store.ingest([], {TopicPartition(TOPIC, 0): 9, TopicPartition("other", 0): 2})
    assert await store.offsets(TOPIC) == {0: 9, 3: 1}
    assert await store.offsets("unknown") == {}


async def test_a_batch_that_fails_leaves_neither_rows_nor_positions(store: HistoryStore) -> None:
    broken = replace(attempt(event="evt_2"), event_id=None)  # type: ignore[arg-type]
    with pytest.raises(NotYet):
        await store.ingest([attempt(), broken], {TopicPartition(TOPIC, 0): 5})
    assert await listed(store) == []
    assert await store.offsets(TOPIC) == {}


async def test_attempts_audit_entries_and_positions_come_in_one_transaction(store: HistoryStore) -> None:
    entries, ends = [audit_entry(1), audit_entry(2)], {TopicPartition(TOPIC, 0): 1, TopicPartition(AUDIT, 0): 2}
    broken = replace(entries[1], operation=None)  # type: ignore[arg-type]
    with pytest.raises(NotYet):
        await store.ingest([attempt(), entries[0], broken], ends)
    assert (await listed(store), await audited(store), await store.offsets(AUDIT)) == ([], [], {})
    await store.ingest([entries[0], attempt(), entries[1]], ends)
    assert (len(await listed(store)), len(await logged(store)), await audited(store)) == (1, 1, entries[::-1])
    assert (await store.offsets(TOPIC), await store.offsets(AUDIT)) == ({0: 1}, {0: 2})


async def test_it_is_all_there_after_a_restart(store_settings: Settings) -> None:
    async with open_history(store_settings) as store:
        await store.ingest([attempt()], {TopicPartition(TOPIC, 0): 5})
    async with open_history(store_settings) as store:
        assert await store.offsets(TOPIC) == {0: 5}
        assert (await only(store)).status == "succeeded"


async def test_the_api_reads_while_history_writes(store_settings: Settings) -> None:
    async with open_history(store_settings) as writing, open_history(store_settings) as asking:
        batches = [[attempt(event=f"evt_{n}_{m}", at_ms=AT_MS + n) for m in range(50)] for n in range(20)]

        async def write() -> None:
            for batch in batches:
                await writing.ingest(batch, {TopicPartition(TOPIC, 0): 1})

        task = asyncio.create_task(write())
        while not task.done():
            await listed(asking)
            await asyncio.sleep(0)
        await task
        assert len(await listed(asking, limit=1_000)) == 1_000


async def test_a_file_that_is_locked_is_a_not_yet(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    async with open_history(settings) as store:
        path = settings.history_address().removeprefix("sqlite+aiosqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(NotYet, match="does not answer"):
                await take_in(store, attempt())
            other.execute("ROLLBACK")
        await take_in(store, attempt())


@pytest.mark.parametrize("address", ["nonsense", "mysql://x/y", "postgresql+psycopg://x/y"])
async def test_an_address_that_is_none_names_the_setting(address: str) -> None:
    with pytest.raises(ConfigError, match="HOOKLINE_HISTORY_URL"):
        async with open_history(Settings(history_url=address)):
            pass


async def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    path.write_bytes(b"garbage" * 100)
    with pytest.raises(ConfigError, match=r"history\.sqlite is no SQLite database, or a damaged one; move it away"):
        async with open_history(Settings(data_dir=tmp_path)):
            pass
    assert path.read_bytes() == b"garbage" * 100


def test_processes_that_open_a_new_store_at_once_all_get_it(tmp_path: Path) -> None:
    code = (
        "import asyncio; from pathlib import Path; from hookline.runtime.history import open_history\n"
        "from hookline.runtime.settings import Settings\n"
        "async def main():\n"
        f"    async with open_history(Settings(data_dir=Path({str(tmp_path)!r}))) as store:\n"
        "        await store.offsets('t')\n"
        "asyncio.run(main())\n"
    )
    opening = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(6)]
    said = [process.communicate(timeout=60)[1].decode() for process in opening]
    assert [process.returncode for process in opening] == [0] * 6, said


@pytest.mark.parametrize(
    ("stands_at", "left_at"), [({0: 5}, {0: 7}), ({0: 9}, {0: 7}), ({}, {0: 7}), ({0: 5}, {}), ({0: 5, 1: 3}, {0: 5})]
)
async def test_a_store_that_is_not_where_it_was_left_takes_nothing_in(
    store: HistoryStore, stands_at: dict[int, int], left_at: dict[int, int]
) -> None:
    await store.ingest([], {TopicPartition(TOPIC, each): at for each, at in stands_at.items()})
    offsets = {TopicPartition(TOPIC, 0): 12, TopicPartition(TOPIC, 1): 4}
    with pytest.raises(HistoryMoved):
        await store.ingest(
            [attempt()], offsets, left_at={TopicPartition(TOPIC, each): at for each, at in left_at.items()}
        )
    assert await listed(store) == []
    assert await store.offsets(TOPIC) == stands_at


async def test_a_store_that_is_where_it_was_left_goes_on(store: HistoryStore) -> None:
    first, second = TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)
    await store.ingest([attempt()], {first: 5}, left_at={})
    await store.ingest([], {first: 3, second: 1}, left_at={first: 5})  # the topic was made anew
    await store.ingest([], {first: 4}, left_at={first: 3, second: 0})
    assert await store.offsets(TOPIC) == {0: 4, 1: 1}


async def test_a_transaction_whose_confirmation_was_lost_may_be_repeated(store: HistoryStore) -> None:
    partition = TopicPartition(TOPIC, 0)
    for _ in range(2):
        await store.ingest([attempt()], {partition: 5}, left_at={})
    assert len(await logged(store)) == 1
