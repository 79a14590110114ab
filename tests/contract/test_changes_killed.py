"""A process is killed in the middle of a transaction of the configuration: nobody waits until its time is up."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fakes.changing import CODEC, changing
from fakes.configuration import ACCOUNT, short_settings, subscription
from fakes.judgements import disabling
from fakes.kafka import make_topics, read, write
from hookline.processors.barrier import Barrier
from hookline.runtime.end_offsets import EndOffsets
from hookline.runtime.kafka_changes import fence_name
from hookline.runtime.settings import Settings
from hookline.schemas.records import disabling_key

pytestmark = pytest.mark.kafka
SOON_S = 30  # 1 s; without us, after the minute that the killed one's transaction has
OPENS = """
import sys, time
from confluent_kafka import Producer
bootstrap, name, *topics = sys.argv[1:]
producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": name, "linger.ms": 0})
producer.init_transactions(30)
producer.begin_transaction()
for topic in topics:
    producer.produce(topic, b"never to be seen", b"open")
assert producer.flush(30) == 0
print("open", flush=True)
time.sleep(600)
"""


@asynccontextmanager
async def killed_in_a_transaction(settings: Settings) -> AsyncIterator[None]:
    """A process has written to all topics of the view, and was killed before it could commit or abort."""
    topics = settings.topics()
    names = (topics.subscriptions, topics.accounts, topics.endpoint_state)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        OPENS,
        settings.bootstrap_servers,
        fence_name(topics),
        *names,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"open\n"
    process.kill()
    await process.wait()
    yield


@pytest.fixture
async def settings(bootstrap: str, prefix: str) -> Settings:
    made = short_settings(bootstrap, prefix)
    await asyncio.to_thread(make_topics, bootstrap, made.topics())
    return made


async def test_a_process_that_was_killed_in_a_transaction_holds_up_nobodys_change(settings: Settings) -> None:
    async with changing(settings, answer_s=SOON_S) as process:
        await process.add()
        async with killed_in_a_transaction(settings):
            assert await process.add() == 2
    found = await asyncio.to_thread(read, settings.bootstrap_servers, *process.view.followed())
    assert [each.key for each in found] == [ACCOUNT.encode()] * 2


async def test_a_process_that_was_killed_in_a_transaction_holds_up_no_view_and_no_fan_out(settings: Settings) -> None:
    topics = settings.topics()
    async with (
        changing(settings) as before,
        killed_in_a_transaction(settings),
        asyncio.timeout(SOON_S),
        changing(settings) as after,  # ready, though its topics hold an open transaction
    ):
        ends = EndOffsets(settings.bootstrap_servers)
        assert {await ends.of(topic) for topic in after.view.followed()} == {0}
        for process in (before, after):
            await Barrier(ends=ends, view=process.view, topic=topics.subscriptions).passed()
        await ends.close()


async def test_judgements_behind_an_open_transaction_are_seen_after_the_next_change(settings: Settings) -> None:
    topics, to = settings.topics(), subscription("https://example.com")
    async with changing(settings) as process, killed_in_a_transaction(settings):
        judged = [(disabling_key(to.subscription_id), CODEC.encode(disabling(to)))]
        await asyncio.to_thread(write, settings.bootstrap_servers, topics.endpoint_state, judged)
        await process.add()
        await process.view.wait_applied(topics.endpoint_state, 1, timeout_s=SOON_S)
