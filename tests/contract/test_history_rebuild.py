"""The history store is made again from Kafka, row for row, whoever filled it before and however."""

import asyncio

import pytest
from confluent_kafka.admin import AdminClient

from fakes.audit import audit_entry
from fakes.configuration import short_settings
from fakes.history_roles import history, log_of, rebuild, record, rows, stop, until_read
from fakes.kafka import make_topics
from fakes.records import attempt, lives
from hookline.runtime.clock import SystemClock
from hookline.runtime.history import HistoryMoved, HistoryStore, open_history
from hookline.runtime.log import TopicPartition
from hookline.runtime.settings import Settings

NOW_MS = SystemClock().now_ms()
DAY_MS = 86_400_000
LIVES = lives(600, seed=21, at_ms=NOW_MS - 6 * DAY_MS, days=4, webhooks=12)
ENTRIES = [audit_entry(number, account=f"acct_{number % 3}", at_ms=NOW_MS - number * 1_000) for number in range(60)]


@pytest.fixture
def settings(bootstrap: str, prefix: str, store_settings: Settings) -> Settings:
    """Of an empty store, and of topics of its own."""
    made = short_settings(bootstrap, prefix, data_dir=store_settings.data_dir, history_url=store_settings.history_url)
    make_topics(bootstrap, made.topics())
    return made


pytestmark = pytest.mark.kafka


@pytest.mark.timeout(240)
async def test_a_rebuilt_store_is_row_for_row_the_one_that_was_filled_live(settings: Settings) -> None:
    async with open_history(settings) as store:
        for start in range(0, len(LIVES), 300):
            record(settings, LIVES[start : start + 330], ENTRIES[start // 300 :: 5])  # some of them twice
            async with history(settings) as process:
                await until_read(store, settings, attempts=start + 1)
                process.kill()
        written = sum(len(LIVES[start : start + 330]) for start in range(0, len(LIVES), 300))
        async with history(settings) as process:
            record(settings, LIVES[:50])
            await until_read(store, settings, attempts=written + 50)
            await stop(process)
        live = await rows(settings)
        assert len(live["attempts"]) == len(LIVES)
        assert len(live["audit"]) > 10
        await rebuild(settings)
        assert await rows(settings) == live
    assert "records" in log_of(settings).read_text(encoding="utf-8").splitlines()[-1]


@pytest.mark.timeout(240)
async def test_processes_that_share_the_partitions_fill_the_store_together(settings: Settings) -> None:
    record(settings, LIVES[:700], ENTRIES)
    async with open_history(settings) as store, history(settings) as one, history(settings) as other:
        await until_read(store, settings, attempts=700, entries=len(ENTRIES))
        record(settings, LIVES[600:])
        await until_read(store, settings, attempts=700 + len(LIVES[600:]), entries=len(ENTRIES))
        async with asyncio.timeout(60):
            while await shares(settings) != [2, 2]:
                await asyncio.sleep(0.1)
        await asyncio.gather(stop(one), stop(other))
    together = await rows(settings)
    await rebuild(settings)
    assert await rows(settings) == together


async def shares(settings: Settings) -> list[int]:
    """How many partitions of attempts each of the processes has."""
    client = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    group = settings.history_groups()[0]
    found = await asyncio.wrap_future(client.describe_consumer_groups([group])[group])
    return [len(member.assignment.topic_partitions) for member in found.members]


async def test_nothing_is_emptied_while_a_history_process_runs(settings: Settings) -> None:
    record(settings, LIVES[:20])
    async with open_history(settings) as store, history(settings) as process:
        await until_read(store, settings, attempts=20)
        async with history(settings, "rebuild", "--yes") as refused:
            assert await asyncio.wait_for(refused.wait(), 60) == 2
        assert "1 history processes run (consumer group" in log_of(settings).read_text(encoding="utf-8")
        await stop(process)
    assert len((await rows(settings))["attempts"]) == 20


async def test_without_a_yes_nothing_is_emptied(settings: Settings) -> None:
    async with open_history(settings) as store:
        await store.ingest(LIVES[:20], {})
        async with history(settings, "rebuild") as asked:
            assert await asyncio.wait_for(asked.wait(), 60) == 1
    assert len((await rows(settings))["attempts"]) == 20


async def test_who_read_before_the_store_was_emptied_must_begin_again(
    store: HistoryStore, store_settings: Settings
) -> None:
    partition = TopicPartition("t", 0)
    async with open_history(store_settings) as other:
        await store.ingest([attempt(event="evt_1")], {partition: 1})
        await other.empty()
        with pytest.raises(HistoryMoved, match="stands at None of t/0, and this process left it at 1"):
            await store.ingest([attempt(event="evt_2")], {partition: 2}, left_at={partition: 1})
        await other.ingest([attempt(event="evt_1")], {partition: 1})
        assert await other.offsets("t") == {0: 1}
    found = await rows(store_settings)
    assert (len(found["attempts"]), len(found["deliveries"]), len(found["subscriptions"])) == (1, 1, 1)


async def test_an_emptied_store_holds_nothing(store: HistoryStore, store_settings: Settings) -> None:
    await store.ingest([*LIVES[:50], *ENTRIES], {TopicPartition("t", 0): 1})
    await store.empty()
    assert {name for name, found in (await rows(store_settings)).items() if found} == set()
